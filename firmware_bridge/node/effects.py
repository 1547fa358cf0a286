"""What a node's agent wants done. They are carried out in order; all `Write` and `Keep` of one step in one commit."""

from dataclasses import dataclass
from datetime import datetime

from firmware_bridge.contract.messages import Entry
from firmware_bridge.contract.software import SoftwareManifest
from firmware_bridge.node.budget import AT_ANY_TIME, Leave


@dataclass(frozen=True)
class Write:
    """Append to the journal, durably, before anything that follows."""

    entry: Entry


@dataclass(frozen=True)
class Keep:
    """Keep `value` under `key` over restarts, or forget it (None). Durable before anything that follows."""

    key: str
    value: bytes | None


@dataclass(frozen=True)
class Publish:
    """Send to the broker; lost when there is none."""

    topic: str
    payload: bytes


@dataclass(frozen=True)
class UploadJournal:
    """Send a signed batch of the entries after `after`, as many as fit."""

    after: int


@dataclass(frozen=True)
class PruneJournal:
    """Forget entries up to `through` that are older than `before`, or beyond the newest `most`."""

    through: int
    before: datetime
    most: int


@dataclass(frozen=True)
class Want:
    """A recording that should be on the disk; `by` is when it is first needed, `leave` when it may be fetched."""

    sha256: str
    bytes: int | None
    by: datetime
    leave: Leave = AT_ANY_TIME


@dataclass(frozen=True)
class Fetch:
    """All recordings that are wanted and not (fully) here, most urgent first; and all that must not be evicted.

    `bytes_a_day` may be fetched on `day` (the place's date); None is as many as are wanted.
    """

    wants: tuple[Want, ...]
    needed: frozenset[str]
    bytes_a_day: int | None = None
    day: str = ""


@dataclass(frozen=True)
class Sync:
    """Ask the server by HTTPS for this node's order and trust."""


@dataclass(frozen=True)
class Remove:
    """Delete a recording and its statements."""

    sha256: str


@dataclass(frozen=True)
class Cue:
    """A stretch of a recording to be heard. `id` names it in the player's reports."""

    id: int
    broadcast: str
    line: int
    recording: str
    from_ms: int
    to_ms: int
    volume: int


@dataclass(frozen=True)
class Prepare:
    """Open the decoder of a cue, to be ready at its instant."""

    cue: Cue


@dataclass(frozen=True)
class Play:
    """Let a cue sound at monotonic instant `at`, cutting what sounds then."""

    cue: Cue
    at: float


@dataclass(frozen=True)
class Silence:
    """End a cue at monotonic instant `at` (now if past), or drop its decoder."""

    cue: int
    at: float


@dataclass(frozen=True)
class SetVolume:
    """Change the loudness of a cue, in percent."""

    cue: int
    percent: int


@dataclass(frozen=True)
class SwitchAmplifier:
    """Sound begins (`on`) or has ended at monotonic instant `at`: the amplifier is open in between."""

    on: bool
    at: float


@dataclass(frozen=True)
class SelfTest:
    """Test the pole's parts, with tones when `aloud`; report with the command's id."""

    command: str
    aloud: bool = True


@dataclass(frozen=True)
class Install:
    """Fetch a release into the other slot; report."""

    manifest: SoftwareManifest


@dataclass(frozen=True)
class Restart:
    """End, to be started anew: from the other slot when a release waits there."""


@dataclass(frozen=True)
class Confirm:
    """The server has answered this release: look at the machine, and keep the release if all is well."""


@dataclass(frozen=True)
class Subscribe:
    """Hold exactly these subscriptions."""

    topics: tuple[str, ...]


Effect = (Write | Keep | Publish | UploadJournal | PruneJournal | Fetch | Sync | Remove | Prepare | Play | Silence
          | SetVolume | SwitchAmplifier | SelfTest | Install | Restart | Confirm | Subscribe)
