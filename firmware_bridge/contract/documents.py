"""The signed documents: who may speak, what may air, when, and what one node is asked to do.

Every document travels in a DSSE envelope whose payload type is its `TYPE`.
"""

from enum import IntEnum, StrEnum
from typing import Annotated, ClassVar, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field

from firmware_bridge.contract.base import (
    ApproverKey,
    Id,
    Instant,
    Language,
    Millis,
    Payload,
    PublicKey,
    Sha256,
    Version,
)
from firmware_bridge.contract.envelope import Envelope, sign
from firmware_bridge.contract.passkeys import KeyKind, Passkey

_TYPE = "application/vnd.loudspeaker.{}+json"
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
"""Wall time in the place's zone, `05:30`; `24:00` closes a day."""


ED25519_LETTERS = 44
OwnerCount = Annotated[int, Field(ge=1, le=5)]
Kind = Annotated[str, Field(min_length=1, max_length=64)]
"""What a recording is about: news, notice, electioneering …"""


class AirClass(IntEnum):
    """How much a broadcast may interrupt (Circular 39/2020): a higher class pre-empts a lower one."""

    ORDINARY = 0
    PRIORITY = 1
    EMERGENCY = 2


class Document(Payload):
    """A signed statement. `TYPE` is its payload type inside the signature."""

    TYPE: ClassVar[str]

    def sign(self, *signers: Ed25519PrivateKey) -> Envelope:
        """The envelope over this document."""
        return sign(self.TYPE, self.to_bytes(), *signers)


class PlaceAuthority(Payload):
    """A key that may list approvers for a place and everything below it."""

    place: Id
    owner: Id
    public_key: PublicKey


class TrustRoot(Document):
    """Who stands at the top of one site. Signed by the root keys."""

    TYPE = _TYPE.format("trust-root")
    site: Id
    version: Version
    issued: Instant
    expires: Instant
    key_epoch: Version = 0
    root_keys: tuple[PublicKey, ...]
    root_threshold: Annotated[int, Field(ge=1)] = 1
    server_key: PublicKey
    software_key: PublicKey | None = None
    place_authorities: tuple[PlaceAuthority, ...]
    owners_needed: tuple[OwnerCount, OwnerCount, OwnerCount] = (1, 1, 1)
    """Distinct approvers that a recording needs, by class: ordinary, priority, emergency."""
    owners_needed_by_kind: Annotated[dict[Kind, OwnerCount], Field(max_length=32)] = {}
    """Distinct approvers that a kind of recording needs, such as electioneering; the larger of both holds."""

    def owners_for(self, air_class: AirClass, kind: str = "") -> int:
        """How many distinct approvers must have signed a recording of `air_class` and `kind`."""
        return max(self.owners_needed[air_class], self.owners_needed_by_kind.get(kind, 1))


class Approver(Payload):
    """A listed signing key: it counts at and below `place`, while valid and not revoked."""

    owner: Id
    name: str
    place: Id
    public_key: ApproverKey
    kind: str = KeyKind.ED25519
    """A `KeyKind`. Keys of kinds that a reader does not know never count."""
    relying_party: Annotated[str, Field(max_length=253)] | None = None
    """Of a passkey: the domain that it belongs to."""
    origin: Annotated[str, Field(max_length=300)] | None = None
    """Of a passkey: scheme, host and port of the only pages that it may sign on."""
    valid_from: Instant
    valid_until: Instant

    @property
    def verifier(self) -> str | Passkey | None:
        """What its signatures are checked with; None for a kind that is not known, or a passkey bound to nothing."""
        if self.kind == KeyKind.ED25519:
            return self.public_key if len(self.public_key) == ED25519_LETTERS else None
        if self.kind not in set(KeyKind) or self.relying_party is None or self.origin is None:
            return None
        return Passkey(KeyKind(self.kind), self.public_key, self.relying_party, self.origin)


class ApproverList(Document):
    """All approver keys of a site. Signed by a place authority."""

    TYPE = _TYPE.format("approver-list")
    site: Id
    version: Version
    issued: Instant
    expires: Instant
    approvers: tuple[Approver, ...]
    revoked: tuple[Sha256, ...] = ()
    """Key ids that no longer count, whatever they signed."""


class RecordingStatement(Document):
    """An approver's word that one exact recording may air. Signed by approvers."""

    TYPE = _TYPE.format("recording-statement")
    site: Id
    place: Id
    recording: Sha256
    bytes: Annotated[int, Field(gt=0)]
    duration_ms: Annotated[int, Field(gt=0)]
    language: Language
    kind: str
    air_class: AirClass
    bulletin: Id
    title: str
    author: Id
    """User id of who made it: never counts as its approver."""
    second_listener: Id | None = None
    issued: Instant
    valid_from: Instant
    valid_until: Instant


class TimeFrame(Payload):
    """Hours of chosen weekdays, in the place's wall time; end is not included and is after start."""

    start: Clock
    end: Clock
    weekdays: tuple[Annotated[int, Field(ge=0, le=6)], ...] = (0, 1, 2, 3, 4, 5, 6)
    """0 is Monday."""


class QuietHours(Payload):
    """Wall-time hours in which nothing but an emergency airs; may run over midnight."""

    start: Clock
    end: Clock


class Policy(Document):
    """What a place allows on its loudspeakers. Signed by an approver of the place; an order may only tighten it."""

    TYPE = _TYPE.format("policy")
    site: Id
    place: Id
    version: Version
    issued: Instant
    zone: str = "Asia/Ho_Chi_Minh"
    frames: tuple[TimeFrame, ...]
    quiet_hours: tuple[QuietHours, ...]
    longest_session_minutes: Annotated[int, Field(ge=1, le=24 * 60)]
    sessions_per_day: Annotated[int, Field(ge=1, le=1000)]
    volume_cap: Annotated[int, Field(ge=1, le=100)]


