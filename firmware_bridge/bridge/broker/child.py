"""The broker process: found, started on a leash, awaited, ended; also one that an earlier server left."""

import contextlib
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Protocol

from firmware_bridge.bridge.broker import leash
from firmware_bridge.bridge.broker.base import LOOPBACK, BrokerMissing, BrokerRefused, Endpoint, PortTaken

READY_S = 15.0
TERM_S = 2.0


class ChildFiles(Protocol):
    """Where a broker that we run keeps its things."""

    @property
    def config(self) -> Path:
        """Its configuration."""

    @property
    def log(self) -> Path:
        """What it says."""

    @property
    def pid(self) -> Path:
        """Holds its process id while it runs."""

    @property
    def store(self) -> Path:
        """A folder of its own, emptied at each start."""


def find_program(name: str) -> Path:
    """The broker's program beside this interpreter (from a wheel), on the PATH, or where Debian puts what only root
    runs. Raises BrokerMissing."""
    file = f"{name}.exe" if sys.platform == "win32" else name
    for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
        beside = Path(folder) / file
        if beside.is_file() and os.access(beside, os.X_OK):
            return beside
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise BrokerMissing(name)
    return Path(found)


def launch(program: Path, files: ChildFiles, endpoint: Endpoint) -> "subprocess.Popen[bytes]":
    """Start the broker with its store wiped, and return when it listens. Raises PortTaken, BrokerRefused.

    On Linux it dies with the *thread* that calls this, so that thread must live as long as the broker should.
    """
    end_leftover(files)
    check_free(endpoint)
    shutil.rmtree(files.store, ignore_errors=True)
    log = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    seen = os.fstat(log).st_size
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", leash.__file__, str(os.getpid()), str(program), "-c", str(files.config)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    finally:
        os.close(log)
    deadline = time.monotonic() + READY_S
    while not accepts(endpoint):
        if child.poll() is not None:
            _explain(log_since(files, seen), endpoint)
        if time.monotonic() > deadline:
            end(child)
            raise BrokerRefused(f"the broker did not listen within {READY_S:.0f} s", log_since(files, seen))
        time.sleep(0.02)
    return child


def end(child: "subprocess.Popen[bytes]") -> None:
    """Ask it to end, and make it after 2 s."""
    child.terminate()
    try:
        child.wait(TERM_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def hang_up(pid: int) -> None:
    """Ask a broker to read its files anew; one that has just died is not asked."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGHUP)


def end_leftover(files: ChildFiles) -> None:
    """End the broker that a killed server left behind in these files, if it still runs."""
    try:
        pid = int(files.pid.read_text())
    except (OSError, ValueError):
        return
    for sent in (signal.SIGTERM, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM):
        deadline = time.monotonic() + TERM_S
        while str(files.config) in _command_line(pid):
            if time.monotonic() > deadline:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sent)
            time.sleep(0.05)
    files.pid.unlink(missing_ok=True)


def check_free(endpoint: Endpoint) -> None:
    """Raises PortTaken when somebody listens at `endpoint`; a broker that is just dying has a second to let go."""
    deadline = time.monotonic() + 1.0
    while not _can_bind(endpoint):
        if time.monotonic() > deadline:
            raise PortTaken(endpoint.host, endpoint.port)
        time.sleep(0.02)


def free_port(host: str) -> int:
    """A TCP port of `host` that nobody listens on now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(endpoint: Endpoint) -> bool:
    """True when a TCP connection to `endpoint` succeeds within a second."""
    host = LOOPBACK.get(endpoint.host, endpoint.host)
    try:
        socket.create_connection((host, endpoint.port), 1.0).close()
    except OSError:
        return False
    return True


def write_private(file: Path, text: str) -> None:
    """Replace `file` in one step; it is never readable by others, nor half written."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # a wiped folder must not keep a broker from its return
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as draft:
        draft.write(text)
    Path(name).replace(file)


def log_size(files: ChildFiles) -> int:
    """Bytes in the log now; a mark for `log_since`."""
    return files.log.stat().st_size if files.log.exists() else 0


def log_since(files: ChildFiles, mark: int) -> str:
    """What was logged after `mark`; all of the newest file when it was rotated since. At most the last 64 KiB."""
    with files.log.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(mark if mark <= size else 0, size - 65536))
        return log.read().decode(errors="replace")


def _can_bind(endpoint: Endpoint) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((endpoint.host, endpoint.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            where = f"{endpoint.host}:{endpoint.port}"
            raise BrokerRefused(f"{where} cannot be listened on: {error.strerror}", "") from error
    return True


def log_from(files: ChildFiles, mark: int) -> str:
    """The first 16 KiB logged after `mark`: what a broker says of itself when it starts."""
    with files.log.open("rb") as log:
        log.seek(mark)
        return log.read(16384).decode(errors="replace")


def _explain(log: str, endpoint: Endpoint) -> None:
    if "address already in use" in log.lower():
        raise PortTaken(endpoint.host, endpoint.port)
    raise BrokerRefused("the broker did not start", log[-2000:])


def _command_line(pid: int) -> str:
    """The command line of a running process, empty when there is none."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    listed = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return listed.stdout
