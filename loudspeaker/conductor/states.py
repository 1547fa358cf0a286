"""A node's current state as its messages change it: pure, one frozen-in-time row per node."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from firmware_bridge.bridge.decode import Journal, Message
from firmware_bridge.contract.messages import Heartbeat, Held, Hello, Presence, Telemetry
from loudspeaker.conductor.clones import boots_after, is_late

MEASURED = ("offset_ms", "cpu_c", "disk_free_mb", "signal_dbm")
"""What a node's history keeps."""


@dataclass(slots=True)
class State:
    """The columns of `NodeState`, apart from the database."""

    node_id: str
    online: bool = False
    changed_at: datetime | None = None
    seen_at: datetime | None = None
    left_at: datetime | None = None
    boot: str = ""
    connection: int = 0
    boots: dict[str, Any] = field(default_factory=dict)
    firmware: str = ""
    held_epoch: int = 0
    held_version: int = 0
    held_root: int = 0
    held_approvers: int = 0
    held_policies: str = ""
    held_stop: int = 0
    held_log_size: int = 0
    held_log_root: str = ""
    journal_id: str = ""
    last_seq: int = 0
    playing: str | None = None
    time_state: str = "untrusted"
    offset_ms: float | None = None
    error_ms: float | None = None
    telemetry: dict[str, Any] = field(default_factory=dict)

    @property
    def held(self) -> Held:
        """What the node says it holds."""
        return Held(order=(self.held_epoch, self.held_version), root=self.held_root, approvers=self.held_approvers,
                    policies=self.held_policies, stop=self.held_stop)

    def row(self) -> dict[str, Any]:
        """The columns by name."""
        return {name: getattr(self, name) for name in COLUMNS}

    def hear(self, message: Message, at: datetime) -> bool:
        """Take in one message of `at`; False when it is a stale one, which changes nothing."""
        if isinstance(message, Heartbeat):  # nearly all are, and none is stale
            self._alive(at)
            self._heartbeat(message)
            return True
        if self._is_stale(message) or (isinstance(message, Hello) and is_late(self.boots, message, at)):
            return False
        if isinstance(message, Presence) and not message.online:
            self.left_at = at
            return True
        self._alive(at)
        if isinstance(message, Hello):
            self._hello(message, at)
        elif isinstance(message, Journal) and self.journal_id in ("", message.journal):
            self.journal_id = message.journal
            self.last_seq = max(self.last_seq, message.last_seq)
        return True

    def _is_stale(self, message: Message) -> bool:
        if isinstance(message, Hello):
            return message.boot == self.boot and message.connection < self.connection
        if isinstance(message, Presence):
            return message.boot != self.boot or message.connection < self.connection
        return False

    def _alive(self, at: datetime) -> None:
        if not self.online:
            self.online, self.changed_at = True, at
        self.seen_at, self.left_at = max(at, self.seen_at or at), None

    def _hello(self, hello: Hello, at: datetime) -> None:
        if hello.journal != self.journal_id:
            self.journal_id, self.last_seq = hello.journal, 0
        self.boots = boots_after(self.boots, hello, at)
        self.boot, self.connection, self.firmware = hello.boot, hello.connection, hello.firmware[:64]
        self.last_seq, self.time_state, self.playing = hello.last_seq, hello.time_state, None
        self._holds(hello.held)
        carried = hello.held.log
        self.held_log_size, self.held_log_root = (carried.size, carried.root) if carried else (0, "")

    def _heartbeat(self, beat: Heartbeat) -> None:
        self.held_epoch, self.held_version = beat.o
        self.held_root, self.held_approvers, policies = beat.t
        self.held_policies, self.held_stop = policies[:64], beat.s
        self.last_seq, self.playing = max(self.last_seq, beat.j), beat.p
        if beat.m is not None:
            self._measured(beat.m)

    def _measured(self, told: Telemetry) -> None:
        given = told.model_dump(mode="json", exclude_none=True)
        self.time_state = given.pop("time_state", self.time_state)
        self.offset_ms, self.error_ms = given.pop("offset_ms", self.offset_ms), given.pop("error_ms", self.error_ms)
        self.telemetry = {**self.telemetry, **given}

    def _holds(self, held: Held) -> None:
        self.held_epoch, self.held_version = held.order
        self.held_root, self.held_approvers, self.held_policies = held.root, held.approvers, held.policies[:64]
        self.held_stop = held.stop


COLUMNS = tuple(one.name for one in fields(State))
CHANGING = tuple(name for name in COLUMNS if name != "node_id")


def bucket_of(at: datetime) -> datetime:
    """The start of the five minutes that hold `at`."""
    return at.replace(minute=at.minute - at.minute % 5, second=0, microsecond=0)


def add_to_history(buckets: dict[tuple[str, datetime], dict[str, Any]], node_id: str, message: Message,
                   at: datetime) -> None:
    """Count a heartbeat into its node's five minutes, with its newest measurements."""
    if not isinstance(message, Heartbeat):
        return
    bucket = bucket_of(at)
    row = buckets.get((node_id, bucket))
    if row is None:
        row = buckets[node_id, bucket] = new_bucket(node_id, bucket)
    row["heartbeats"] += 1
    if message.m is not None:
        for name in MEASURED:
            value = getattr(message.m, name)
            row[name] = value if value is not None else row[name]


def new_bucket(node_id: str, bucket: datetime) -> dict[str, Any]:
    """An empty five minutes."""
    return {"node_id": node_id, "bucket": bucket, "heartbeats": 0, **dict.fromkeys(MEASURED)}


def joined(stored: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    """A stored bucket with what came since."""
    newest = {name: added[name] if added[name] is not None else stored[name] for name in MEASURED}
    return {**added, **newest, "heartbeats": stored["heartbeats"] + added["heartbeats"]}