class OrderItem(Payload):
    """One place in a broadcast: the recording to air, by language, and the silence after it."""

    id: Id
    recordings: dict[Language, Sha256]
    gap_ms: Millis = 0


class OrderBroadcast(Payload):
    """One dated airing at this node."""

    id: Id
    start: Instant
    latest_start: Instant
    air_class: AirClass
    volume: Annotated[int, Field(ge=0, le=100)]
    languages: Literal["all", "first"] = "first"
    """`all` in the village's order, or the `first` of the village's languages that is there (Vietnamese last)."""
    items: tuple[OrderItem, ...]


class NeededRecording(Payload):
    """A recording that this order needs on the node's disk."""

    sha256: Sha256
    bytes: Annotated[int, Field(gt=0)]
    duration_ms: Annotated[int, Field(gt=0)]


class StandingStop(Payload):
    """While `active`, nothing airs. The higher generation wins, however it arrives."""

    generation: Version = 0
    active: bool = False


class FetchHours(Payload):
    """Wall-time hours in which a node may fetch recordings; may run over midnight."""

    start: Clock
    end: Clock


class Delivery(Payload):
    """What a node's link may be used for. Emergencies, and what airs before the next chance, pass over it."""

    bytes_a_day: Annotated[int, Field(ge=0, le=2**40)] | None = None
    """Bytes of recordings on one day of the place; absent: no limit."""
    hours: tuple[FetchHours, ...] = ()
    """Empty: at any time."""


class RunningOrder(Document):
    """What one node airs in the coming days. Signed by the server key; newer (epoch, version) replaces the whole."""

    TYPE = _TYPE.format("running-order")
    site: Id
    node: Id
    epoch: Version
    version: Version
    issued: Instant
    expires: Instant
    place_path: tuple[Id, ...]
    """From the top place down to the node's own."""
    groups: tuple[Id, ...]
    languages: tuple[Language, ...] = ("vi",)
    zone: str = "Asia/Ho_Chi_Minh"
    volume: Annotated[int, Field(ge=0, le=100)] = 80
    broadcasts: tuple[OrderBroadcast, ...]
    recordings: tuple[NeededRecording, ...]
    prepared: tuple[Sha256, ...] = ()
    """Emergency recordings to hold ready for `play_now`."""
    standing_stop: StandingStop = StandingStop()
    revoked: tuple[Sha256, ...] = ()
    delivery: Delivery = Delivery()


class CommandKind(StrEnum):
    """What a command asks for."""

    PLAY_NOW = "play_now"
    STOP = "stop"
    VOLUME = "volume"
    SELF_TEST = "self_test"
    SYNC = "sync"


class PlayNow(Payload):
    """An emergency broadcast, at once: only recordings approved as emergency."""

    broadcast: Id
    latest_start: Instant
    recordings: dict[Language, Sha256]
    volume: Annotated[int, Field(ge=0, le=100)] = 100


class Command(Document):
    """One act, at once, by one node or a group. Journalled before it acts, and acts once."""

    TYPE = _TYPE.format("command")
    site: Id
    target: str
    """`node:<id>` or `group:<id>`."""
    id: Id
    issued: Instant
    expires: Instant
    kind: CommandKind
    play_now: PlayNow | None = None
    standing_stop: StandingStop | None = None
    volume: Annotated[int, Field(ge=0, le=100)] | None = None


class Receipt(Document):
    """The server has committed the journal up to and including `seq`. Signed by the server key."""

    TYPE = _TYPE.format("receipt")
    site: Id
    node: Id
    journal: Id
    seq: Version
    issued: Instant


class TimeAnswer(Document):
    """Answer to a time request: the server's clock when it came in and when this left. Signed by the server key."""

    TYPE = _TYPE.format("time")
    site: Id
    node: Id
    nonce: Id
    received: Instant
    sent: Instant


class RollCall(Document):
    """The server has (re)started: say hello at a random moment within the window. Signed by the server key."""

    TYPE = _TYPE.format("roll-call")
    site: Id
    issued: Instant
    window_s: Annotated[int, Field(ge=5, le=300)]


class ChainHead(Payload):
    """The end of a hash chain."""

    seq: Version
    hash: Sha256


class TreeHead(Document):
    """How the server's public log of signed documents stands. Signed by the server key; nodes carry the highest."""

    TYPE = _TYPE.format("tree-head")
    site: Id
    size: Version
    """Entries in the log."""
    root: Sha256
    """Hash of the Merkle tree over them (RFC 6962)."""
    issued: Instant
    audit: ChainHead | None = None
    """The end of the server's audit log at that moment."""


class LogUpdate(Payload):
    """A newer head, with the proof that its log goes on from the one that the node carries."""

    head: dict[str, object]
    """`TreeHead` in its envelope."""
    since: Version = 0
    """Size of the head that the proof begins at."""
    proof: Annotated[tuple[Sha256, ...], Field(max_length=64)] = ()
    """Consistency proof (RFC 6962, 2.1.2) from `since` to the head's size; empty from 0 and from the same size."""


class TrustBundle(Payload):
    """What travels on a node's `trust` topic: each part is an envelope of its own (DSSE, as JSON object)."""

    root: dict[str, object]
    """The newest."""
    roots: tuple[dict[str, object], ...] = ()
    """Those before it that the node may not have seen, oldest first: it walks them one by one."""
    approvers: dict[str, object] | None = None
    policies: tuple[dict[str, object], ...] = ()
    log: LogUpdate | None = None
