"""Approval: an approver who is not the author, and has heard it all, signs the exact statement of a recording."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import or_
from sqlmodel import Session, col, select

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract.documents import RecordingStatement
from firmware_bridge.contract.envelope import Envelope, MalformedEnvelope
from firmware_bridge.contract.trust import Reason, Refused, Trust, read_recording
from loudspeaker.approvals.models import Approval, Heard, Revocation, SendBack, SigningKey
from loudspeaker.approvals.refusal_words import REFUSAL_WORDS
from loudspeaker.approvals.second_listening import must_be_understood
from loudspeaker.audit import service as audit
from loudspeaker.bulletins.models import Bulletin, Recording, RecordingState
from loudspeaker.bulletins.recordings import recording_seen_by
from loudspeaker.errors import ConflictError, ForbiddenError, InvalidError
from loudspeaker.places.models import Place
from loudspeaker.transparency import service as log
from loudspeaker.trust.service import current_trust
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role

REASON_LENGTH = 1000


@dataclass(frozen=True)
class Outcome:
    """How an approval left the recording: how many distinct approvers have signed, and how many it needs."""

    recording: Recording
    signed: int
    needed: int


@dataclass(frozen=True)
class Waiting:
    """A recording that waits for this approver. `own`: they made it, so somebody else must approve."""

    recording: Recording
    bulletin: Bulletin
    heard: Heard | None
    own: bool
    signed_by_me: bool


def waiting_for(session: Session, actor: Actor) -> list[Waiting]:
    """The approver's queue: recordings that are ready, at the places where they approve, oldest first."""
    paths = actor.paths(Role.APPROVER)
    if not paths:
        return []
    me = actor.user.id
    rows = session.exec(
        select(Recording, Bulletin).join(Bulletin, col(Bulletin.id) == col(Recording.bulletin_id))
        .join(Place, col(Place.id) == col(Bulletin.place_id))
        .where(Recording.state == RecordingState.READY, col(Bulletin.archived_at).is_(None),
               or_(*(col(Place.path).startswith(path, autoescape=True) for path in paths)))
        .order_by(col(Recording.created_at)))
    heard = {one.recording_id: one for one in session.exec(select(Heard).where(Heard.user_id == me))}
    signed = set(session.exec(select(Approval.recording_id).where(Approval.user_id == me)))
    return [Waiting(recording, bulletin, heard.get(recording.id), _is_author(me, recording, bulletin),
                    recording.id in signed) for recording, bulletin in rows]


def statement_to_sign(session: Session, actor: Actor, recording_id: str) -> tuple[Recording, Bulletin, bytes]:
    """The exact payload that this approver would sign. Raises ForbiddenError, NotFoundError, ConflictError."""
    recording, bulletin = _for_approver(session, actor, recording_id)
    if recording.statement is None:
        raise ConflictError("This recording is not ready for approval.")
    return recording, bulletin, recording.statement


def approve(session: Session, actor: Actor, now: datetime, recording_id: str, envelope: dict[str, Any]) -> Outcome:
    """Store an approver's signature; with enough distinct approvers the recording is APPROVED.

    Refused unless the recording is READY, the actor approves at its place, is not its author, has heard all of it,
    speaks its language or can rely on a second listener who does, and the envelope is their own listed key's signature
    over exactly the stored statement.
    Raises ForbiddenError, ConflictError, InvalidError, NotFoundError.
    """
    recording, bulletin = _for_approver(session, actor, recording_id)
    _must_wait(session, recording)
    if _is_author(actor.user.id, recording, bulletin):
        raise ForbiddenError("You made this recording yourself, so somebody else must approve it.", code="own_approval",
                             advice="Ask another approver to listen and sign.")
    must_be_understood(session, actor, recording)
    heard = session.get(Heard, (recording.id, actor.user.id))
    if heard is None or heard.complete_at is None:
        raise ConflictError("You have not heard all of this recording yet.", code="not_heard",
                            advice="Listen to the end; what you heard before counts.")
    if _approval_by(session, recording.id, actor.user.id) is not None:
        raise ConflictError("You have signed this recording already.", code="signed_already")
    trust, path = current_trust(session), session.get_one(Place, bulletin.place_id).path_ids
    signed = _checked(session, actor, recording, envelope)
    _must_hold(signed, trust, path, now)
    session.add(Approval(recording_id=recording.id, user_id=actor.user.id, key_id=signed.signatures[0].key_id,
                         envelope=dsse.encode(signed), at=now))
    log.append(session, now, signed)
    audit.record(session, now, actor.user.id, "recording.sign", f"recording:{recording.id}", bulletin.place_id,
                 sha256=recording.sha256, key=signed.signatures[0].key_id)
    return _settle(session, actor, now, recording, bulletin, trust, path)


