"""What a node tells the server. Small JSON; the journal alone is signed (by the node's key)."""

import hashlib
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from firmware_bridge.contract.base import Id, Instant, Payload, Sha256, Version
from firmware_bridge.contract.documents import Document

HEARTBEAT_SECONDS = 40
OFFLINE_SECONDS = 90
TELEMETRY_SECONDS = 300
FIRST_HASH = "0" * 64
"""What the first entry of a journal names as the hash before it."""

Seq = Annotated[int, Field(ge=1, le=2**53)]
"""Number of a journal entry, counted from 1 without a gap."""
Count = Annotated[int, Field(ge=-2**31, lt=2**31)]
"""A measured whole number."""


class TimeState(StrEnum):
    """How far the node may rely on its clock."""

    TRUSTED = "trusted"
    HOLDOVER = "holdover"
    UNTRUSTED = "untrusted"


class LogHead(Payload):
    """How far a log had come: its entries, and the Merkle root over them."""

    size: Version
    root: Sha256


class Held(Payload):
    """What the node holds on its disk, for the server to compare with what is wanted."""

    order: tuple[Version, Version] = (0, 0)
    """(epoch, version) of the running order; (0, 0) is none."""
    root: Version = 0
    approvers: Version = 0
    policies: str = ""
    """Digest of the held policies, see `policies_digest`."""
    stop: Version = 0
    """Generation of the standing stop obeyed."""
    log: LogHead | None = None
    """Of the highest head of the server's public log that the node carries; said in the hello."""


class Hello(Payload):
    """Said on every connect and repeated until answered by an order, trust or receipt."""

    boot: Id
    connection: Version
    firmware: str = ""
    held: Held = Held()
    journal: Id
    first_seq: Version = 0
    last_seq: Version = 0
    capabilities: tuple[str, ...] = ()
    time_state: TimeState = TimeState.UNTRUSTED


class Presence(Payload):
    """The node's state of being connected. `online: false` is its last will; a stale connection number is ignored."""

    boot: Id
    connection: Version
    online: bool


class Telemetry(Payload):
    """Measurements, sent on change and every 5 minutes. Absent where the node cannot tell."""

    time_state: TimeState | None = None
    offset_ms: float | None = None
    error_ms: float | None = None
    disk_free_mb: Count | None = None
    recordings: Count | None = None
    cpu_c: float | None = None
    memory_mb: Count | None = None
    uptime_s: Count | None = None
    volume: Count | None = None
    power: Literal["mains", "battery"] | None = None
    signal_dbm: Count | None = None
    fetched_mb: float | None = None
    received_mb: Count | None = None
    sent_mb: Count | None = None


class Heartbeat(Payload):
    """Every 40 s, at most 100 bytes without telemetry. Short names keep a day of it under a megabyte."""

    o: tuple[Version, Version]
    """Order held: epoch, version."""
    t: tuple[Version, Version, str]
    """Root version, approver list version, policies digest."""
    s: Version = 0
    """Standing-stop generation obeyed."""
    j: Version = 0
    """Last journal seq written."""
    p: str | None = None
    """Broadcast id now playing; absent when idle."""
    m: Telemetry | None = None


class TimeRequest(Payload):
    """Asks for the server's signed time."""

    nonce: Id
    sent: Instant


class EntryKind(StrEnum):
    """Kinds of journal entry. A reader keeps entries of unknown kinds."""

    BOOT = "boot"
    ORDER_ACCEPTED = "order_accepted"
    ORDER_REFUSED = "order_refused"
    TRUST_ACCEPTED = "trust_accepted"
    TRUST_REFUSED = "trust_refused"
    RECORDING_STORED = "recording_stored"
    RECORDING_REFUSED = "recording_refused"
    RECORDING_REMOVED = "recording_removed"
    PLAY_START = "play_start"
    PLAY_END = "play_end"
    PLAY_MISSED = "play_missed"
    PREEMPTED = "preempted"
    RESUMED = "resumed"
    COMMAND = "command"
    COMMAND_REFUSED = "command_refused"
    FAULT = "fault"
    CLOCK = "clock"
    SOFTWARE = "software"


class Entry(Payload):
    """One line of the journal. `data` by kind is listed in docs/protocol.md."""

    seq: Seq
    at: Instant
    """The node's own clock."""
    kind: str
    time_state: TimeState = TimeState.TRUSTED
    broadcast: Id | None = None
    recording: Sha256 | None = None
    data: dict[str, JsonValue] = {}


class JournalBatch(Document):
    """Entries oldest first, as the exact bytes that the chain covers. Signed by the node's key."""

    TYPE = "application/vnd.loudspeaker.journal+json"
    node: Id
    journal: Id
    first_seq: Seq
    previous: Sha256
    """Hash of the entry before `first_seq`, FIRST_HASH for the first."""
    entries: tuple[str, ...]
    oldest: Seq | None = None
    """The first entry that the node still has: who lacks an earlier one waits for it in vain."""


def chain(previous: str, entry: str) -> str:
    """Hash of an entry: SHA-256 over the previous hash (hex) and the entry's exact JSON text."""
    return hashlib.sha256(previous.encode() + entry.encode()).hexdigest()


def policies_digest(policies: dict[str, int]) -> str:
    """8 hex digits over the held policies' place → version; empty when none is held."""
    if not policies:
        return ""
    listed = ";".join(f"{place}={version}" for place, version in sorted(policies.items()))
    return hashlib.sha256(listed.encode()).hexdigest()[:8]
