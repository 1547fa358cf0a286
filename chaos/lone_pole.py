"""A real pole but for its clock, its sound and its link: real files, real SQLite, real verification, virtual time."""

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx2
import structlog

from chaos.stagehand import Heard, VirtualPlayer
from firmware_bridge.contract.topics import Down, of_node
from firmware_bridge.node import agent
from firmware_bridge.node.amplifier import NullAmplifier
from firmware_bridge.node.crashpoints import Reach, pass_by
from firmware_bridge.node.inputs import Arrived, Input, Message, Tick
from firmware_bridge.node.runner import Runner
from firmware_bridge.node.timekeeping import Moment
from tests.firmware_bridge.builders import NODE, NOON, SITE, Commune, config

LONGEST_NAP_S = 5.0


def hush() -> None:
    """No log lines from thousands of poles."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[lambda *_: ""])


@dataclass
class Clock:
    """The machine's clocks: `started` is what the wall clock showed at power-on, `error_s` as the system vouches."""

    mono: float = 1000.0
    started: datetime = NOON - timedelta(seconds=1000)
    error_s: float | None = 0.01

    def __call__(self) -> Moment:
        return Moment(self.started + timedelta(seconds=self.mono), self.mono, self.error_s)


@dataclass
class LonePole:
    """One life of a pole's program over the files in `data`."""

    data: Path
    client: httpx2.Client
    clock: Clock = field(default_factory=Clock)
    commune: Commune = field(default_factory=Commune)
    heard: Heard = lambda cue: None
    reach: Reach = pass_by
    passed: Callable[[float], None] = lambda mono: None
    """Told the monotonic clock at every step."""

    def __post_init__(self) -> None:
        self.player = VirtualPlayer(self.heard)
        self.player.mono = self.clock.mono
        self.runner = Runner(config("http://nowhere", 9, self.commune), self.data, self.player, NullAmplifier(),
                             self.client, self.clock, reach=self.reach)
        self.runner._aside = lambda work: None  # type: ignore[method-assign]  # no server to ask, no thread to do it
        self.player.start(self.take)

    def wake(self) -> None:
        """The program starts."""
        self.runner.wake()
        self._drain()

    def take(self, happened: Input) -> None:
        """Something happens."""
        self.runner.take(happened)

    def receive(self, payload: bytes, kind: Down) -> None:
        """A message comes from the broker."""
        self.take(Message(of_node(SITE, NODE, kind), payload))
        self._drain()

    def fetch(self, sha256: str, raw: bytes, statements: bytes) -> None:
        """A recording comes, as the cache stores it. Raises OSError."""
        store = self.runner._store
        store.part(sha256).write_bytes(raw)
        store.admit(sha256)
        store.keep_statements(sha256, statements)
        self.take(Arrived(store.on_disk(sha256)))

    def run_for(self, seconds: float) -> None:
        """Let virtual time pass, with all that happens by itself."""
        until = self.clock.mono + seconds
        while self.clock.mono < until:
            wait = min(agent.wake_in(self.runner.state, self.clock(), LONGEST_NAP_S), until - self.clock.mono)
            sounds = self.player.next_instant()
            if sounds is not None:
                wait = min(wait, sounds - self.clock.mono)
            self.clock.mono = round(self.clock.mono + max(0.001, wait), 3)
            self.passed(self.clock.mono)
            self.player.sound(self.clock.mono)
            self.take(Tick())
            self.runner._mind_disk()
            self._drain()

    def close(self) -> None:
        """End the program in order."""
        self.runner._ledger.close()

    def _drain(self) -> None:
        for happened in self._waiting():
            self.take(happened)

    def _waiting(self) -> Iterator[Input]:
        while True:
            try:
                happened = self.runner._inbox.get_nowait()
            except queue.Empty:
                return
            if happened is not None:
                yield happened
