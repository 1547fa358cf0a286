"""MQTT 3.1.1 as bytes: what a client needs that subscribes and publishes at QoS 0 in a clean session."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from firmware_bridge.wire import Address, Will

LARGEST = 268_435_455
"""Bytes after the fixed header, at most (MQTT 3.1.1, 2.2.3)."""


class Kind(IntEnum):
    """Control packets, by the upper half of their first byte."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


class BadPacket(ValueError):
    """The bytes are not MQTT."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: its kind, the lower half of its first byte, and what follows the fixed header."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Published:
    """A message that the broker delivers."""

    topic: str
    payload: bytes
    retained: bool


class Reader:
    """Bytes as they come, cut into packets."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The packets that `data` completes. Raises BadPacket."""
        rest = self._rest
        rest += data
        at = 0
        while (found := _header(rest, at)) is not None:
            first, begin, end = found
            if end > len(rest):
                break
            yield Packet(first >> 4, first & 0x0F, bytes(rest[begin:end]))
            at = end
        del rest[:at]


def _header(data: bytearray, at: int) -> tuple[int, int, int] | None:
    """First byte, and where the body begins and ends; None while the header is not whole."""
    length = shift = 0
    for place in range(at + 1, min(len(data), at + 5)):
        length |= (data[place] & 0x7F) << shift
        if not data[place] & 0x80:
            return data[at], place + 1, place + 1 + length
        shift += 7
    if len(data) >= at + 5:
        raise BadPacket("a length of more than four bytes")
    return None


def read_published(packet: Packet) -> Published:
    """The message in a PUBLISH. Raises BadPacket."""
    body = packet.body
    end = 2 + int.from_bytes(body[:2], "big")
    if len(body) < end:
        raise BadPacket("the topic is longer than its packet")
    begin = end + 2 if packet.flags & 0x06 else end
    try:
        return Published(body[2:end].decode(), body[begin:], bool(packet.flags & 1))
    except UnicodeDecodeError as error:
        raise BadPacket("the topic is not UTF-8") from error


def connect(address: Address, will: Will | None, keepalive_s: int) -> bytes:
    """Log in with a clean session."""
    flags = 0x02 | 0x40 | 0x80 | (0x04 if will else 0)
    parts = [_text(address.client_id)]
    if will is not None:
        parts += [_text(will.topic), _bytes(will.payload)]
    parts += [_text(address.username), _text(address.password)]
    head = _text("MQTT") + bytes((4, flags)) + keepalive_s.to_bytes(2, "big")
    return _packet(Kind.CONNECT, 0, head + b"".join(parts))


def subscribe(number: int, filters: Sequence[str]) -> bytes:
    """Join `filters`. `number` (1 to 65,535) comes back in the answer."""
    return _packet(Kind.SUBSCRIBE, 2, number.to_bytes(2, "big") + b"".join(_text(one) + b"\0" for one in filters))


def unsubscribe(number: int, filters: Iterable[str]) -> bytes:
    """Leave `filters`."""
    return _packet(Kind.UNSUBSCRIBE, 2, number.to_bytes(2, "big") + b"".join(_text(one) for one in filters))


def publish(topic: str, payload: bytes) -> bytes:
    """A message, not retained."""
    return _packet(Kind.PUBLISH, 0, _text(topic) + payload)


PING = bytes((Kind.PINGREQ << 4, 0))
GOODBYE = bytes((Kind.DISCONNECT << 4, 0))


def _packet(kind: Kind, flags: int, body: bytes) -> bytes:
    length, head = len(body), bytearray((kind << 4 | flags,))
    if length > LARGEST:
        raise BadPacket(f"{length} bytes are too many")
    while True:
        length, digit = length >> 7, length & 0x7F
        head.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(head) + body


def _text(text: str) -> bytes:
    return _bytes(text.encode())


def _bytes(raw: bytes) -> bytes:
    return len(raw).to_bytes(2, "big") + raw
