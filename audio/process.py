"""Run one shut-in child to its end, watched: time-out, stall, cancelling, no orphan."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import IO

from audio.errors import AudioError
from audio.limits import Limits

LAUNCHER = Path(__file__).with_name("sandbox.py")
TICK_SECONDS = 0.1
CORES_USED = 2
KEPT_LINES = 400
LINE_BYTES = 2000
PROGRAM_MISSING = 127


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
    stdin: bytes = b"",
    on_line: Callable[[str], None] | None = None,
    cancelled: Event | None = None,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
) -> Finished:
    """Run `command` (absolute program first) under `limits` and return how it ended; output and errors are one log.

    `file_bytes` caps each file it writes. It has no network and, if any are named, no files but those of the system,
    `reads`, and what is in the folders `writes`. Raises `timed_out` or `cancelled`, after killing its whole process
    group, or `engine_missing`.
    """
    terms = {
        "memory_bytes": limits.memory_bytes,
        "cpu_seconds": int(limits.timeout_seconds * CORES_USED) + 1,
        "file_bytes": file_bytes,
        "parent": os.getpid(),
        "reads": [os.fspath(path.absolute()) for path in reads],
        "writes": [os.fspath(path.absolute()) for path in writes],
    }
    with _as_file(stdin) as given:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(terms), *command],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "MALLOC_ARENA_MAX": "2"},
        )
    try:
        log = _watch(child, limits, on_line, cancelled)
        status = child.wait(timeout=limits.stall_seconds)
    except subprocess.TimeoutExpired:
        raise AudioError("timed_out", seconds=limits.stall_seconds) from None
    finally:
        _end(child)
    if status == PROGRAM_MISSING:
        raise AudioError("engine_missing", engine=Path(command[0]).name)
    if status == -signal.SIGXCPU:
        raise AudioError("timed_out", seconds=limits.timeout_seconds)
    return Finished(status, log)


def _as_file(data: bytes) -> IO[bytes]:
    """A file open at the first byte of `data`; a pipe would block on a child that does not read."""
    if not data:
        return Path(os.devnull).open("rb")
    given = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    given.write(data)
    given.seek(0)
    return given


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
    if child.stdout is not None:
        child.stdout.close()
