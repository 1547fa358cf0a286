"""One paho client from connect to loss, turned by one thread. MQTT 3.1.1, clean session, QoS 0, nothing retained."""

import selectors
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import MQTT_ERR_SUCCESS, Client, MQTTMessage, MQTTv311, error_string
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from firmware_bridge.wire.address import Address, Will
from firmware_bridge.wire.errors import CannotConnect, ConnectionLost, SubscriptionRefused

CONNECT_S = 5.0
"""How long a broker may take to accept TCP and TLS."""
LOGIN_S = 10.0
"""How long it may take from there to the answer to our subscription."""
PUBLISH_QOS_0 = 0x30
"""First byte of such a message; its lowest bit says "retained"."""
BURST = 64
"""Messages read before others (sending, pings) have their turn."""


class _ClosedOnFailure(ssl.SSLSocket):
    """Paho leaves a socket open whose handshake failed."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class Session:
    """A logged-in, subscribed client. `deliver(topic, payload, retained)` is called from `turn`.

    Topics that are not UTF-8 are dropped: no topic of the protocol can be meant.
    """

    def __init__(self, address: Address, will: Will | None, keepalive_s: int, wake: socket.socket,
                 deliver: Callable[[str, bytes, bool], None], refused: Callable[[SubscriptionRefused], None]) -> None:
        self.address = address
        self.subscribed: tuple[str, ...] = ()
        self._deliver, self._refused = deliver, refused
        self._keepalive_s = keepalive_s
        self._received = 0
        self._lost_because = "the broker closed the connection"
        self._login: ReasonCode | None = None
        self._awaited: dict[int, tuple[str, ...]] = {}
        self._client = self._new_client(will)
        self._selector = selectors.DefaultSelector()
        self._wake = wake

    def open(self, filters: tuple[str, ...], stopping: Callable[[], bool]) -> None:
        """Connect, log in and subscribe. Raises CannotConnect."""
        address = self.address
        try:
            self._client.connect(address.host, address.port, self._keepalive_s)
            self._register()
            self._socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            deadline = time.monotonic() + LOGIN_S
            self._until(lambda: self._login is not None, deadline, stopping)
            self.subscribe(filters)
            self._until(lambda: not self._awaited, deadline, stopping)
        except (OSError, ValueError, ConnectionLost) as error:
            self.close()
            refused = self._login is not None and self._login.is_failure
            why = str(self._login if refused else error) or type(error).__name__
            raise CannotConnect(address, why) from error.with_traceback(None)  # its frames hold paho's open socket

    def subscribe(self, filters: tuple[str, ...]) -> None:
        """Hold exactly `filters`: leave the others, join the missing. Raises ConnectionLost."""
        gone = [one for one in self.subscribed if one not in filters]
        new = [one for one in filters if one not in self.subscribed]
        if gone:
            self._check(self._client.unsubscribe(gone)[0])
        if new:
            result, message_id = self._client.subscribe([(one, 0) for one in new])
            self._check(result)
            if message_id is not None:
                self._awaited[message_id] = tuple(new)
        self.subscribed = filters

    def turn(self, wait_s: float) -> None:
        """Wait up to `wait_s` for the socket or the wake-up, then read and write. Raises ConnectionLost."""
        sock = self._socket()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._client.want_write() else 0)
        if self._selector.get_key(sock).events != wanted:
            self._selector.modify(sock, wanted)
        pending = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        ready = {key.fileobj: mask for key, mask in self._selector.select(0 if pending else wait_s)}
        if self._wake in ready:
            self._wake.recv(4096)
        if pending or ready.get(sock, 0) & selectors.EVENT_READ:
            self._read()
        if ready.get(sock, 0) & selectors.EVENT_WRITE:
            self._check(self._client.loop_write())
        self._check(self._client.loop_misc())

    @property
    def writable(self) -> bool:
        """True when all that was published has left for the kernel."""
        return not self._client.want_write()

    def publish(self, topic: str, payload: bytes) -> None:
        """Send as far as the kernel takes it; the rest goes with the next turns. Raises ConnectionLost."""
        self._check(self._client.publish(topic, payload, qos=0, retain=False).rc)

    def torn(self) -> tuple[str, bytes] | None:
        """Topic and payload, as far as it came, of the message that the end of the connection cut off.

        Paho has no word for this; what it holds is read with care and never relied on.
        """
        begun = getattr(self._client, "_in_packet", {})
        body = bytes(begun.get("packet", b""))
        if begun.get("command", 0) & 0xFE != PUBLISH_QOS_0 or len(body) < 2:
            return None
        end = 2 + int.from_bytes(body[:2], "big")
        if len(body) <= end:
            return None
        return body[2:end].decode(errors="replace"), body[end:]

    def close(self) -> None:
        """Say goodbye where possible, so that the will is not sent, and let go of the socket."""
        self._client.disconnect()
        self._selector.close()
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _new_client(self, will: Will | None) -> Client:
        address = self.address
        client = Client(CallbackAPIVersion.VERSION2, client_id=address.client_id, clean_session=True,
                        protocol=MQTTv311, reconnect_on_failure=False)
        client.connect_timeout = CONNECT_S
        client.username_pw_set(address.username, address.password)
        if address.tls:
            context = ssl.create_default_context(cafile=address.ca)
            context.check_hostname = not address.any_name
            context.sslsocket_class = _ClosedOnFailure
            client.tls_set_context(context)
        if will is not None:
            client.will_set(will.topic, will.payload, qos=0, retain=False)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _register(self) -> None:
        self._selector.register(self._socket(), selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)

    def _socket(self) -> Any:
        sock = self._client.socket()
        if sock is None:
            raise ConnectionLost(self._lost_because)
        return sock

    def _read(self) -> None:
        for _ in range(BURST):
            before = self._received
            self._check(self._client.loop_read())
            if self._received == before or self._client.socket() is None:
                return

    def _until(self, reached: Callable[[], bool], deadline: float, stopping: Callable[[], bool]) -> None:
        while not reached():
            if stopping():
                raise ConnectionLost("stopped")
            if time.monotonic() > deadline:
                raise ConnectionLost("no answer to the login")
            self.turn(0.2)

    def _check(self, result: int) -> None:
        if result != MQTT_ERR_SUCCESS:
            raise ConnectionLost(error_string(result) if self._client.socket() else self._lost_because)

    def _on_connect(self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self._login = reason

    def _on_subscribe(self, _client: Client, _data: Any, message_id: int, reasons: list[ReasonCode],
                      _properties: Any) -> None:
        filters = self._awaited.pop(message_id, ())
        refused = tuple(one for one, reason in zip(filters, reasons, strict=False) if reason.is_failure)
        if refused:
            self._refused(SubscriptionRefused(refused))

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._received += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        self._deliver(topic, bytes(message.payload), message.retain)

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if str(reason) != "Unspecified error":  # paho's word for a closed socket
            self._lost_because = str(reason)
