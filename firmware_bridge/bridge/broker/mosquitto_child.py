"""Mosquitto as our child: the same broker, with a file of users that we write before each start."""

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from firmware_bridge.bridge.broker import child as process
from firmware_bridge.bridge.broker import dynsec
from firmware_bridge.bridge.broker.base import BrokerError, BrokerUser, Endpoint, TlsFiles, checked_users, new_secret
from firmware_bridge.bridge.broker.dynsec import Admin
from firmware_bridge.bridge.broker.keeping import ChildKeeper, at_a_free_port
from firmware_bridge.bridge.broker.mosquitto import Mosquitto

PLUGIN = "mosquitto_dynamic_security.so"
MAX_PACKET = 5 * 1024 * 1024


@dataclass(frozen=True)
class MosquittoFiles:
    """Where a Mosquitto that we run keeps its things, all below one directory."""

    directory: Path

    @property
    def config(self) -> Path:
        """Written by us."""
        return self.directory / "mosquitto.conf"

    @property
    def users(self) -> Path:
        """Mode 0600: it holds client ids and hashed passwords."""
        return self.directory / "dynamic-security.json"

    @property
    def log(self) -> Path:
        """Mode 0600: it names client ids."""
        return self.directory / "mosquitto.log"

    @property
    def pid(self) -> Path:
        """Process id of the running broker."""
        return self.directory / "mosquitto.pid"

    @property
    def store(self) -> Path:
        """Nothing is kept."""
        return self.directory / "mosquitto-store"


class MosquittoProcess:
    """Mosquitto at `host`:`port` (0: a free one), its files below `directory` (mode 0700); restarted when it dies.

    Each start finds `users` and the admin, and nothing else.
    """

    def __init__(self, directory: Path, site: str, admin: Admin, host: str = "127.0.0.1", port: int = 0,
                 tls: TlsFiles | None = None) -> None:
        self.users: tuple[BrokerUser, ...] = ()
        self._files = MosquittoFiles(directory.resolve())
        self._site, self._admin, self._tls = site, admin, tls
        self._endpoint = Endpoint(host, port, tls is not None, tls.ca if tls else None)
        self._chosen = port != 0
        self._keeper = ChildKeeper(self._launch)

    @property
    def address(self) -> Endpoint:
        """Where it listens for MQTT."""
        return self._endpoint

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._keeper.pid

    def start(self) -> None:
        """Start, and return when it listens. Raises BrokerMissing, PortTaken, BrokerRefused."""
        self._files.directory.mkdir(parents=True, exist_ok=True)
        self._files.directory.chmod(0o700)
        self._keeper.start()

    def stop(self) -> None:
        """End it; may be called twice."""
        self._keeper.stop()

    def _launch(self) -> "subprocess.Popen[bytes]":
        return at_a_free_port(self._endpoint, self._chosen or self._keeper.settled, self._launch_at)

    def _launch_at(self, endpoint: Endpoint) -> "subprocess.Popen[bytes]":
        self._endpoint = endpoint
        process.write_private(self._files.users, dynsec.file(self.users, self._admin, self._site))
        process.write_private(self._files.config, self._config(endpoint))
        return process.launch(process.find_program("mosquitto"), self._files, endpoint)

    def _config(self, endpoint: Endpoint) -> str:
        secure = (f"certfile {self._tls.certificate}", f"keyfile {self._tls.key}") if self._tls else ()
        return "\n".join((
            *(("user root",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()),
            f"listener {endpoint.port} {endpoint.host}", *secure,
            "allow_anonymous false",
            f"plugin {find_plugin()}", f"plugin_opt_config_file {self._files.users}",
            "retain_available false", "persistence false", "set_tcp_nodelay true",
            f"max_packet_size {MAX_PACKET}", "max_queued_messages 10000", "persistent_client_expiration 1h",
            f"pid_file {self._files.pid}", "log_dest stderr", ""))


class EmbeddedMosquitto:
    """Mosquitto as our child, with its users changed over its control topic. Parameters as `MosquittoProcess`."""

    def __init__(self, directory: Path, site: str, host: str = "127.0.0.1", port: int = 0,
                 tls: TlsFiles | None = None) -> None:
        self._site = site
        self._admin = Admin("_admin", new_secret())
        self._process = MosquittoProcess(directory, site, self._admin, host, port, tls)
        self._control: Mosquitto | None = None

    @property
    def address(self) -> Endpoint:
        """Where it listens for MQTT."""
        return self._process.address

    @property
    def addresses(self) -> tuple[Endpoint, ...]:
        """The one address."""
        return (self.address,)

    @property
    def pid(self) -> int | None:
        """Process id of the running broker."""
        return self._process.pid

    def start(self) -> None:
        """Start, and return when its users are in force. Raises BrokerMissing, PortTaken, BrokerRefused."""
        self._process.start()
        self._control = Mosquitto(self.address, self._site, self._admin)
        self._control.set_users(self._process.users)
        self._control.start()

    def stop(self) -> None:
        """End it; may be called twice."""
        control, self._control = self._control, None
        if control is not None:
            control.stop()
        self._process.stop()

    def set_users(self, users: Iterable[BrokerUser]) -> None:
        """These and no others, in force on return, or with the restart of one that died. Raises BrokerRefused."""
        self._process.users = checked_users(users)
        if self._control is not None:
            self._control.set_users(self._process.users)

    def healthy(self) -> bool:
        """True while it runs and accepts connections."""
        return self._control is not None and self._control.healthy()

    def show_certificate(self) -> None:
        """Mosquitto reads its certificate anew when it is hung up on."""
        if self.pid is not None:
            process.hang_up(self.pid)


def find_plugin() -> Path:
    """The dynamic security plugin, where distributions put it. Raises BrokerError."""
    for folder in (Path("/usr/lib"), Path("/usr/local/lib"), Path("/opt/homebrew/lib")):
        for found in (*folder.glob(PLUGIN), *folder.glob(f"*/{PLUGIN}")):
            return found
    raise BrokerError(f"{PLUGIN} was not found: it comes with Mosquitto 2 (apt-get install mosquitto)")
