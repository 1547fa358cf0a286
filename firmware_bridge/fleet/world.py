"""A virtual clock with what happens on it, and a broker that only forwards. Days pass in seconds.

Nothing here sleeps, opens a socket or starts a thread. What happens is an event at an instant; events at the same
instant happen in the order in which they were planned.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Protocol

from firmware_bridge.wire import NotConnected

Act = Callable[[], None]


class Listener(Protocol):
    """A pole's end of its line."""

    @property
    def topics(self) -> tuple[str, ...]:
        """What it subscribed to."""

    def lose(self) -> None:
        """The connection has ended."""

    def send_down(self, topic: str, payload: bytes) -> None:
        """A message from the broker."""


class World:
    """Time, and what happens in it. `now` is the true time; `seconds` counts from the beginning."""

    def __init__(self, begins: datetime, seed: int = 0) -> None:
        self.seconds = 0.0
        self.chance = random.Random(seed)  # noqa: S311 - virtual weather
        self._begins = begins
        self._events: list[tuple[float, int, Act]] = []
        self._numbers = count()

    @property
    def now(self) -> datetime:
        """The true time."""
        return self._begins + timedelta(seconds=self.seconds)

    def after(self, seconds: float, act: Act) -> None:
        """Plan an event."""
        heapq.heappush(self._events, (self.seconds + max(0.0, seconds), next(self._numbers), act))

    def run_for(self, seconds: float) -> None:
        """Let time pass, with all that happens in it."""
        until = self.seconds + seconds
        while self._events and self._events[0][0] <= until:
            self.seconds, _, act = heapq.heappop(self._events)
            act()
        self.seconds = until

    def run_until(self, instant: datetime) -> None:
        """Let time pass up to `instant`."""
        self.run_for((instant - self.now).total_seconds())


@dataclass
class Broker:
    """Forwards to whom listens, while it is `up`. It keeps nothing."""

    world: World
    up: bool = True
    messages: int = 0
    members: dict[str, Listener] = field(default_factory=dict)
    server: "ServerLink | None" = None
    on_back: Act = lambda: None

    def down(self) -> None:
        """Gone, for all at once."""
        self.up = False
        if self.server is not None:
            self.server.lose()
        for one in list(self.members.values()):
            one.lose()

    def back(self) -> None:
        """There again; poles find it by themselves, the server at once."""
        self.up = True
        if self.server is not None:
            self.server.join()
        self.on_back()

    def to_server(self, topic: str, payload: bytes) -> None:
        """A message of a pole."""
        self.messages += 1
        if self.up and self.server is not None:
            self.server.hear(topic, payload)

    def to_poles(self, topic: str, payload: bytes) -> None:
        """A message of the server, to everybody who subscribed to it."""
        self.messages += 1
        parts = topic.split("/")
        if parts[3] == "nodes":
            member = self.members.get(parts[4])
            if member is not None:
                member.send_down(topic, payload)
            return
        for one in list(self.members.values()):
            if topic in one.topics:
                one.send_down(topic, payload)


class ServerLink:
    """The bridge's end: looks like `wire.Connection`."""

    def __init__(self, broker: Broker, on_message: Callable[[str, bytes, bool], None], on_connected: Act,
                 on_disconnected: Callable[[str], None]) -> None:
        self.connected = False
        self._broker, self._on_message = broker, on_message
        self._on_connected, self._on_disconnected = on_connected, on_disconnected

    def start(self) -> None:
        """Join when there is a broker."""
        self._broker.server = self
        if self._broker.up:
            self.join()

    def stop(self) -> None:
        """Leave."""
        self.lose()
        self._broker.server = None

    def join(self) -> None:
        """The broker is there."""
        self.connected = True
        self._on_connected()

    def lose(self) -> None:
        """The broker, or this server, is gone."""
        if self.connected:
            self.connected = False
            self._on_disconnected("gone")

    def hear(self, topic: str, payload: bytes) -> None:
        """A message of a pole."""
        if self.connected:
            self._on_message(topic, payload, False)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send. Raises NotConnected."""
        if not self.connected:
            raise NotConnected(topic)
        self._broker.to_poles(topic, payload)
