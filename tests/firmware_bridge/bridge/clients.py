"""Clients for tests: one that remembers what it saw, a bare MQTT one that breaks the rules, and a link to cut."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence

from firmware_bridge.bridge.broker import BrokerUser, Endpoint, MemoryBroker, new_secret
from firmware_bridge.bridge.broker.memory import MemoryConnection
from firmware_bridge.contract import topics
from firmware_bridge.wire import Address, Backoff, Connection, Will

SITE = "demo"


def node_user(node: str, groups: tuple[str, ...] = ()) -> BrokerUser:
    return BrokerUser(node, new_secret(), new_secret(), topics.node_rights(SITE, node, groups))


def wait_until(reached: Callable[[], bool], seconds: float = 15.0) -> bool:
    """True as soon as `reached()`; False when it did not become so within `seconds`."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


class Client:
    """A connection that remembers."""

    def __init__(self, address: Address, filters: Sequence[str] = (), broker: MemoryBroker | None = None,
                 will: Will | None = None) -> None:
        self.got: list[tuple[str, bytes, bool]] = []
        self.lost: list[str] = []
        self.errors: list[Exception] = []
        self.times_connected = 0
        self.link: Connection | MemoryConnection
        if broker is not None:
            self.link = broker.connection(address, filters, self._message, self._connected, self.lost.append, will,
                                          on_error=self.errors.append)
        else:
            self.link = Connection(address, filters, self._message, self._connected, self.lost.append, will,
                                   on_error=self.errors.append, backoff=Backoff(0.05, 0.2))

    def __enter__(self) -> "Client":
        self.link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.link.stop()

    @property
    def connected(self) -> bool:
        return self.link.connected

    def publish(self, topic: str, payload: bytes) -> None:
        self.link.publish(topic, payload)

    def payloads(self) -> list[bytes]:
        return [payload for _, payload, _ in self.got]

    def _message(self, topic: str, payload: bytes, retained: bool) -> None:
        self.got.append((topic, payload, retained))

    def _connected(self) -> None:
        self.times_connected += 1


class BareClient:
    """MQTT written by hand, for what a well-behaved library does not do: retained, QoS 1, sessions kept."""

    def __init__(self, endpoint: Endpoint, user: BrokerUser, client_id: str | None = None, clean: bool = True,
                 will: Will | None = None, will_retained: bool = False) -> None:
        self.socket = socket.create_connection((endpoint.host, endpoint.port), 5)
        flags = 0xC0 | (2 if clean else 0)
        body = _text(client_id or user.client_id)
        if will is not None:
            flags |= 4 | (0x20 if will_retained else 0)
            body += _text(will.topic) + struct.pack("!H", len(will.payload)) + will.payload
        body += _text(user.username) + _text(user.password)
        self.socket.sendall(_packet(0x10, _text("MQTT") + bytes([4, flags]) + struct.pack("!H", 60) + body))
        self.accepted = self._read(4)[3:] == b"\0"

    def __enter__(self) -> "BareClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.vanish()

    def subscribe(self, *filters: str, qos: int = 0) -> list[int]:
        """The broker's answer for each filter: 0x80 is a refusal."""
        self.socket.sendall(_packet(0x82, b"\0\1" + b"".join(_text(one) + bytes([qos]) for one in filters)))
        while True:
            head = self._read(2)
            rest = self._read(head[1])
            if not head or head[0] == 0x90:
                return list(rest[2:])

    def publish(self, topic: str, payload: bytes, retained: bool = False, qos: int = 0) -> None:
        message_id = b"\0\1" if qos else b""
        kind = 0x30 | (qos << 1) | (1 if retained else 0)
        self.socket.sendall(_packet(kind, _text(topic) + message_id + payload))

    def is_closed(self) -> bool:
        """True when the broker has closed the connection; waits up to 2 s for it."""
        self.socket.settimeout(2)
        try:
            while self.socket.recv(4096):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    def received(self, seconds: float = 0.3) -> bytes:
        """Whatever comes in within `seconds`."""
        self.socket.settimeout(seconds)
        got = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while data := self.socket.recv(65536):
                got += data
        return got

    def vanish(self) -> None:
        """Go without a goodbye."""
        self.socket.close()

    def _read(self, count: int) -> bytes:
        got = b""
        with contextlib.suppress(ConnectionError):
            while len(got) < count and (data := self.socket.recv(count - len(got))):
                got += data
        return got


class CutLink:
    """A TCP link to `endpoint` through us, which can be cut, or stalled as a half-open one is."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._target = endpoint
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.stalled = threading.Event()
        self._pairs: list[socket.socket] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self.port)

    def cut(self) -> None:
        pairs, self._pairs = self._pairs, []
        for one in pairs:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(5)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((self._target.host, self._target.port))
                self._pairs += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.stalled.is_set():
                    sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("!H", len(raw)) + raw


def _packet(kind: int, body: bytes) -> bytes:
    length, left = b"", len(body)
    while True:
        left, digit = divmod(left, 128)
        length += bytes([digit | (128 if left else 0)])
        if not left:
            return bytes([kind]) + length + body
