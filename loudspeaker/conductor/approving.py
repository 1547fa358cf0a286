"""What an approver's pages show: the queue, the sheet to hear and sign, and whether the own key counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from firmware_bridge.contract.documents import AirClass
from firmware_bridge.contract.passkeys import KeyKind
from loudspeaker.approvals.keys import keys_of
from loudspeaker.approvals.models import Approval, SigningKey
from loudspeaker.approvals.second_listening import Listening, listenings, speakers
from loudspeaker.approvals.service import Waiting, waiting_for
from loudspeaker.bulletins.models import Bulletin, Recording, RecordingState
from loudspeaker.bulletins.recordings import recording_seen_by
from loudspeaker.conductor.planned import Planned, planned_airings
from loudspeaker.errors import ConflictError
from loudspeaker.places.models import Place
from loudspeaker.trust.service import current_trust
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Grant, Role, User


class KeyState(StrEnum):
    """How far the approver's signature has come."""

    NONE = "none"
    WAITING = "waiting"
    LISTED = "listed"
    EXPIRED = "expired"


@dataclass(frozen=True)
class OwnKey:
    """The person's newest key that was not revoked, and what it is good for."""

    state: KeyState
    key: SigningKey | None = None
    place: Place | None = None

    @property
    def signs_here(self) -> bool:
        """Whether a browser can sign with it: listed, and sealed here or a passkey, rather than in a key file."""
        return self.state is KeyState.LISTED and self.key is not None and (
            self.key.sealed is not None or self.is_passkey)

    @property
    def is_passkey(self) -> bool:
        """Whether it is kept by the person's device."""
        return self.key is not None and self.key.kind != KeyKind.ED25519


@dataclass(frozen=True)
class ToApprove:
    """A recording that waits, with where it will air and how many have signed of how many it needs."""

    waiting: Waiting
    place: Place
    author: str
    planned: Sequence[Planned]
    signed: int
    needed: int
    listening: Listening
    me: str
    speakers: Sequence[User]
    """Whom to ask where nobody has yet told what it says."""

    @property
    def understood(self) -> bool:
        """Whether this approver speaks it or can read what it says, and is not who told it."""
        told_it = self.listening.by is not None and self.listening.by.id == self.me
        return not self.listening.needed and not told_it

    @property
    def recording(self) -> Recording:
        """The recording that waits."""
        return self.waiting.recording

    @property
    def bulletin(self) -> Bulletin:
        """Its bulletin."""
        return self.waiting.bulletin

    @property
    def mine(self) -> bool:
        """Whether this approver can sign it now."""
        return not self.waiting.own and not self.waiting.signed_by_me


def own_key(session: Session, actor: Actor, now: datetime) -> OwnKey:
    """How the person's own signing key stands."""
    held = [one for one in keys_of(session, actor) if one.revoked_at is None]
    if not held:
        return OwnKey(KeyState.NONE)
    key = held[-1]
    if key.place_id is None:
        return OwnKey(KeyState.WAITING, key)
    expired = key.valid_until is not None and key.valid_until <= now
    return OwnKey(KeyState.EXPIRED if expired else KeyState.LISTED, key, session.get(Place, key.place_id))


def queue_of(session: Session, actor: Actor, now: datetime) -> list[ToApprove]:
    """Everything that waits at the places where this person approves, oldest first."""
    waiting = waiting_for(session, actor)
    if not waiting:
        return []
    planned = planned_airings(session, now, [one.recording.id for one in waiting])
    trust = current_trust(session)
    places = {one.id: one for one in session.exec(select(Place).where(
        col(Place.id).in_({one.bulletin.place_id for one in waiting})))}
    names = {one.id: one.name for one in session.exec(select(User).where(
        col(User.id).in_({one.recording.author_id for one in waiting})))}
    signed = _signed(session, [one.recording.id for one in waiting])
    listened = listenings(session, actor, [one.recording for one in waiting])
    return [ToApprove(one, places[one.bulletin.place_id], names.get(one.recording.author_id, ""),
                      planned.get(one.recording.id, []), signed.get(one.recording.id, 0),
                      trust.root.owners_for(AirClass(one.bulletin.air_class), one.bulletin.kind),
                      listened[one.recording.id], actor.user.id,
                      speakers(session, one.recording, one.bulletin) if listened[one.recording.id].needed else ())
            for one in waiting]


def recording_to_send_back(session: Session, actor: Actor, recording_id: str) -> tuple[Recording, Bulletin]:
    """A recording that waits for this approver. Raises NotFoundError, ForbiddenError, ConflictError."""
    recording, bulletin = recording_seen_by(session, actor, recording_id)
    actor.must(session.get_one(Place, bulletin.place_id), Role.APPROVER)
    if recording.state != RecordingState.READY:
        raise ConflictError("This recording does not wait for approval any more.", code="not_waiting")
    return recording, bulletin


def administrators_for(session: Session, actor: Actor) -> list[User]:
    """Who may list the person's key: the administrators of the places where they approve."""
    ids = {place for path in actor.paths(Role.APPROVER) for place in path.strip("/").split("/")}
    rows = session.exec(select(User).join(Grant, col(Grant.user_id) == col(User.id)).where(
        Grant.role == Role.ADMINISTRATOR, col(Grant.place_id).in_(ids), col(User.active)).order_by(col(User.name)))
    return list({one.id: one for one in rows}.values())


def _signed(session: Session, recording_ids: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in session.exec(select(Approval.recording_id).where(col(Approval.recording_id).in_(recording_ids))):
        counts[one] = counts.get(one, 0) + 1
    return counts
