"""The demo's child processes: the server and the nodes, which die with the demo and whose words go to log files."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from firmware_bridge.bridge.broker import leash
from loudspeaker.errors import UnavailableError

CLOSING_SECONDS = 5.0


class Child:
    """One child process; `start` may be called again after it has ended."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        self._command = [sys.executable, str(Path(leash.__file__)), str(os.getpid()), *command]
        # whatever proxy is set, these processes speak to this machine alone
        self._environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it. Call from the main thread: the child is tied to the thread that starts it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=subprocess.STDOUT, env=self._environment)

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self.alive and self._process else None

    @property
    def alive(self) -> bool:
        """True while it runs."""
        return self._process is not None and self._process.poll() is None

    def must_live(self) -> None:
        """Raises UnavailableError with the end of its log when it has ended by itself."""
        if not self.alive:
            tail = self.log.read_text(errors="replace")[-1500:]
            raise UnavailableError("%(name)s has ended: %(tail)s", name=self.name, tail=tail)

    def kill(self) -> None:
        """End it with SIGKILL, without a chance to tidy up."""
        if self._process is not None and self.alive:
            self._process.kill()
            self._process.wait(CLOSING_SECONDS)

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self._process is not None and self.alive:
            self._process.terminate()

    def stop(self) -> None:
        """Wait for its end after SIGTERM; SIGKILL when it takes too long."""
        self.ask_to_stop()
        if self._process is None:
            return
        try:
            self._process.wait(CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


def stop_all(children: Sequence[Child]) -> None:
    """Ask all to stop, then wait for each."""
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.stop()


def kill_process(pid: int) -> None:
    """SIGKILL to one process that may already be gone, and wait until it is."""
    try:
        os.kill(pid, signal.SIGKILL)
        for _ in range(50):
            os.kill(pid, 0)
            time.sleep(0.05)
    except ProcessLookupError:
        return

