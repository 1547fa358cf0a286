"""MQTT 3.1.1 written by hand, for what a well-behaved client does not do: any bytes as topic, wills, QoS, retained."""

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from firmware_bridge.bridge.broker import BrokerUser, Endpoint
from firmware_bridge.bridge.broker.base import LOOPBACK

ANSWER_S = 10.0


@dataclass(frozen=True)
class RawWill:
    """Published by the broker when the connection ends without a goodbye."""

    topic: bytes
    payload: bytes
    retained: bool = False


class RawClient:
    """One TCP connection to a broker, logged in (or refused: see `accepted`)."""

    def __init__(self, endpoint: Endpoint, user: BrokerUser, *, client_id: str | None = None,
                 password: str | None = None, will: RawWill | None = None, clean: bool = True) -> None:
        flags = 0xC0 | (2 if clean else 0)
        body = _text((client_id or user.client_id).encode())
        if will is not None:
            flags |= 4 | (0x20 if will.retained else 0)
            body += _text(will.topic) + _text(will.payload)
        body += _text(user.username.encode()) + _text((password or user.password).encode())
        self._rest = b""
        self.closed = False
        host = LOOPBACK.get(endpoint.host, endpoint.host)
        self.socket = socket.create_connection((host, endpoint.port), ANSWER_S)
        self._send(_packet(0x10, _text(b"MQTT") + bytes([4, flags, 0, 60]) + body))
        answer = self._next(0x20, ANSWER_S)
        self.accepted = answer is not None and answer[1:2] == b"\0"

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.vanish()

    def subscribe(self, topic_filter: bytes, qos: int = 0) -> bool:
        """True when the broker granted it."""
        self._send(_packet(0x82, b"\0\1" + _text(topic_filter) + bytes([qos])))
        answer = self._next(0x90, ANSWER_S)
        return answer is not None and answer[2:3] != b"\x80"

    def publish(self, topic: bytes, payload: bytes, retained: bool = False, qos: int = 0) -> None:
        """Send, whatever the broker makes of it."""
        self._send(_packet(0x30 | qos << 1 | retained, _text(topic) + (b"\0\1" if qos else b"") + payload))

    def settle(self) -> bool:
        """True when the broker has read all that was sent: it answers a ping. False when it closed the connection."""
        self._send(b"\xc0\0")
        return self._next(0xD0, ANSWER_S) is not None

    def heard(self, seconds: float) -> list[tuple[bytes, bytes]]:
        """Topic and payload of what comes within `seconds`."""
        found = []
        deadline = time.monotonic() + seconds
        while (body := self._next(0x30, deadline - time.monotonic())) is not None:
            end = 2 + int.from_bytes(body[:2], "big")
            found.append((body[2:end], body[end:]))
        return found

    def vanish(self) -> None:
        """Go without a goodbye, so that the will is spoken."""
        self.socket.close()

    def leave(self) -> None:
        """Say goodbye."""
        self._send(b"\xe0\0")
        self.socket.close()

    def _send(self, raw: bytes) -> None:
        with contextlib.suppress(OSError):
            self.socket.sendall(raw)

    def _next(self, kind: int, seconds: float) -> bytes | None:
        """The body of the next packet of a kind; others are passed over. None when none comes."""
        deadline = time.monotonic() + seconds
        while True:
            for first, body in self._packets():
                if first & 0xF0 == kind & 0xF0:
                    return body
            left = deadline - time.monotonic()
            if self.closed or left <= 0:
                return None
            self._read(left)

    def _read(self, seconds: float) -> None:
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            return
        except OSError:
            data = b""
        self.closed = not data
        self._rest += data

    def _packets(self) -> Iterator[tuple[int, bytes]]:
        while len(self._rest) >= 2:
            length, at = 0, 1
            while at < len(self._rest):
                length |= (self._rest[at] & 127) << 7 * (at - 1)
                at += 1
                if not self._rest[at - 1] & 128:
                    break
            if len(self._rest) < at + length or self._rest[at - 1] & 128:
                return
            first, body = self._rest[0], self._rest[at:at + length]
            self._rest = self._rest[at + length:]
            yield first, body


def _text(raw: bytes) -> bytes:
    return len(raw).to_bytes(2, "big") + raw


def _packet(first: int, body: bytes) -> bytes:
    length, head = len(body), bytearray((first,))
    while True:
        length, digit = length >> 7, length & 127
        head.append(digit | (128 if length else 0))
        if not length:
            return bytes(head) + body
