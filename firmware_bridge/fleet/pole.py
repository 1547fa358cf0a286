"""One pole of the fleet: the real agent, with a virtual player and a virtual disk. It has no clock and no sockets."""

import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from firmware_bridge.contract import keys
from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.contract.topics import Up, of_node
from firmware_bridge.contract.trust import Trust
from firmware_bridge.fleet.disk import VirtualDisk
from firmware_bridge.fleet.player import VirtualPlayer
from firmware_bridge.node import agent, link
from firmware_bridge.node.config import pinned_trust
from firmware_bridge.node.effects import (
    Effect,
    Fetch,
    Keep,
    Play,
    PruneJournal,
    Publish,
    Remove,
    SelfTest,
    Silence,
    Subscribe,
    Sync,
    UploadJournal,
    Want,
    Write,
)
from firmware_bridge.node.inputs import (
    Arrived,
    Boot,
    Input,
    Message,
    OnDisk,
    SelfTested,
    Tick,
)
from firmware_bridge.node.state import Identity, State
from firmware_bridge.node.timekeeping import Moment
from firmware_bridge.wire import Will

ENDS = (EntryKind.PLAY_END, EntryKind.PLAY_MISSED)


class Outside(Protocol):
    """What a pole needs of the world around it."""

    def publish(self, pole: "Pole", topic: str, payload: bytes) -> None:
        """Send to the broker; lost when there is none."""

    def subscribe(self, pole: "Pole", topics: tuple[str, ...]) -> None:
        """Hold exactly these subscriptions."""

    def fetch(self, pole: "Pole", wants: tuple[Want, ...]) -> None:
        """Bring these recordings, most urgent first; then call `Pole.store`."""

    def sync(self, pole: "Pole") -> None:
        """Ask the server for the order and the trust of this pole."""


@dataclass
class Seen:
    """What one pole went through. Instants are monotonic seconds."""

    asked: float = 0.0
    """When the hello that is not answered yet, or the last, became due."""
    answered: list[float] = field(default_factory=list)
    """Seconds from then to each answer of the server."""
    orders: dict[tuple[int, int], float] = field(default_factory=dict)
    """When each order was accepted, by epoch and version."""
    listed: list[set[str]] = field(default_factory=list)
    """The broadcasts of each order, in the order of their acceptance."""
    commands: dict[str, float] = field(default_factory=dict)
    """When each command was obeyed, by id."""
    ends: Counter[str] = field(default_factory=Counter)
    """Terminal entries: `played`, `partial`, `unknown`, and `missed`."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why something was missed or cut."""
    refusals: Counter[str] = field(default_factory=Counter)
    """What was refused, by kind and reason."""


