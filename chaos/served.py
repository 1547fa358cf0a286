"""`loudspeaker serve` as a process of its own, to be killed, frozen and started again."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx2 as httpx

READY_S, END_S = 90.0, 20.0


class DidNotStartError(Exception):
    """The server said why."""


class Served:
    """A running server. `told` is what it announced; `started_s` how long it took to be healthy."""

    def __init__(self, data: Path, *, token: str = "", **settings: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        given = {f"LOUDSPEAKER_{name.upper()}": value for name, value in settings.items()}
        self.data = data
        self._began = time.monotonic()
        self._errors = data.with_name(f"{data.name}.stderr")
        self._token = token
        with self._errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "loudspeaker", "serve", "--data", str(data), "--json"],
                stdout=subprocess.PIPE, stderr=errors,
                env=kept | {"LOUDSPEAKER_DISK_FLOOR_BYTES": "0", "LOUDSPEAKER_PORT": "0"} | given)
        self.told: dict[str, Any] = {}
        self._client: httpx.Client | None = None
        self.started_s = 0.0

    def ready(self) -> "Served":
        """Once it serves and is healthy. Raises DidNotStartError with its last words."""
        line = self._first_line()
        if not line:
            self.kill()
            raise DidNotStartError(self.errors()[-2000:])
        self.told = json.loads(line)
        self._client = httpx.Client(base_url=self.told["url"], timeout=30, trust_env=False,
                                    headers={"Authorization": f"Bearer {self._token}"} if self._token else {})
        if self.client.get("/healthz").status_code != 200:
            raise DidNotStartError(self.errors()[-2000:])
        self.started_s = time.monotonic() - self._began
        return self

    @property
    def client(self) -> httpx.Client:
        """Speaks to it, with the token; from `ready` on."""
        assert self._client is not None
        return self._client

    def errors(self) -> str:
        """What it wrote to stderr, and those before it on the same folder."""
        return self._errors.read_text(errors="replace")

    def kill(self) -> None:
        """As a power cut would."""
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.wait()

    def stop(self) -> None:
        """In order."""
        self.process.terminate()
        self.wait()

    def _first_line(self) -> bytes:
        lines: queue.Queue[bytes] = queue.Queue()
        assert self.process.stdout is not None
        threading.Thread(target=lambda out: lines.put(out.readline()), args=(self.process.stdout,), daemon=True).start()
        try:
            return lines.get(timeout=READY_S)
        except queue.Empty:
            return b""

    def wait(self) -> None:
        """Until it has ended; what was open to it is closed. Raises TimeoutExpired after 20 s."""
        self.process.wait(END_S)
        if self._client is not None:
            self._client.close()
        assert self.process.stdout is not None
        self.process.stdout.close()


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
