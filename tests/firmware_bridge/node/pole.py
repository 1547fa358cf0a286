"""A pole on a virtual clock: the real agent, a player that never fails by itself, and a disk that survives kills."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.messages import Entry, Heartbeat, Hello
from firmware_bridge.contract.topics import ALL, Down, ToGroup, of_group, of_node
from firmware_bridge.node import agent
from firmware_bridge.node.effects import (
    Cue,
    Effect,
    Fetch,
    Keep,
    Play,
    Publish,
    Remove,
    Silence,
    SwitchAmplifier,
    UploadJournal,
    Write,
)
from firmware_bridge.node.inputs import (
    Arrived,
    Boot,
    Connected,
    CueEnded,
    CueStarted,
    Input,
    JournalMark,
    Message,
    OnDisk,
    Tick,
)
from firmware_bridge.node.state import Identity, State
from firmware_bridge.node.timekeeping import Moment
from tests.firmware_bridge.builders import NODE, NOON, PATH, SITE, Commune

LONGEST_NAP_S = 10.0
"""Longer than the real node's, so that a virtual hour passes quickly."""


@dataclass
class Sounding:
    cue: Cue
    at: float
    ends: float
    started: bool = False


@dataclass
class Heard:
    """Sound that went out: (recording, at, from_ms, to_ms)."""

    recording: str
    at: datetime
    from_ms: int
    to_ms: int


