"""A fleet on one asyncio loop, in real time, against real brokers."""

import asyncio
import random
import resource
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx2

from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.contract.topics import Down, of_node
from firmware_bridge.contract.trust import Trust
from firmware_bridge.fleet.client import Client
from firmware_bridge.fleet.line import Line
from firmware_bridge.fleet.pole import Pole
from firmware_bridge.fleet.stock import AGAIN_S, Bytes, Stock
from firmware_bridge.fleet.summary import Summary
from firmware_bridge.node.clocks import monotonic
from firmware_bridge.node.config import pinned_trust
from firmware_bridge.node.effects import Want
from firmware_bridge.node.inputs import Arrived, Connected, Disconnected, Input, Message, Tick
from firmware_bridge.node.timekeeping import Moment
from firmware_bridge.wire import Backoff, Will

SLICE_S = 0.002
"""How long steps may keep the loop from its sockets."""
PATIENCE_S = 0.05
"""How long steps wait while messages come in: when a message came must not depend on what others do with theirs."""
LONGEST_NAP_S = 10.0
Heard = Callable[[str, str, float], None]
"""Node, topic and monotonic instant of a message, told before the agent takes it."""


class Fleet:
    """Poles that live from `start` to `stop`. Use on the loop; times are of the machine's monotonic clock.

    `clock_error_s` is what the machine's clock may be wrong by, as its NTP would say; None where nothing keeps it.
    """

    def __init__(self, configs: Sequence[NodeConfig], *, line: Line = Line(), late_s: float = 0.0,  # noqa: B008 - frozen
                 fetch: Bytes = Bytes.VIRTUAL, clock_error_s: float | None = 0.005, seed: int = 0,
                 backoff: Backoff = Backoff(), on_heard: Heard = lambda _node, _topic, _at: None) -> None:  # noqa: B008
        self.line, self.clock_error_s, self.backoff, self.on_heard = line, clock_error_s, backoff, on_heard
        self.stock = Stock(fetch)
        self.chance = random.Random(seed)  # noqa: S311 - jitter is no secret
        self.members = [_Member(self, one, trust, late_s) for one, trust in _with_trust(configs)]
        self._waiting: deque[tuple[_Member, Input]] = deque()
        self._wake: asyncio.Handle | None = None
        self._arrivals = 0
        self._patient_until = 0.0

    @property
    def poles(self) -> list[Pole]:
        """All poles, in the order of their configurations."""
        return [one.pole for one in self.members]

    def start(self, within_s: float = 0.0) -> None:
        """Boot all poles; each begins to connect at a random moment within `within_s`."""
        allow_files(len(self.members) + 200)
        for one in self.members:
            one.start(within_s * self.chance.random())

    async def stop(self) -> None:
        """Goodbyes, and the end."""
        await asyncio.gather(*(one.stop() for one in self.members))
        await self.stock.close()

    def summary(self) -> Summary:
        """What all poles went through so far."""
        return Summary.of(self.poles)

    async def until(self, reached: Callable[[Pole], bool], seconds: float) -> float | None:
        """Wait until every pole has `reached`; the seconds it took, None when that is more than `seconds`."""
        began = time.monotonic()
        left = list(self.poles)
        while left := [pole for pole in left if not reached(pole)]:
            if time.monotonic() - began > seconds:
                return None
            await asyncio.sleep(0.05)
        return time.monotonic() - began

    def moment(self) -> Moment:
        """The machine's clocks."""
        return Moment(datetime.now(UTC), monotonic(), self.clock_error_s)

    def give(self, member: "_Member", happened: Input, arrived: bool = False) -> None:
        """Have a member take this soon. What `arrived` goes before what only has to be reckoned."""
        self._arrivals += arrived
        self._waiting.append((member, happened))
        if self._wake is None:
            self._patient_until = time.monotonic() + PATIENCE_S
            self._wake = asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        """Steps for a slice of time, unless messages are still coming in."""
        now = time.monotonic()
        busy, self._arrivals = self._arrivals > 0, 0
        if not busy or now >= self._patient_until:
            until = now + SLICE_S
            while self._waiting and time.monotonic() < until:
                member, happened = self._waiting.popleft()
                member.take(happened)
            self._patient_until = time.monotonic() + PATIENCE_S
        loop = asyncio.get_running_loop()
        self._wake = loop.call_soon(self._work) if self._waiting else None


