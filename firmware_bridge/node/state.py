"""All that a node's agent knows. Frozen: every step makes a new one."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from firmware_bridge.contract.base import Instant, Payload, Version
from firmware_bridge.contract.documents import AirClass, RecordingStatement, RunningOrder, StandingStop
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.messages import LogHead, Telemetry, TimeState
from firmware_bridge.contract.trust import Reason, Trust
from firmware_bridge.node.air import Air
from firmware_bridge.node.airing import Airing
from firmware_bridge.node.effects import Cue, Fetch
from firmware_bridge.node.inputs import JournalMark
from firmware_bridge.node.rules import Verdict
from firmware_bridge.node.timekeeping import Timekeeper


@dataclass(frozen=True)
class Identity:
    """Who the node is, from its configuration file."""

    site: str
    node: str
    place_path: tuple[str, ...]
    firmware: str = ""
    has_rtc: bool = False
    capabilities: tuple[str, ...] = ("play",)


@dataclass(frozen=True)
class Approval:
    """A recording on the disk and what its statements are worth under the trust held now."""

    sha256: str
    bytes: int
    statements: tuple[Envelope, ...]
    approved: tuple[RecordingStatement, ...] = ()
    refusal: Reason | None = None
    detail: str = ""


class FateState(StrEnum):
    """How far a broadcast has come."""

    WAITING = "waiting"
    DROPPED = "dropped"
    """No order lists it any more; closed when its window ends."""
    STARTED = "started"
    DONE = "done"
    CANCELLED = "cancelled"
    """Closed without ever having been due: no session counts it."""


class Fate(Payload):
    """What must be known of a broadcast over restarts, so that it ends exactly once."""

    id: str
    air_class: AirClass
    start: Instant
    end: Instant
    closes: Instant
    planned_ms: int
    state: FateState = FateState.WAITING
    play_now: bool = False
    suspect: bool = False
    """It ended in an older key epoch, perhaps under a clock that a thief had set."""


@dataclass(frozen=True)
class Sounding:
    """A cue that the player has: from being prepared until it reports the end."""

    cue: Cue
    at: datetime
    """When it sounds by the rules, moved when it came late."""
    aimed: float | None = None
    """Monotonic instant that the player was given; None while only prepared."""
    started: bool = False
    """The player has told of the first sample."""
    replaced: bool = False
    """Stopped or overtaken: only its report is waited for."""

    @property
    def armed(self) -> bool:
        """Whether the player has been told to play it."""
        return self.aimed is not None


@dataclass(frozen=True)
class Segment:
    """What went out of one recording, by the player's evidence."""

    item: str
    recording: str
    at: datetime
    from_ms: int
    to_ms: int
    line: int
    late_ms: int = 0
    """After the instant that the player was given."""


@dataclass(frozen=True)
class Take:
    """The evidence of a broadcast that has begun, gathered until the last cue has reported."""

    airing: Airing
    segments: tuple[Segment, ...] = ()
    start_error_ms: float | None = None
    peak: float = 0.0
    energy: float = 0.0
    """Sum of rms² × ms."""
    reason: str | None = None
    ended: float | None = None
    """Monotonic; None while it is on air or interrupted."""
    unheard: bool = False
    """A cue never reported."""


@dataclass(frozen=True)
class Limiter:
    """Refusals of one kind and reason: when last written, and how many were held back since."""

    last: float
    suppressed: int = 0


@dataclass(frozen=True)
class Link:
    """The connection to the broker and everything that is due on it, on the monotonic clock."""

    up: bool = False
    connection: int = 0
    hello_due: float | None = None
    tell_due: float | None = None
    """By when a hello tells what only a hello tells; answers to others do not settle it."""
    hello_tries: int = 0
    heartbeat_due: float = 0.0
    telemetry_due: float = 0.0
    upload_due: float | None = None
    upload_tries: int = 0
    uploaded: int = 0
    """Everything up to here was sent at least once on this connection, as far as it fitted."""
    receipted: int = 0
    receipt_issued: datetime | None = None
    time_due: float = 0.0
    time_burst: int = 0
    sync_due: float = 0.0
    nonce: str | None = None
    asked: float = 0.0


class KeptSoftware(Payload):
    """What must not be forgotten of manifests: else an older one could come back."""

    serial: Version = 0
    minimum: str = "0"
    failed: Version = 0
    """Serial of the last one that could not be installed, or was not well: not tried again."""


@dataclass(frozen=True)
class State:
    """Everything. `seed` makes the agent's own jitter repeatable."""

    who: Identity
    trust: Trust
    boot: str = ""
    machine_boot: str = ""
    boot_mono: float = 0.0
    journal: JournalMark = field(default_factory=lambda: JournalMark(""))
    policies: dict[str, Envelope] = field(default_factory=dict)
    approvers_envelope: Envelope | None = None
    log: LogHead | None = None
    """Highest head of the server's public log that was given."""
    order: RunningOrder | None = None
    seen: tuple[int, int] = (0, 0)
    order_alarm: bool = False
    trust_alarm: bool = False
    stop: StandingStop = field(default_factory=StandingStop)
    groups: dict[str, datetime] = field(default_factory=dict)
    """Group → since when the node belongs to it."""
    commands: dict[str, datetime] = field(default_factory=dict)
    revoked: dict[str, datetime] = field(default_factory=dict)
    stored: dict[str, Approval] = field(default_factory=dict)
    vouched: frozenset[str] = frozenset()
    """Recordings that an approver list vouched for while it held."""
    fates: dict[str, Fate] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    play_nows: dict[str, bytes] = field(default_factory=dict)
    """`play_now` broadcasts not yet over, by broadcast id: the command's payload."""
    volume: int | None = None
    """Set by command; over the order's until the next order."""
    time: Timekeeper = field(default_factory=Timekeeper)
    time_state: TimeState = TimeState.UNTRUSTED
    time_contradicted: bool = False
    time_kept: float = 0.0
    power_on: datetime | None = None
    """When the program started, by the node's own time; None until it knew it."""
    confirmed: bool = False
    """Since the program started, the server has sent the order that holds now."""
    sighted: datetime | None = None
    """Since when the clock has run without a jump."""
    last_mono: float = 0.0
    air: Air | None = None
    """None while the node does not know the time."""
    cues: tuple[Sounding, ...] = ()
    next_cue: int = 1
    takes: dict[str, Take] = field(default_factory=dict)
    amplifier: bool = False
    link: Link = field(default_factory=Link)
    limits: dict[str, Limiter] = field(default_factory=dict)
    fetching: Fetch | None = None
    fetched_for: tuple[object, ...] = ()
    """What `fetching` was made from: while none of it is replaced, nothing new can be wanted."""
    tidied_for: tuple[object, ...] = ()
    tidy_at: datetime | None = None
    """When fates will have to be closed or forgotten, as long as order and fates are those of `tidied_for`."""
    telemetry: Telemetry | None = None
    measured: Telemetry = field(default_factory=Telemetry)
    software: KeptSoftware = field(default_factory=lambda: KeptSoftware())
    installing: str | None = None
    """Version that is being installed."""
    restart_due: bool = False
    """Another release waits in its slot."""
    on_trial: bool = False
    """This release must still show that it is well."""
