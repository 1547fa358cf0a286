"""A NATS that somebody else runs: we write who may join it, it reads that when it is told to."""

from collections.abc import Iterable
from pathlib import Path

from firmware_bridge.bridge.broker.base import BrokerUser, Endpoint, checked_users
from firmware_bridge.bridge.broker.child import accepts, write_private
from firmware_bridge.bridge.broker.nats_config import render_users


class ExternalNats:
    """The users stand in `file`, which its configuration includes.

    They come into force when NATS reloads: something on its machine has to see the change and send it SIGHUP. Until
    then a removed node stays; everything else about it holds.
    """

    def __init__(self, endpoint: Endpoint, site: str, file: Path) -> None:
        self._endpoint, self._site, self._file = endpoint, site, file

    @property
    def addresses(self) -> tuple[Endpoint, ...]:
        """Where it listens for MQTT."""
        return (self._endpoint,)

    def start(self) -> None:
        """It runs without us."""

    def stop(self) -> None:
        """It runs on."""

    def set_users(self, users: Iterable[BrokerUser]) -> None:
        """Write these and no others; in force with its next reload. Raises OSError, ValueError."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._file, "\n".join(render_users(self._site, checked_users(users))) + "\n")

    def healthy(self) -> bool:
        """True while it accepts connections."""
        return accepts(self._endpoint)

    def show_certificate(self) -> None:
        """Its certificate is not ours to show."""