@dataclass
class Pole:
    """Drive it with `run_until`, `receive`, `kill`; look at `journal`, `heard`, `published`."""

    commune: Commune = field(default_factory=Commune)
    now: datetime = NOON
    mono: float = 1000.0
    clock_error_s: float | None = 0.01
    disk: dict[str, OnDisk] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)
    journal: list[Entry] = field(default_factory=list)
    journal_id: str = "j1"
    published: list[Publish] = field(default_factory=list)
    uploads: list[int] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    wanted: Fetch | None = None
    amplifier: bool = False
    opened: list[tuple[bool, float]] = field(default_factory=list)
    """What the amplifier was told: (on, from when)."""
    boots: int = 0
    crash_after: int | None = None
    """Kill before this many more durable commits or sounds."""
    has_rtc: bool = False
    start_late_s: float = 0.0
    nap_s: float = LONGEST_NAP_S

    def __post_init__(self) -> None:
        self.playing: dict[int, Sounding] = {}
        self.state: State
        self.boot()

    def moment(self) -> Moment:
        return Moment(self.now, self.mono, self.clock_error_s)

    def boot(self, machine: str = "m1") -> None:
        """Start the program with what is on the disk."""
        self.boots += 1
        self.playing = {}
        self.state = agent.begin(Identity(SITE, NODE, PATH, "test", self.has_rtc), self.commune.trust())
        mark = JournalMark(self.journal_id, self.journal[0].seq if self.journal else 0, len(self.journal))
        self.take(Boot(f"boot{self.boots}", machine, mark, dict(self.kept), tuple(self.disk.values())))

    def take(self, happened: Input) -> tuple[Effect, ...]:
        state, effects = agent.step(self.state, happened, self.moment())
        self.state = state
        for one in effects:
            if isinstance(one, Write):
                self.journal.append(one.entry)
            elif isinstance(one, Keep):
                if one.value is None:
                    self.kept.pop(one.key, None)
                else:
                    self.kept[one.key] = one.value
        for one in effects:
            self._perform(one)
        return effects

    def store(self, recording: str, *statements: Envelope, size: int = 1000) -> None:
        """The recording has been fetched."""
        self.disk[recording] = OnDisk(recording, size, statements)
        self.take(Arrived(self.disk[recording]))

    def receive(self, payload: bytes, kind: Down = Down.ORDER, retained: bool = False) -> tuple[Effect, ...]:
        return self.take(Message(of_node(SITE, NODE, kind), payload, retained))

    def receive_group(self, payload: bytes, group: str = ALL) -> None:
        self.take(Message(of_group(SITE, group, ToGroup.COMMAND), payload))

    def connect(self) -> None:
        self.take(Connected())

    def ready(self) -> "Pole":
        """Connected, with the commune's trust."""
        self.connect()
        self.receive(self.commune.bundle(), Down.TRUST)
        return self

    def run_for(self, seconds: float) -> None:
        self.run_until(self.now + timedelta(seconds=seconds))

    def run_until(self, until: datetime) -> None:
        """Let time pass, with all that happens by itself."""
        while self.now < until:
            wait = min(agent.wake_in(self.state, self.moment(), self.nap_s), (until - self.now).total_seconds())
            for one in self.playing.values():
                wait = min(wait, max(0.0, (one.ends if one.started else one.at) - self.mono))
            self.pass_time(max(0.001, round(wait, 3)))
            self._report()
            self.take(Tick())

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(milliseconds=round(seconds * 1000))
        self.mono = round(self.mono + seconds, 3)

    def kill(self, away_s: float = 0, machine: str = "m1") -> None:
        """kill -9, and a new start after a while."""
        for one in list(self.playing.values()):
            if one.started:
                self._note(one, min(self.mono, one.ends))
        self.playing = {}
        self.pass_time(away_s)
        self.boot(machine)

    def entries(self, kind: str, broadcast: str | None = None) -> list[Entry]:
        return [one for one in self.journal if one.kind == kind and broadcast in (None, one.broadcast)]

    def ends(self, broadcast: str) -> list[Entry]:
        """Terminal entries of a broadcast."""
        return [one for one in self.journal if one.kind in ("play_end", "play_missed") and one.broadcast == broadcast]

    def refusals(self, kind: str) -> list[object]:
        return [one.data.get("reason") for one in self.entries(kind)]

    def said(self, kind: str) -> list[bytes]:
        return [one.payload for one in self.published if one.topic.endswith(f"/{kind}")]

    def hello(self) -> Hello:
        return Hello.from_bytes(self.said("hello")[-1])

    def heartbeat(self) -> Heartbeat:
        return Heartbeat.from_bytes(self.said("heartbeat")[-1])

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Publish):
            self.published.append(effect)
        elif isinstance(effect, UploadJournal):
            self.uploads.append(effect.after)
        elif isinstance(effect, Fetch):
            self.wanted = effect
        elif isinstance(effect, Remove):
            self.removed.append(effect.sha256)
            self.disk.pop(effect.sha256, None)
        elif isinstance(effect, SwitchAmplifier):
            self.amplifier = effect.on
            self.opened.append((effect.on, effect.at))
        elif isinstance(effect, Play):
            at = max(effect.at, self.mono) + self.start_late_s
            length = (effect.cue.to_ms - effect.cue.from_ms) / 1000
            self.playing[effect.cue.id] = Sounding(effect.cue, round(at, 3), round(at + length, 3))
        elif isinstance(effect, Silence):
            self._silence(effect)

    def _silence(self, effect: Silence) -> None:
        one = self.playing.get(effect.cue)
        if one is None:
            return
        at = max(effect.at, self.mono)
        if one.started and at >= one.ends:
            return
        self._end(one, at, whole=False)

    def _report(self) -> None:
        """What the player has to tell by now."""
        for one in sorted(self.playing.values(), key=lambda each: each.at):
            if not one.started and one.at <= self.mono:
                for other in list(self.playing.values()):
                    if other.started and other is not one:
                        self._end(other, one.at, whole=one.at >= other.ends)
                one.started = True
                self.take(CueStarted(one.cue.id, one.at))
        for one in list(self.playing.values()):
            if one.started and one.ends <= self.mono and one.cue.id in self.playing:
                self._end(one, one.ends, whole=True)

    def _end(self, one: Sounding, at: float, whole: bool) -> None:
        self.playing.pop(one.cue.id, None)
        heard = self._note(one, min(at, one.ends)) if one.started or one.at < at else 0
        self.take(CueEnded(one.cue.id, one.at if heard else None, heard, 0.5, 0.1, whole))

    def _note(self, one: Sounding, until: float) -> int:
        heard = max(0, round((until - one.at) * 1000))
        if heard:
            begun = self.now + timedelta(milliseconds=round((one.at - self.mono) * 1000))
            self.heard.append(Heard(one.cue.recording, begun, one.cue.from_ms, one.cue.from_ms + heard))
        return heard
