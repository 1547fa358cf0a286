"""An MQTT client on an asyncio loop: it stays joined to one of its brokers over a virtual line."""

import asyncio
import random
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Protocol

from firmware_bridge.contract.nodeconfig import BrokerAddress
from firmware_bridge.fleet import mqtt
from firmware_bridge.fleet.line import Line, Way
from firmware_bridge.fleet.mqtt import BadPacket, Kind, Packet
from firmware_bridge.node.clocks import monotonic
from firmware_bridge.wire import Address, Backoff, Will
from firmware_bridge.wire.connection import KEEPALIVE_S, STEADY_S

LOGIN_S = 20.0
"""How long a broker may take from the TCP connection to the answer to our subscription."""


class Ears(Protocol):
    """Who is told what happens to a client, on the loop."""

    def on_connected(self) -> None:
        """The broker has accepted us and our subscriptions."""

    def on_disconnected(self) -> None:
        """The broker is gone; once for each `on_connected`."""

    def on_message(self, topic: str, payload: bytes, retained: bool, arrived: float) -> None:
        """A message came at monotonic `arrived`."""

    def will(self) -> Will:
        """The last will of the next connection."""


class Client:
    """Joined from `start` to `stop`, with the waits between attempts that the protocol asks for."""

    def __init__(self, addresses: Sequence[BrokerAddress], ears: Ears, line: Line, chance: random.Random,
                 backoff: Backoff = Backoff()) -> None:  # noqa: B008 - frozen
        self._addresses, self._ears, self._line, self._chance, self._backoff = addresses, ears, line, chance, backoff
        self._filters: tuple[str, ...] = ()
        self._session: _Session | None = None
        self._task: asyncio.Task[None] | None = None
        self.sent_bytes = self.received_bytes = 0

    def start(self, after_s: float = 0.0) -> None:
        """Begin to connect, after a while."""
        self._task = asyncio.get_running_loop().create_task(self._run(after_s))

    async def stop(self) -> None:
        """Say goodbye, and end."""
        if self._session is not None:
            self._session.say_goodbye()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def cut(self) -> None:
        """The line breaks: no goodbye."""
        if self._session is not None:
            self._session.abort()

    def publish(self, topic: str, payload: bytes) -> None:
        """Send; lost when there is no connection."""
        if self._session is not None and self._session.joined:
            self._session.send(mqtt.publish(topic, payload))

    def set_subscriptions(self, filters: tuple[str, ...]) -> None:
        """Hold exactly these from now on."""
        before, self._filters = self._filters, filters
        if self._session is not None:
            self._session.change(before, filters)

    async def _run(self, after_s: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(after_s)
        failures = turn = 0
        while True:
            began = loop.time()
            await self._live(self._addresses[turn % len(self._addresses)])
            failures = 1 if loop.time() - began >= STEADY_S else failures + 1
            turn += 1
            await asyncio.sleep(self._backoff.delay_s(failures, len(self._addresses), self._chance.random()))

    async def _live(self, broker: BrokerAddress) -> None:
        """One connection, from the attempt to its end."""
        loop = asyncio.get_running_loop()
        session = _Session(self, loop)
        try:
            async with asyncio.timeout(LOGIN_S):
                await loop.create_connection(lambda: session, broker.host, broker.port, ssl=_tls(broker))
                self._session = session
                session.send(mqtt.connect(_address(broker), self._ears.will(), KEEPALIVE_S))
                session.subscribe(self._filters)
                await session.ready.wait()
            cut_s = self._line.next_cut_s(self._chance.random())
            async with asyncio.timeout(cut_s):
                await session.lost.wait()
        except TimeoutError:
            session.abort()
            if session.joined:
                await asyncio.sleep(self._line.back_s(self._chance.random()))
        except OSError:
            return
        finally:
            self._session = None
            session.abort()

    def take(self, packet: Packet, session: "_Session") -> None:
        """What a session has read."""
        if packet.kind == Kind.PUBLISH:
            message = mqtt.read_published(packet)
            self._ears.on_message(message.topic, message.payload, message.retained, monotonic())
        elif packet.kind == Kind.CONNACK:
            if len(packet.body) < 2 or packet.body[1] != 0:
                session.abort()
        elif packet.kind == Kind.SUBACK and not session.joined:
            session.joined = True
            session.ready.set()
            self._ears.on_connected()

    def note_lost(self, session: "_Session") -> None:
        """A session has ended."""
        if session.joined:
            self._ears.on_disconnected()

    def ways(self) -> tuple[Way, Way] | None:
        """The line of a new connection, there and back; None when it holds nothing up."""
        return None if self._line.is_plain else (Way(self._line), Way(self._line))

    def draws(self) -> tuple[float, float]:
        """The chance of one message."""
        return self._chance.random(), self._chance.random()


class _Session(asyncio.Protocol):
    """One TCP connection."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self.joined = False
        self.ready, self.lost = asyncio.Event(), asyncio.Event()
        self._client, self._loop = client, loop
        self._reader = mqtt.Reader()
        self._ways = client.ways()
        self._transport: asyncio.Transport | None = None
        self._number = 0
        self._heard = loop.time()
        self._ping: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected: small messages go at once."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what asyncio promises for a stream
        self._transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ping = self._loop.call_later(KEEPALIVE_S, self._keep_alive)

    def data_received(self, data: bytes) -> None:
        """Bytes from the broker."""
        self._heard = self._loop.time()
        self._client.received_bytes += len(data)
        try:
            for packet in self._reader.feed(data):
                if self._ways is None:
                    self._client.take(packet, self)
                else:
                    self._later(1, len(packet.body), partial(self._client.take, packet, self))
        except BadPacket:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Over."""
        if self._ping is not None:
            self._ping.cancel()
        self._transport = None
        if not self.lost.is_set():
            self.lost.set()
            self._client.note_lost(self)

    def send(self, raw: bytes) -> None:
        """Over the line to the broker."""
        if self._ways is None:
            self._write(raw)
        else:
            self._later(0, len(raw), lambda: self._write(raw))

    def subscribe(self, filters: tuple[str, ...]) -> None:
        """Join these."""
        self._number = self._number % 65_535 + 1
        self.send(mqtt.subscribe(self._number, filters))

    def change(self, before: tuple[str, ...], after: tuple[str, ...]) -> None:
        """Leave what is not wanted any more, and join what is new."""
        gone = [one for one in before if one not in after]
        new = tuple(one for one in after if one not in before)
        if gone:
            self._number = self._number % 65_535 + 1
            self.send(mqtt.unsubscribe(self._number, gone))
        if new:
            self.subscribe(new)

    def say_goodbye(self) -> None:
        """So that the will is not sent."""
        self._write(mqtt.GOODBYE)
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self, raw: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._client.sent_bytes += len(raw)
            self._transport.write(raw)

    def _later(self, way: int, size: int, act: Callable[[], None]) -> None:
        if self._ways is not None:
            self._loop.call_at(self._ways[way].arrival(self._loop.time(), size, self._client.draws()), act)

    def _keep_alive(self) -> None:
        if self._loop.time() - self._heard > 2 * KEEPALIVE_S:
            self.abort()
            return
        self.send(mqtt.PING)
        self._ping = self._loop.call_later(KEEPALIVE_S, self._keep_alive)


def _address(broker: BrokerAddress) -> Address:
    return Address(broker.host, broker.port, broker.username, broker.password, broker.client_id, broker.tls)


def _tls(broker: BrokerAddress) -> ssl.SSLContext | None:
    return _context(broker.ca) if broker.tls else None


@lru_cache(8)
def _context(ca: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=ca)
