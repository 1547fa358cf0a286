"""The broker that the server runs by default: nats-server as a child process, kept running."""

import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from firmware_bridge.bridge.broker import child as process
from firmware_bridge.bridge.broker.base import BrokerRefused, BrokerUser, Endpoint, TlsFiles, checked_users
from firmware_bridge.bridge.broker.keeping import ChildKeeper, at_a_free_port
from firmware_bridge.bridge.broker.nats_config import NatsFiles, render
from firmware_bridge.bridge.broker.nats_limits import Keeper, bound_store

RELOAD_S = 15.0


class EmbeddedNats:
    """nats-server with its MQTT listener at `host`:`port` (0: a free one), its files below `directory` (mode 0700).

    When it dies, it is started again.
    """

    def __init__(self, directory: Path, site: str, host: str = "127.0.0.1", port: int = 0,
                 tls: TlsFiles | None = None) -> None:
        self._files = NatsFiles(directory.resolve())
        self._site = site
        self._chosen_port = port
        self._tls = tls
        self._endpoint = Endpoint(host, port, tls is not None, tls.ca if tls else None)
        self._users: tuple[BrokerUser, ...] = ()
        self._login = Keeper()
        self._keeper = ChildKeeper(self._launch)

    @property
    def address(self) -> Endpoint:
        """Where it listens for MQTT."""
        return self._endpoint

    @property
    def addresses(self) -> tuple[Endpoint, ...]:
        """The one address."""
        return (self.address,)

    @property
    def pid(self) -> int | None:
        """Process id of the running broker."""
        return self._keeper.pid

    def start(self) -> None:
        """Start, and return when it listens. Raises BrokerMissing, PortTaken, BrokerRefused."""
        process.find_program("nats-server")
        self._files.directory.mkdir(parents=True, exist_ok=True)
        self._files.directory.chmod(0o700)
        self._keeper.start()

    def stop(self) -> None:
        """End it; may be called twice."""
        self._keeper.stop()

    def set_users(self, users: Iterable[BrokerUser]) -> None:
        """These and no others, in force on return. Raises BrokerRefused, ValueError."""
        listed = checked_users(users)
        with self._keeper.lock:
            self._users = listed
            if self._keeper.child is None:
                return
            mark = process.log_size(self._files)
            self._write_config()
            if self._keeper.child.poll() is None:
                process.hang_up(self._keeper.child.pid)
                self._await_reload(self._keeper.child, mark)

    def show_certificate(self) -> None:
        """Show the certificate that its files hold now to connections that begin after it. Raises BrokerRefused."""
        with self._keeper.lock:
            if self._tls is None or self._keeper.child is None or self._keeper.child.poll() is not None:
                return
            mark = process.log_size(self._files)
            process.hang_up(self._keeper.child.pid)
            self._await_reload(self._keeper.child, mark)

    def healthy(self) -> bool:
        """True while it runs and accepts connections."""
        return self.pid is not None and process.accepts(self._endpoint)

    def _launch(self) -> "subprocess.Popen[bytes]":
        """Start one child. A port of our own choice is kept once others know it."""
        return at_a_free_port(self._endpoint, bool(self._chosen_port) or self._keeper.settled, self._launch_at)

    def _launch_at(self, endpoint: Endpoint) -> "subprocess.Popen[bytes]":
        self._endpoint = endpoint
        self._write_config()
        mark = process.log_size(self._files)
        child = process.launch(process.find_program("nats-server"), self._files, endpoint)
        self._bound(child, mark)
        return child

    def _bound(self, child: "subprocess.Popen[bytes]", mark: int) -> None:
        try:
            bound_store(self._login, self._endpoint, lambda: process.log_from(self._files, mark))
        except BrokerRefused:
            process.end(child)
            raise

    def _write_config(self) -> None:
        process.write_private(self._files.config, render(
            self._site, self._users, self._endpoint, self._files, self._tls, self._login))

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