class Pole:
    """The agent of one node, run by whoever calls `take` with what happens and the moment when it does."""

    def __init__(self, config: NodeConfig, outside: Outside, trust: Trust | None = None, late_s: float = 0.0) -> None:
        self.config, self.node = config, config.node
        self.disk, self.player, self.seen = VirtualDisk(), VirtualPlayer(late_s), Seen()
        self.state: State
        self.topics: tuple[str, ...] = ()
        """What the pole wants to hear now."""
        self.wants: tuple[Want, ...] = ()
        """Recordings that are to be fetched, most urgent first."""
        self._outside = outside
        self._key = keys.private_from_base64(config.private_key)
        self._trust = trust or pinned_trust(config)
        self._journal_topic = of_node(config.site, config.node, Up.JOURNAL)

    def boot(self, moment: Moment, machine: str = "machine") -> None:
        """Start the program with what is on the disk."""
        config = self.config
        who = Identity(config.site, config.node, config.place_path, "fleet", config.has_rtc)
        self.state = agent.begin(who, self._trust)
        self.take(Boot(uuid.uuid4().hex[:16], machine, self.disk.mark(), dict(self.disk.kept),
                       tuple(self.disk.recordings.values())), moment)

    def kill(self, moment: Moment) -> None:
        """The power goes; `boot` comes later."""
        self.player.stop(moment.mono)

    def take(self, happened: Input, moment: Moment) -> None:
        """One step: journal and kept values first, then the other effects."""
        before = self.state
        self.state, effects = agent.step(before, happened, moment)
        self._note_answer(before.link.hello_due, self.state.link.hello_due, moment.mono)
        durable = [one for one in effects if isinstance(one, Write | Keep)]
        self.disk.commit(durable)
        for one in durable:
            if isinstance(one, Write):
                self._note(one, moment.mono)
        for effect in effects:
            self._perform(effect, moment)

    def tick(self, moment: Moment) -> None:
        """Time has passed: what the player tells, else the agent's own affairs."""
        report = self.player.report(moment.mono)
        if report is None:
            self.take(Tick(), moment)
        while report is not None:
            self.take(report, moment)
            report = self.player.report(moment.mono)

    def wake_in(self, moment: Moment, longest: float) -> float:
        """Seconds until something happens by itself, at most `longest`."""
        wait = agent.wake_in(self.state, moment, longest)
        due = self.player.next_due()
        return wait if due is None else max(0.0, min(wait, due - moment.mono))

    def store(self, found: OnDisk, moment: Moment) -> None:
        """A recording has come."""
        self.disk.recordings[found.sha256] = found
        self.take(Arrived(found), moment)

    def hear(self, topic: str, payload: bytes, moment: Moment, arrived: float | None = None) -> None:
        """A message has come, at monotonic `arrived` when that was earlier than the step that takes it."""
        self.take(Message(topic, payload, False, arrived), moment)

    def will(self) -> Will:
        """The last will for the connection that is about to be made."""
        topic = of_node(self.config.site, self.node, Up.PRESENCE)
        return Will(topic, link.next_will(self.state).to_bytes())

    def _perform(self, effect: Effect, moment: Moment) -> None:
        match effect:
            case Publish(topic, payload):
                self._outside.publish(self, topic, payload)
            case UploadJournal(after):
                batch = self.disk.batch(self.node, self._key, after)
                if batch is not None:
                    self._outside.publish(self, self._journal_topic, batch)
            case Play():
                self.player.play(effect, moment.mono)
            case Silence():
                self.player.silence(effect, moment.mono)
            case Subscribe(topics):
                self.topics = topics
                self._outside.subscribe(self, topics)
            case SelfTest(command):
                self.take(SelfTested(command, {"player": True}), moment)
            case _:
                self._keep_house(effect)

    def _keep_house(self, effect: Effect) -> None:
        match effect:
            case Fetch():
                self.wants = effect.wants
                self._outside.fetch(self, effect.wants)
            case Sync():
                self._outside.sync(self)
            case Remove(sha256):
                self.disk.recordings.pop(sha256, None)
            case PruneJournal(through, before, most):
                self.disk.prune(through, before, most)
            case _:
                return  # what makes no difference without a loudspeaker

    def _note_answer(self, before: float | None, after: float | None, mono: float) -> None:
        if before is None and after is not None:
            self.seen.asked = mono
        elif before is not None and after is None and self.state.link.up:
            self.seen.answered.append(mono - self.seen.asked)

    def _note(self, written: Write, mono: float) -> None:
        entry, data = written.entry, written.entry.data
        kind, reason = entry.kind, data.get("reason")
        if kind == EntryKind.ORDER_ACCEPTED:
            self.seen.orders[self.state.seen] = mono
            self.seen.listed.append({one.id for one in self.state.order.broadcasts} if self.state.order else set())
        elif kind == EntryKind.COMMAND:
            self.seen.commands.setdefault(str(data["id"]), mono)
        elif kind in ENDS:
            self.seen.ends["missed" if kind == EntryKind.PLAY_MISSED else str(data["state"])] += 1
            if reason is not None:
                self.seen.reasons[str(reason)] += 1
        elif reason is not None:
            self.seen.refusals[f"{kind}: {reason}"] += 1