@asynccontextmanager
async def running(configs: Sequence[NodeConfig], within_s: float = 0.0, *, line: Line = Line(),  # noqa: B008 - frozen
                  on_heard: Heard = lambda _node, _topic, _at: None) -> AsyncIterator[Fleet]:
    """A fleet that lives as long as the block."""
    fleet = Fleet(configs, line=line, on_heard=on_heard)
    fleet.start(within_s)
    try:
        yield fleet
    finally:
        await fleet.stop()


def allow_files(wanted: int) -> int:
    """Let this process have as many open files as the system gives; how many. Raises OSError when fewer than wanted."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise OSError(f"{wanted} open files are needed, the system gives {hard}: raise its hard limit (ulimit -Hn)")
    return hard


class _Member:
    """One pole with its client, its timer and what it is fetching."""

    def __init__(self, fleet: Fleet, config: NodeConfig, trust: Trust, late_s: float) -> None:
        self.pole = Pole(config, self, trust, late_s)
        self._fleet = fleet
        self._client = Client(config.brokers, self, fleet.line, fleet.chance, fleet.backoff)
        self._timer: asyncio.TimerHandle | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._syncing: asyncio.Task[None] | None = None
        self._is_over = False

    def start(self, after_s: float) -> None:
        self.pole.boot(self._fleet.moment())
        self._client.start(after_s)
        self._sleep()

    async def stop(self) -> None:
        self._is_over = True
        tasks = [one for one in (self._fetching, self._syncing) if one is not None]
        for one in (self._timer, *tasks):
            if one is not None:
                one.cancel()
        await self._client.stop()
        await asyncio.gather(*tasks, return_exceptions=True)

    def take(self, happened: Input) -> None:
        if self._is_over:
            return
        moment = self._fleet.moment()
        if isinstance(happened, Tick):
            self.pole.tick(moment)
        else:
            self.pole.take(happened, moment)
        self._sleep()

    def on_connected(self) -> None:
        self._fleet.give(self, Connected())

    def on_disconnected(self) -> None:
        self._fleet.give(self, Disconnected())

    def on_message(self, topic: str, payload: bytes, retained: bool, arrived: float) -> None:
        self._fleet.on_heard(self.pole.node, topic, arrived)
        self._fleet.give(self, Message(topic, payload, retained, arrived), arrived=True)

    def will(self) -> Will:
        return self.pole.will()

    def publish(self, _pole: Pole, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload)

    def subscribe(self, _pole: Pole, topics: tuple[str, ...]) -> None:
        self._client.set_subscriptions(topics)

    def fetch(self, _pole: Pole, wants: tuple[Want, ...]) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
        self._fetching = asyncio.get_running_loop().create_task(self._fetch(wants)) if wants else None

    def sync(self, _pole: Pole) -> None:
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.get_running_loop().create_task(self._sync())

    def _sleep(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait = self.pole.wake_in(self._fleet.moment(), LONGEST_NAP_S)
        self._timer = asyncio.get_running_loop().call_later(wait, self._fleet.give, self, Tick())

    async def _fetch(self, wants: Sequence[Want]) -> None:
        """One after the other; what fails is tried again after a while."""
        left = list(wants)
        while left:
            failed = []
            for want in left:
                try:
                    found = await self._fleet.stock.recording(self.pole.config, want)
                except (httpx2.HTTPError, ValueError, OSError):
                    failed.append(want)
                else:
                    self.pole.disk.recordings[found.sha256] = found
                    self._fleet.give(self, Arrived(found))
            left = failed
            if left:
                await asyncio.sleep(AGAIN_S * (0.5 + self._fleet.chance.random()))

    async def _sync(self) -> None:
        config = self.pole.config
        for kind in (Down.TRUST, Down.ORDER):
            try:
                raw = await self._fleet.stock.document(config, kind)
            except (httpx2.HTTPError, OSError):
                return
            self._fleet.give(self, Message(of_node(config.site, config.node, kind), raw))


def _with_trust(configs: Sequence[NodeConfig]) -> list[tuple[NodeConfig, Trust]]:
    """The root that each is pinned to; verified once where many are pinned to the same."""
    known: dict[str, Trust] = {}
    found = []
    for config in configs:
        root = str(config.trust_root)
        if root not in known:
            known[root] = pinned_trust(config)
        found.append((config, known[root]))
    return found