def send_back(session: Session, actor: Actor, now: datetime, recording_id: str, reason: str) -> Recording:
    """Refuse a recording that waits for approval, with the reason its author will read."""
    recording, bulletin = _for_approver(session, actor, recording_id)
    _must_wait(session, recording)
    words = _reason(reason)
    session.add(SendBack(recording_id=recording.id, user_id=actor.user.id, reason=words, at=now))
    recording.state, recording.decided_at = RecordingState.RETURNED, now
    session.add(recording)
    session.flush()
    audit.record(session, now, actor.user.id, "recording.send_back", f"recording:{recording.id}", bulletin.place_id,
                 reason=words)
    return recording


def revoke(session: Session, actor: Actor, now: datetime, recording_id: str, reason: str) -> Recording:
    """Let an approved sound air no more, wherever it is planned. All recordings with the same bytes go with it.

    The nodes learn of it by their next running order: the caller announces it after commit.
    """
    recording, bulletin = _for_approver(session, actor, recording_id)
    if recording.state != RecordingState.APPROVED or recording.sha256 is None or recording.statement is None:
        raise ConflictError("Only an approved recording can be revoked.")
    words = _reason(reason)
    until = RecordingStatement.from_bytes(recording.statement).valid_until
    twins = list(session.exec(select(Recording).where(Recording.sha256 == recording.sha256)))
    for one in twins:
        one.state, one.decided_at = RecordingState.REVOKED, now
        session.add(one)
        if one.statement is not None:
            until = max(until, RecordingStatement.from_bytes(one.statement).valid_until)
    session.add(Revocation(sha256=recording.sha256, recording_id=recording.id, user_id=actor.user.id, reason=words,
                           at=now, until=until))
    session.flush()
    audit.record(session, now, actor.user.id, "recording.revoke", f"recording:{recording.id}", bulletin.place_id,
                 sha256=recording.sha256, reason=words, recordings=[one.id for one in twins])
    return recording


def revoked_hashes(session: Session, now: datetime) -> list[str]:
    """SHA-256 of every recording that must not air, for the running orders."""
    return sorted(session.exec(select(Revocation.sha256).where(Revocation.until > now)))


def is_revoked(session: Session, sha256: str) -> bool:
    """True when exactly this sound was revoked once."""
    return session.get(Revocation, sha256) is not None


def statements_of(session: Session, sha256: str) -> list[Envelope]:
    """The signed statements of an approved sound, one envelope per statement with all its approvers' signatures."""
    rows = session.exec(select(Approval, Recording).join(Recording, col(Recording.id) == col(Approval.recording_id))
                        .where(Recording.sha256 == sha256, Recording.state == RecordingState.APPROVED)
                        .order_by(col(Approval.at)))
    by_recording: dict[str, list[Envelope]] = {}
    for approval, recording in rows:
        by_recording.setdefault(recording.id, []).append(dsse.decode(approval.envelope))
    return [_together(one) for one in by_recording.values()]


def recheck(session: Session, actor_id: str | None, now: datetime, key_id: str) -> list[str]:
    """A key was revoked: its signatures go, and recordings left with too few wait for approval again; their ids."""
    trust, reopened = current_trust(session), []
    for approval in list(session.exec(select(Approval).where(Approval.key_id == key_id))):
        recording = session.get_one(Recording, approval.recording_id)
        bulletin = session.get_one(Bulletin, recording.bulletin_id)
        session.delete(approval)
        session.flush()
        path = session.get_one(Place, bulletin.place_id).path_ids
        if recording.state == RecordingState.APPROVED and not _enough(session, recording, trust, path, now):
            recording.state, recording.decided_at = RecordingState.READY, None
            session.add(recording)
            audit.record(session, now, actor_id, "recording.reopen", f"recording:{recording.id}",
                         bulletin.place_id, key=key_id)
            reopened.append(recording.id)
    return reopened


