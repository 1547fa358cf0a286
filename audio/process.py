"""Run one shut-in child to its end, watched: time-out, stall, cancelling, no orphan."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from audio.errors import AudioError
from audio.limits import Limits

LAUNCHER = Path(__file__).with_name("sandbox.py")
TICK_SECONDS = 0.1
KEPT_LINES = 400
LINE_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Finished:
    """How a child ended: `status` as `Popen.returncode` (negative: killed by that signal), `log` its last lines."""

    status: int
    log: tuple[str, ...]


def run_shut_in(
    command: Sequence[str],
    limits: Limits,
    *,
    file_bytes: int,
    stdin: bytes | None = None,
    on_line: Callable[[str], None] | None = None,
    cancelled: Event | None = None,
    network: bool = False,
) -> Finished:
    """Run `command` (absolute program first) under `limits` and return how it ended; output and errors are one log.

    `file_bytes` caps each file it writes. Raises `timed_out` or `cancelled`, after killing its whole process group.
    """
    terms = {
        "memory_bytes": limits.memory_bytes,
        "cpu_seconds": int(limits.timeout_seconds) + 1,
        "file_bytes": file_bytes,
        "parent": os.getpid(),
        "network": network,
    }
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(terms), *command],
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "MALLOC_ARENA_MAX": "2"},
    )
    try:
        if stdin is not None:
            _feed(child, stdin)
        log = _watch(child, limits, on_line, cancelled)
        return Finished(child.wait(timeout=limits.stall_seconds), log)
    except subprocess.TimeoutExpired:
        raise AudioError("timed_out", seconds=limits.stall_seconds) from None
    finally:
        _end(child)


def _feed(child: subprocess.Popen[bytes], data: bytes) -> None:
    assert child.stdin is not None  # noqa: S101 (opened as a pipe by the caller)
    try:
        child.stdin.write(data)
        child.stdin.close()
    except BrokenPipeError:
        return


def _watch(
    child: subprocess.Popen[bytes],
    limits: Limits,
    on_line: Callable[[str], None] | None,
    cancelled: Event | None,
) -> tuple[str, ...]:
    assert child.stdout is not None  # noqa: S101 (opened as a pipe by the caller)
    started = heard = time.monotonic()
    kept: deque[str] = deque(maxlen=KEPT_LINES)
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            now = time.monotonic()
            if cancelled is not None and cancelled.is_set():
                raise AudioError("cancelled")
            if now - started > limits.timeout_seconds:
                raise AudioError("timed_out", seconds=limits.timeout_seconds)
            if now - heard > limits.stall_seconds:
                raise AudioError("timed_out", seconds=limits.stall_seconds)
            if not selector.select(TICK_SECONDS):
                continue
            chunk = os.read(child.stdout.fileno(), 65536)
            if not chunk:
                return tuple(kept)
            heard = now
            *lines, pending = (pending + chunk).replace(b"\r", b"\n").split(b"\n")
            pending = pending[-LINE_BYTES:]
            for raw in lines:
                line = raw[:LINE_BYTES].decode("utf-8", "replace")
                kept.append(line)
                if on_line is not None:
                    on_line(line)


def _end(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
