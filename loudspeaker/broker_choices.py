"""Which brokers an installation uses, as its settings name them."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit


class BrokerKind(StrEnum):
    """Who runs a broker, and how its users are changed."""

    EMBEDDED = "embedded"
    """NATS, our child."""
    MOSQUITTO = "mosquitto"
    """Somebody else's Mosquitto 2 with dynamic security: over its control topic."""
    NATS = "nats"
    """Somebody else's NATS: a file that we write and it includes."""


@dataclass(frozen=True)
class BrokerChoice:
    """One of the brokers. A port of 0 is chosen free; the host of an embedded one is the settings'."""

    kind: BrokerKind
    host: str = ""
    port: int = 0
    tls: bool = False


def read_choices(text: str, embedded_port: int) -> tuple[BrokerChoice, ...]:
    """`embedded`, `embedded:PORT`, `mosquitto://HOST:PORT`, `nats://HOST:PORT` (with TLS `mosquittos`, `natss`),
    separated by commas. Raises ValueError on anything else, and where two are the same.
    """
    listed = tuple(_read(one.strip(), embedded_port) for one in text.split(","))
    fixed = [one for one in listed if one.port]
    if len(set(fixed)) != len(fixed):
        raise ValueError("two brokers have one address")
    return listed


def _read(text: str, embedded_port: int) -> BrokerChoice:
    if text == BrokerKind.EMBEDDED:
        return BrokerChoice(BrokerKind.EMBEDDED, port=embedded_port)
    mistake = ValueError(f"{text!r} names no broker: write embedded, embedded:PORT, mosquitto://HOST:PORT, "
                         "mosquittos://HOST:PORT, nats://HOST:PORT or natss://HOST:PORT")
    try:
        if text.startswith("embedded:"):
            return BrokerChoice(BrokerKind.EMBEDDED, port=_port(text.removeprefix("embedded:")))
        url = urlsplit(text)
        kind, port = BrokerKind(url.scheme.removesuffix("s") if url.scheme != "nats" else "nats"), url.port
    except ValueError as error:
        raise mistake from error
    if kind is BrokerKind.EMBEDDED or not url.hostname or not port or url.path or url.query or url.username:
        raise mistake
    return BrokerChoice(kind, url.hostname, port, url.scheme in ("mosquittos", "natss"))


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port <= 65535:
        raise ValueError("a port is 1 to 65535")
    return port
