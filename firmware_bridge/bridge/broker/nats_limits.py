"""Bounds for what NATS keeps for its MQTT, so that no user can fill the store and lock the others out.

NATS makes its streams at the first MQTT login and lets everybody's retained messages and kept sessions grow without
end; when the store is full it refuses logins. So we log in once, and bound the streams over NATS's own protocol.
"""

import contextlib
import json
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from firmware_bridge.bridge.broker.base import LOOPBACK, BrokerRefused, Endpoint, new_secret

NOTHING = {"max_msg_size": 1}
LIMITS: dict[str, dict[str, Any]] = {
    "$MQTT_sess": {"max_bytes": 64 * 1024 * 1024, "discard": "old"},
    "$MQTT_rmsgs": NOTHING,
    "$MQTT_msgs": NOTHING,
    "$MQTT_out": NOTHING,
    "$MQTT_qos2in": NOTHING,
}
"""700 bytes for each client, the oldest giving way; of messages, nothing is kept at all."""
ANSWER_S = 10.0


@dataclass(frozen=True)
class Keeper:
    """The one login that may speak NATS's own protocol, to nothing but its streams. New at each start."""

    username: str = "_keeper"
    password: str = field(default_factory=new_secret, repr=False)

    def rendered(self) -> str:
        """The user in NATS's configuration."""
        return (f'{{user: "{self.username}", password: "{self.password}", '
                'allowed_connection_types: ["MQTT", "STANDARD"], '
                'permissions: {publish: ["$JS.API.STREAM.>"], subscribe: ["_INBOX.>"]}}')


def bound_store(keeper: Keeper, mqtt: Endpoint, log: Callable[[], str]) -> None:
    """Make NATS create its streams, and bound each. `log` gives what it said since its start. Raises BrokerRefused."""
    port = _own_port(log)
    try:
        _log_in(keeper, mqtt)
        with socket.create_connection(("127.0.0.1", port), ANSWER_S) as link:
            session = _Session(link, keeper)
            for stream, limits in LIMITS.items():
                config = session.ask(f"$JS.API.STREAM.INFO.{stream}", {})["config"]
                session.ask(f"$JS.API.STREAM.UPDATE.{stream}", config | limits)
    except (OSError, ValueError, KeyError) as error:
        raise BrokerRefused(f"the broker's store could not be bounded: {error}", "") from error


def _own_port(log: Callable[[], str]) -> int:
    """Where NATS listens for its own protocol; it says so shortly after it listens for MQTT."""
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        found = re.findall(r"Listening for client connections on 127\.0\.0\.1:(\d+)\n", log())
        if found:
            return int(found[-1])
        time.sleep(0.01)
    raise BrokerRefused("the broker does not say where it listens for its own protocol", log()[-2000:])


def _log_in(keeper: Keeper, mqtt: Endpoint) -> None:
    """One MQTT login and goodbye, written by hand: 40 bytes."""
    texts = b"".join(len(text).to_bytes(2, "big") + text.encode()
                     for text in (new_secret(), keeper.username, keeper.password))
    body = b"\x00\x04MQTT\x04\xc2\x00\x0a" + texts
    plain = socket.create_connection((LOOPBACK.get(mqtt.host, mqtt.host), mqtt.port), ANSWER_S)
    with plain, _secured(plain) if mqtt.tls else contextlib.nullcontext(plain) as link:
        link.sendall(bytes([0x10, len(body)]) + body)
        if link.recv(4) != b"\x20\x02\x00\x00":
            raise ValueError("its own user was refused")
        link.sendall(b"\xe0\x00")


def _secured(plain: socket.socket) -> ssl.SSLSocket:
    """TLS to our own child: its certificate is for others to check."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain)


class _Session:
    """NATS's text protocol, as much of it as asking a question needs."""

    def __init__(self, link: socket.socket, keeper: Keeper) -> None:
        self._link = link
        self._lines = link.makefile("rb")
        self._lines.readline()
        login = {"user": keeper.username, "pass": keeper.password, "verbose": False, "lang": "python", "version": "1"}
        link.sendall(b"CONNECT %s\r\nSUB _INBOX.answer 1\r\n" % json.dumps(login).encode())

    def ask(self, subject: str, question: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request. Raises ValueError when it is an error."""
        body = json.dumps(question).encode() if question else b""
        self._link.sendall(b"PUB %s _INBOX.answer %d\r\n%s\r\n" % (subject.encode(), len(body), body))
        while line := self._lines.readline():
            if line.startswith(b"PING"):
                self._link.sendall(b"PONG\r\n")
            elif line.startswith(b"-ERR"):
                raise ValueError(line.decode().strip())
            elif line.startswith(b"MSG"):
                answer: dict[str, Any] = json.loads(self._lines.read(int(line.split()[-1]) + 2))
                if "error" in answer:
                    raise ValueError(f"{subject}: {answer['error']}")
                return answer
        raise ValueError(f"{subject}: no answer")
