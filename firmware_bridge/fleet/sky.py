"""Poles under a virtual sky: each with its crystal, its line and its power; the same agent as everywhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.fleet.line import Line, Way
from firmware_bridge.fleet.pole import Pole
from firmware_bridge.fleet.world import Act, Broker, ServerLink, World
from firmware_bridge.node.config import pinned_trust
from firmware_bridge.node.effects import Want
from firmware_bridge.node.inputs import Connected, Disconnected, Message, OnDisk
from firmware_bridge.node.timekeeping import Moment
from firmware_bridge.wire import Address, Backoff

LONGEST_NAP_S = 3600.0
ROUNDING_S = 1e-4
"""Instants are kept to the microsecond: to wake a moment early would be to wake twice."""
POWER_ON = 1000.0
"""What every monotonic clock shows at the beginning."""
PLAIN = Line()


@dataclass(frozen=True)
class Nature:
    """How poles differ from one another: crystals that run fast or slow by up to `drift_ppm`, sounds that begin late.

    `synchronised` poles have a system clock that something keeps, within `clock_error_s`, while the line is there.
    """

    line: Line = PLAIN
    drift_ppm: float = 20.0
    late_s: float = 0.02
    clock_error_s: float | None = None


class Sky:
    """Everything between server and poles. `stock(sha256, bytes)` brings a recording, None while it cannot."""

    def __init__(self, world: World, configs: Sequence[NodeConfig], nature: Nature,
                 stock: Callable[[Want], OnDisk | None]) -> None:
        self.world, self.broker, self.stock = world, Broker(world), stock
        self.waiting: list[Act] = []
        """What poles do that found no broker, once they may find one again."""
        self.broker.on_back = self.retry
        self.members = [Member(self, one, nature) for one in configs]

    @property
    def poles(self) -> list[Pole]:
        """All poles."""
        return [one.pole for one in self.members]

    def make_link(self, addresses: Address | Sequence[Address], subscriptions: Sequence[str],
                  on_message: Callable[[str, bytes, bool], None], on_connected: Act,
                  on_disconnected: Callable[[str], None]) -> ServerLink:
        """What the bridge is given as `make_link`."""
        return ServerLink(self.broker, on_message, on_connected, on_disconnected)

    def retry(self) -> None:
        """Something is there again: a line, or the broker."""
        waiting, self.waiting = self.waiting, []
        for act in waiting:
            act()

    def power_on(self, within_s: float = 0.0) -> None:
        """Boot every pole, at random within some seconds."""
        for one in self.members:
            self.world.after(within_s * self.world.chance.random(), one.power_on)


class Member:
    """One pole in the world: its crystal, its line, its way to the broker."""

    def __init__(self, sky: Sky, config: NodeConfig, nature: Nature) -> None:
        world = sky.world
        self.pole = Pole(config, self, pinned_trust(config), nature.late_s * world.chance.random())
        self.line_up, self.powered = True, False
        self._sky, self._world, self._nature = sky, world, nature
        self._drift = 1.0 + nature.drift_ppm * 1e-6 * (2 * world.chance.random() - 1)
        self._backoff = Backoff()
        self._since, self._machine = 0.0, 0
        self._ways: tuple[Way, Way] | None = None
        self._wake = 0
        self._fetch = 0

    @property
    def topics(self) -> tuple[str, ...]:
        """What it subscribed to."""
        return self.pole.topics

    def moment(self) -> Moment:
        """What this pole's clocks show: the system's runs with the crystal unless something keeps it."""
        passed = (self._world.seconds - self._since) * self._drift
        kept = self._nature.clock_error_s if self.line_up else None
        wall = self._world.now if kept is not None else self._world.now + timedelta(
            seconds=self._world.seconds * (self._drift - 1))
        return Moment(wall, POWER_ON + passed, kept)

    def power_on(self) -> None:
        """The machine starts; its monotonic clock begins anew."""
        self.powered, self._since = True, self._world.seconds
        self._machine += 1
        self.pole.boot(self.moment(), f"machine-{self._machine}")
        self._nap()
        self._try_soon()

    def power_off(self) -> None:
        """No goodbye."""
        self.pole.kill(self.moment())
        self.powered = False
        self._leave()

    def cut(self) -> None:
        """The line is gone."""
        self.line_up = False
        self.lose()

    def mend(self) -> None:
        """The line is there again."""
        self.line_up = True
        self._sky.retry()

    def lose(self) -> None:
        """The connection to the broker has ended."""
        if self._leave() and self.powered:
            self.pole.take(Disconnected("gone"), self.moment())
            self._nap()

    def send_down(self, topic: str, payload: bytes) -> None:
        """A message from the broker, over the line."""
        if self._ways is not None:
            self._over(self._ways[1], len(payload), lambda: self._hear(topic, payload))

    def publish(self, _pole: Pole, topic: str, payload: bytes) -> None:
        """A message to the server, over the line."""
        if self._ways is not None:
            self._over(self._ways[0], len(payload), lambda: self._sky.broker.to_server(topic, payload))

    def subscribe(self, _pole: Pole, topics: tuple[str, ...]) -> None:
        """The broker asks the pole for its topics."""

    def fetch(self, _pole: Pole, wants: tuple[Want, ...]) -> None:
        """Recordings come one after the other, a second each, while the line is there."""
        self._fetch += 1
        if wants:
            self._world.after(self._world.chance.random() * 5.0, partial(self._bring, self._fetch, wants))

    def sync(self, _pole: Pole) -> None:
        """By HTTPS: not in this world, where everything goes by the broker."""

    def _bring(self, turn: int, wants: tuple[Want, ...]) -> None:
        if turn != self._fetch or not self.powered:
            return
        found = self._sky.stock(wants[0]) if self.line_up else None
        if found is not None:
            self.pole.store(found, self.moment())
            self._nap()
        if turn == self._fetch:
            left = wants[1:] if found is not None else wants
            if left:
                self._world.after(1.0 if found is not None else 60.0, lambda: self._bring(turn, left))

    def _try_soon(self) -> None:
        wait = self._backoff.delay_s(1, 1, self._world.chance.random())
        machine = self._machine
        self._world.after(wait, lambda: self._try(machine))

    def _try(self, machine: int) -> None:
        if not self.powered or machine != self._machine or self._ways is not None:
            return
        if not (self.line_up and self._sky.broker.up):
            self._wait(machine)
            return
        line = self._nature.line
        self._ways = (Way(line), Way(line))
        self._sky.broker.members[self.pole.node] = self
        self.pole.take(Connected(), self.moment())
        self._nap()

    def _wait(self, machine: int) -> None:
        """Attempts in vain, drawn as one: they end within the longest wait after there is somebody again."""
        self._sky.waiting.append(lambda: self._world.after(
            self._backoff.cap_s * self._world.chance.random(), lambda: self._try(machine)))

    def _leave(self) -> bool:
        was, self._ways = self._ways is not None, None
        self._sky.broker.members.pop(self.pole.node, None)
        if self.powered and was:
            self._try_soon()
        return was

    def _over(self, way: Way, size: int, act: Act) -> None:
        """Deliver over the line, unless the connection ends before."""
        ways, chance = self._ways, self._world.chance

        def arrive() -> None:
            if self._ways is ways:
                act()

        arrives = way.arrival(self._world.seconds, size, (chance.random(), chance.random()))
        self._world.after(arrives - self._world.seconds, arrive)

    def _hear(self, topic: str, payload: bytes) -> None:
        self.pole.take(Message(topic, payload, False, self.moment().mono), self.moment())
        self._nap()

    def _nap(self) -> None:
        """Wake when the agent or the player has something to do; only the newest of such events counts."""
        self._wake += 1
        wait = self.pole.wake_in(self.moment(), LONGEST_NAP_S) + ROUNDING_S
        self._world.after(wait, partial(self._tick, self._wake))

    def _tick(self, turn: int) -> None:
        if turn == self._wake and self.powered:
            self.pole.tick(self.moment())
            self._nap()
