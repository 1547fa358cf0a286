"""A port nobody should call and a file nobody should open, both watched."""

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

IN_OPEN = 0x20
IN_NONBLOCK = os.O_NONBLOCK


@dataclass
class Traps:
    """`port` listens on 127.0.0.1; `canary` is a playable wav. What touches them is written down."""

    port: int
    canary: Path
    calls: list[str] = field(default_factory=list)
    opened: bool = False


@contextmanager
def traps(canary: Path) -> Iterator[Traps]:
    """Watch a port and `canary`, which exists, until the end of the block; then `calls` and `opened` are final."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        set_up = Traps(server.getsockname()[1], canary)
        done = threading.Event()
        listener = threading.Thread(target=_listen, args=(server, set_up, done))
        listener.start()
        libc = ctypes.CDLL(None, use_errno=True)
        watch = libc.inotify_init1(IN_NONBLOCK)
        assert libc.inotify_add_watch(watch, os.fsencode(canary), IN_OPEN) >= 0
        try:
            yield set_up
        finally:
            done.set()
            listener.join()
            set_up.opened = _anything(watch)
            os.close(watch)


def _listen(server: socket.socket, set_up: Traps, done: threading.Event) -> None:
    while not done.is_set():
        try:
            caller, address = server.accept()
        except TimeoutError:
            continue
        set_up.calls.append(str(address))
        caller.close()


def _anything(watch: int) -> bool:
    try:
        return len(os.read(watch, 4096)) >= struct.calcsize("iIII")
    except BlockingIOError:
        return False