def _settle(session: Session, actor: Actor, now: datetime, recording: Recording, bulletin: Bulletin, trust: Trust,
            path: Sequence[str]) -> Outcome:
    statement = RecordingStatement.from_bytes(recording.statement or b"")
    needed = trust.root.owners_for(statement.air_class, statement.kind)
    if _enough(session, recording, trust, path, now):
        recording.state, recording.decided_at = RecordingState.APPROVED, now
        session.add(recording)
        session.flush()
        audit.record(session, now, actor.user.id, "recording.approve", f"recording:{recording.id}", bulletin.place_id,
                     sha256=recording.sha256)
    return Outcome(recording, len(_envelopes(session, recording.id)), needed)


def _enough(session: Session, recording: Recording, trust: Trust, path: Sequence[str], now: datetime) -> bool:
    held = _envelopes(session, recording.id)
    if not held:
        return False
    try:
        read_recording(_together(held), trust, path, now)
    except Refused:
        return False
    return True


def _checked(session: Session, actor: Actor, recording: Recording, given: dict[str, Any]) -> Envelope:
    """The envelope, if it is one signature of the actor's own key over exactly what is stored."""
    try:
        signed = dsse.from_dict(given)
    except MalformedEnvelope as error:
        raise _refused(Reason.MALFORMED) from error
    if signed.payload_type != RecordingStatement.TYPE:
        raise _refused(Reason.WRONG_TYPE)
    if signed.payload != recording.statement:
        raise _refused(Reason.ALTERED)
    if len(signed.signatures) != 1:
        raise _refused(Reason.MALFORMED)
    key = session.get(SigningKey, signed.signatures[0].key_id)
    if key is None or key.user_id != actor.user.id:
        raise _refused(Reason.FOREIGN_KEY)
    if key.revoked_at is not None:
        raise _refused(Reason.REVOKED)
    return signed


def _must_hold(signed: Envelope, trust: Trust, path: Sequence[str], now: datetime) -> None:
    """Raises InvalidError unless this one signature would count towards the threshold."""
    root = trust.root.model_copy(update={"owners_needed": (1, 1, 1), "owners_needed_by_kind": {}})
    one_is_enough = replace(trust, root=root)
    try:
        read_recording(signed, one_is_enough, path, now)
    except Refused as error:
        raise _refused(error.reason) from error


def _refused(reason: Reason) -> InvalidError:
    title, advice = REFUSAL_WORDS.get(reason, REFUSAL_WORDS[Reason.MALFORMED])
    return InvalidError(title, advice=advice, code=reason.value, field="envelope")


def _for_approver(session: Session, actor: Actor, recording_id: str) -> tuple[Recording, Bulletin]:
    recording, bulletin = recording_seen_by(session, actor, recording_id)
    actor.must(session.get_one(Place, bulletin.place_id), Role.APPROVER)
    return recording, bulletin


def _must_wait(session: Session, recording: Recording) -> None:
    session.refresh(recording, with_for_update=True)  # two approvers at once must see each other's signature
    if recording.state != RecordingState.READY:
        raise ConflictError("This recording does not wait for approval any more.", code="not_waiting")


def _reason(reason: str) -> str:
    words = reason.strip()
    if not words:
        raise InvalidError("Say why.", field="reason", advice="Write the reason in a sentence; its author reads it.")
    if len(words) > REASON_LENGTH:
        raise InvalidError("This text is too long: at most %(limit)s letters.", field="reason", limit=REASON_LENGTH)
    return words


def _is_author(user_id: str, recording: Recording, bulletin: Bulletin) -> bool:
    return user_id in (recording.author_id, bulletin.author_id)


def _approval_by(session: Session, recording_id: str, user_id: str) -> Approval | None:
    found = select(Approval).where(Approval.recording_id == recording_id, Approval.user_id == user_id)
    return session.exec(found).first()


def _envelopes(session: Session, recording_id: str) -> list[Envelope]:
    rows = select(Approval.envelope).where(Approval.recording_id == recording_id).order_by(col(Approval.at))
    return [dsse.decode(raw) for raw in session.exec(rows)]


def _together(envelopes: Sequence[Envelope]) -> Envelope:
    first = envelopes[0]
    return Envelope(first.payload_type, first.payload, tuple(one for each in envelopes for one in each.signatures))
