"""What can happen to a node's agent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue

from firmware_bridge.contract.envelope import Envelope


@dataclass(frozen=True)
class JournalMark:
    """Where the journal on the disk stands. `first` is 0 when it is empty.

    `sure` is the newest time that the node was sure of when it wrote an entry, as read back at boot.
    """

    id: str
    first: int = 0
    last: int = 0
    sure: datetime | None = None


@dataclass(frozen=True)
class OnDisk:
    """A recording whose bytes were checked against its name, and the statements beside it."""

    sha256: str
    bytes: int
    statements: tuple[Envelope, ...]


@dataclass(frozen=True)
class Boot:
    """The program starts, with what it had kept. `broken_journal` is the id of one that had to be set aside."""

    boot: str
    machine_boot: str
    journal: JournalMark
    kept: Mapping[str, bytes] = field(default_factory=dict)
    on_disk: tuple[OnDisk, ...] = ()
    broken_journal: str | None = None


@dataclass(frozen=True)
class Connected:
    """The broker has accepted us and our subscriptions."""


@dataclass(frozen=True)
class Disconnected:
    """The broker is gone."""

    reason: str = ""


@dataclass(frozen=True)
class Message:
    """Something came on a topic. `mono` is when, on the monotonic clock, if earlier than the step that takes it."""

    topic: str
    payload: bytes
    retained: bool = False
    mono: float | None = None


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True)
class Arrived:
    """A recording is complete on the disk, or its statements have come anew.

    `over` tells which limit was passed for its sake: `hours` or `bytes`.
    """

    recording: OnDisk
    over: str | None = None


@dataclass(frozen=True)
class Spoiled:
    """The bytes on the disk are not (any more) what their name says; the file is gone."""

    sha256: str
    detail: str = ""


@dataclass(frozen=True)
class Evicted:
    """A recording that no order needs was deleted, to make room."""

    sha256: str


@dataclass(frozen=True)
class CueStarted:
    """The first sample of a cue went out at monotonic `mono`."""

    cue: int
    mono: float


@dataclass(frozen=True)
class CueEnded:
    """A cue is over: what of it went to the amplifier. `whole`: it came to its end by itself.

    `rms` and `peak` are of full scale 1.0; `started` is monotonic, None when nothing sounded.
    """

    cue: int
    started: float | None
    heard_ms: int
    peak: float
    rms: float
    whole: bool
    error: str | None = None


@dataclass(frozen=True)
class SelfTested:
    """The self-test asked for by command `command` is over. `sound`: what was heard of its tones, or why nothing."""

    command: str
    checks: Mapping[str, bool]
    sound: Mapping[str, JsonValue] | None = None


@dataclass(frozen=True)
class Measured:
    """What the machine's sensors say; absent where there are none."""

    values: Mapping[str, JsonValue]


@dataclass(frozen=True)
class Trouble:
    """Something around the agent failed; for the journal."""

    what: str
    detail: str


@dataclass(frozen=True)
class SoftwareOffered:
    """The server has a manifest for this pole: the envelope's bytes."""

    raw: bytes


@dataclass(frozen=True)
class SoftwareInstalled:
    """The release lies ready in the other slot, or could not be installed."""

    version: str
    error: str | None = None


@dataclass(frozen=True)
class SoftwareTried:
    """The running release is on trial; or (`rolled_back`) the launcher gave one up that was."""

    rolled_back: bool = False


@dataclass(frozen=True)
class SoftwareConfirmed:
    """The release on trial is kept."""


SoftwareInput = SoftwareOffered | SoftwareInstalled | SoftwareTried | SoftwareConfirmed
Input = (Boot | Connected | Disconnected | Message | Tick | Arrived | Spoiled | Evicted | CueStarted | CueEnded
         | SelfTested | SoftwareInput | Measured | Trouble)
