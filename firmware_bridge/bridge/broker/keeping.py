"""A broker as our child: kept running by one thread of ours, at a port that is free."""

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from firmware_bridge.bridge.broker import child as process
from firmware_bridge.bridge.broker.base import BrokerError, Endpoint, PortTaken

RESTART_S = (0.2, 5.0)
"""Shortest and longest wait before a broker that died is started again."""
TRIES = 5


class ChildKeeper:
    """Starts a child with `launch`, and again when it dies.

    One thread lives as long as the broker should: Linux ties the child to it, so that a killed server leaves no
    broker behind. `lock` is held while a child is started; hold it where the child must stay the same.
    """

    def __init__(self, launch: Callable[[], "subprocess.Popen[bytes]"]) -> None:
        self.lock = threading.Lock()
        self.child: subprocess.Popen[bytes] | None = None
        self._launch = launch
        self._stopping = threading.Event()
        self._settled = threading.Event()
        self._failed: Exception | None = None
        self._thread: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the running child."""
        child = self.child
        return child.pid if child is not None and child.poll() is None else None

    @property
    def settled(self) -> bool:
        """True once the first start has succeeded: from then on the port is what others know."""
        return self._settled.is_set()

    def start(self) -> None:
        """Start, and return when the child is up. Raises what `launch` raises."""
        self._stopping.clear()
        self._settled.clear()
        self._failed = None
        self._thread = threading.Thread(target=self._keep, name="broker-keeper", daemon=True)
        self._thread.start()
        self._settled.wait()
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """End it; may be called twice."""
        self._stopping.set()
        with self.lock:
            if self.child is not None:
                process.end(self.child)
        if self._thread is not None:
            self._thread.join()

    def _keep(self) -> None:
        wait_s = RESTART_S[0]
        while not self._stopping.is_set():
            try:
                with self.lock:
                    self.child = child = self._launch()
            except (BrokerError, OSError) as error:
                if not self._settled.is_set():
                    self._failed = error
                    break
                structlog.get_logger("broker").error("broker_restart_failed", error=str(error))
            else:
                self._settled.set()
                since = time.monotonic()
                child.wait()
                if self._stopping.is_set():
                    break
                structlog.get_logger("broker").error("broker_died", exit_code=child.returncode)
                wait_s = RESTART_S[0] if time.monotonic() - since > RESTART_S[1] else wait_s
            self._stopping.wait(wait_s)
            wait_s = min(wait_s * 2, RESTART_S[1])
        self._settled.set()


def at_a_free_port(endpoint: Endpoint, chosen: bool,
                   launch: Callable[[Endpoint], "subprocess.Popen[bytes]"]) -> "subprocess.Popen[bytes]":
    """Launch at `endpoint`; when its port is ours to choose, at a free one, chosen again while it gets taken."""
    if chosen:
        return launch(endpoint)
    for attempt in range(TRIES):
        try:
            return launch(replace(endpoint, port=process.free_port(endpoint.host)))
        except PortTaken:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")
