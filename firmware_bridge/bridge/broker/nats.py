"""The broker that the server runs by default: nats-server as a child process, kept running."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import structlog

from firmware_bridge.bridge.broker import child as process
from firmware_bridge.bridge.broker.base import (
    BrokerError,
    BrokerRefused,
    BrokerUser,
    Endpoint,
    PortTaken,
    checked_users,
)
from firmware_bridge.bridge.broker.nats_config import NatsFiles, TlsFiles, render
from firmware_bridge.bridge.broker.nats_limits import Keeper, bound_store

RELOAD_S = 15.0
RESTART_S = (0.2, 5.0)
"""Shortest and longest wait before a broker that died is started again."""


class EmbeddedNats:
    """nats-server with its MQTT listener at `host`:`port` (0: a free one), its files below `directory` (mode 0700).

    It is started and, when it dies, started again by one thread of ours that lives as long as the broker should:
    Linux ties it to that thread, so that a killed server leaves no broker behind.
    """

    def __init__(self, directory: Path, site: str, host: str = "127.0.0.1", port: int = 0,
                 tls: TlsFiles | None = None) -> None:
        self._files = NatsFiles(directory.resolve())
        self._site = site
        self._chosen_port = port
        self._tls = tls
        self._endpoint = Endpoint(host, port, tls is not None, tls.ca if tls else None)
        self._users: tuple[BrokerUser, ...] = ()
        self._keeper = Keeper()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._settled = threading.Event()
        self._failed: Exception | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> Endpoint:
        """Where it listens for MQTT."""
        return self._endpoint

    @property
    def pid(self) -> int | None:
        """Process id of the running broker."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def start(self) -> None:
        """Start, and return when it listens. Raises BrokerMissing, PortTaken, BrokerRefused."""
        program = process.find_program()
        self._files.directory.mkdir(parents=True, exist_ok=True)
        self._files.directory.chmod(0o700)
        self._stopping.clear()
        self._settled.clear()
        self._failed = None
        self._thread = threading.Thread(target=self._keep, args=(program,), name="broker-keeper", daemon=True)
        self._thread.start()
        self._settled.wait()
        self._raise_failure()

    def stop(self) -> None:
        """End it; may be called twice."""
        self._stopping.set()
        with self._lock:
            if self._child is not None:
                process.end(self._child)
        if self._thread is not None:
            self._thread.join()

    def set_users(self, users: Iterable[BrokerUser]) -> None:
        """These and no others, in force on return. Raises BrokerRefused, ValueError."""
        listed = checked_users(users)
        with self._lock:
            self._users = listed
            if self._child is None:
                return
            mark = process.log_size(self._files)
            self._write_config()
            if self._child.poll() is None:
                os.kill(self._child.pid, signal.SIGHUP)
                self._await_reload(self._child, mark)

    def show_certificate(self) -> None:
        """Show the certificate that its files hold now to connections that begin after it. Raises BrokerRefused."""
        with self._lock:
            if self._tls is None or self._child is None or self._child.poll() is not None:
                return
            mark = process.log_size(self._files)
            os.kill(self._child.pid, signal.SIGHUP)
            self._await_reload(self._child, mark)

    def healthy(self) -> bool:
        """True while it runs and accepts connections."""
        return self.pid is not None and process.accepts(self._endpoint)

    def _raise_failure(self) -> None:
        if self._failed is not None:
            raise self._failed

    def _keep(self, program: Path) -> None:
        wait_s = RESTART_S[0]
        while not self._stopping.is_set():
            try:
                child = self._launch(program)
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

    def _launch(self, program: Path) -> "subprocess.Popen[bytes]":
        """Start one child. A port of our own choice is chosen again while it gets taken before the first start."""
        with self._lock:
            for attempt in range(5):
                if self._chosen_port == 0 and not self._settled.is_set():
                    host = self._endpoint.host
                    self._endpoint = Endpoint(host, process.free_port(host), self._endpoint.tls, self._endpoint.ca)
                self._write_config()
                mark = process.log_size(self._files)
                try:
                    self._child = process.launch(program, self._files, self._endpoint)
                except PortTaken:
                    if self._chosen_port or self._settled.is_set() or attempt == 4:
                        raise
                else:
                    self._bound(self._child, mark)
                    return self._child
        raise AssertionError("unreachable")

    def _bound(self, child: "subprocess.Popen[bytes]", mark: int) -> None:
        try:
            bound_store(self._keeper, self._endpoint, lambda: process.log_from(self._files, mark))
        except BrokerRefused:
            process.end(child)
            raise

    def _write_config(self) -> None:
        """Replace the configuration in one step; it is never readable by others, nor half written."""
        text = render(self._site, self._users, self._endpoint, self._files, self._tls, self._keeper)
        handle, name = tempfile.mkstemp(dir=self._files.directory, prefix="nats.conf.")
        with os.fdopen(handle, "w", encoding="utf-8") as config:
            config.write(text)
        Path(name).replace(self._files.config)

    def _await_reload(self, child: "subprocess.Popen[bytes]", mark: int) -> None:
        deadline = time.monotonic() + RELOAD_S
        while time.monotonic() < deadline:
            said = process.log_since(self._files, mark)
            if "Reloaded server configuration" in said:
                return
            if "Failed to reload server configuration" in said:
                raise BrokerRefused("the broker refused its new users", said[-2000:])
            if child.poll() is not None:
                return  # the keeper starts it again, with the new configuration
            time.sleep(0.01)
        raise BrokerRefused(f"the broker did not take its new users within {RELOAD_S:.0f} s", "")
