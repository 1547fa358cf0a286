"""The second listener: who speaks a recording's language hears it for approvers who do not, and says what it says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_
from sqlmodel import Session, col, select

from firmware_bridge.contract.documents import RecordingStatement
from loudspeaker.approvals.models import Approval, Heard, SecondHearing
from loudspeaker.audit import service as audit
from loudspeaker.bulletins.models import Bulletin, Recording, RecordingState
from loudspeaker.bulletins.recordings import recording_seen_by
from loudspeaker.errors import ConflictError, ForbiddenError, InvalidError
from loudspeaker.places.models import Place
from loudspeaker.users.access import STAFF, Actor
from loudspeaker.users.models import Grant, Role, User

LONGEST_WORDS = 1000


@dataclass(frozen=True)
class Listening:
    """How far the hearing of a recording for those who do not speak its language has come.

    `needed`: this person does not speak it, and nobody who does has confirmed or signed it yet.
    """

    needed: bool
    says: str = ""
    by: User | None = None


@dataclass(frozen=True)
class ToHear:
    """A recording in a language that this person speaks and an approver of its place does not."""

    recording: Recording
    bulletin: Bulletin
    heard: Heard | None


def listenings(session: Session, actor: Actor, recordings: Sequence[Recording]) -> dict[str, Listening]:
    """By recording id, for this approver."""
    ids = [one.id for one in recordings]
    rows = session.exec(select(SecondHearing, User).join(User, col(User.id) == col(SecondHearing.user_id))
                        .where(col(SecondHearing.recording_id).in_(ids)))
    held = {one.recording_id: Listening(False, one.says, user) for one, user in rows}
    signed = set(session.exec(select(Approval.recording_id).where(col(Approval.recording_id).in_(ids))))
    return {one.id: held.get(one.id) or Listening(not speaks(actor.user, one) and one.id not in signed)
            for one in recordings}


def must_be_understood(session: Session, actor: Actor, recording: Recording) -> None:
    """Raises ConflictError where the approver needs a second listener first, ForbiddenError where it was themself."""
    found = listenings(session, actor, [recording])[recording.id]
    if found.by is not None and found.by.id == actor.user.id:
        raise ForbiddenError("You confirmed what this recording says, so somebody else must approve it.",
                             code="own_confirmation", advice="Ask another approver to listen and sign.")
    if found.needed:
        raise ConflictError("You do not speak the language of this recording, and nobody has confirmed what it says.",
                            code="second_listener_needed",
                            advice="Ask somebody who speaks it to hear it to the end and confirm what it says.")


def to_hear(session: Session, actor: Actor) -> list[ToHear]:
    """What waits for this person as second listener, oldest first."""
    paths = actor.paths()
    if not paths:
        return []
    rows = session.exec(
        select(Recording, Bulletin).join(Bulletin, col(Bulletin.id) == col(Recording.bulletin_id))
        .join(Place, col(Place.id) == col(Bulletin.place_id))
        .where(Recording.state == RecordingState.READY, col(Bulletin.archived_at).is_(None),
               or_(*(col(Place.path).startswith(path, autoescape=True) for path in paths)),
               col(Recording.language).in_(actor.user.languages), Recording.author_id != actor.user.id,
               Bulletin.author_id != actor.user.id,
               col(Recording.id).not_in(select(SecondHearing.recording_id)),
               col(Recording.id).not_in(select(Approval.recording_id)))
        .order_by(col(Recording.created_at))).all()
    heard = {one.recording_id: one for one in session.exec(select(Heard).where(Heard.user_id == actor.user.id))}
    return [ToHear(recording, bulletin, heard.get(recording.id)) for recording, bulletin in rows
            if _is_foreign_to_an_approver(session, recording, bulletin)]


def speakers(session: Session, recording: Recording, bulletin: Bulletin) -> list[User]:
    """Whom an approver may ask: the staff of the bulletin's place or above who speak its language."""
    authors = (recording.author_id, bulletin.author_id)
    return [one for one in _people_at(session, bulletin.place_id, STAFF)
            if speaks(one, recording) and one.id not in authors]


def confirm(session: Session, actor: Actor, now: datetime, recording_id: str, says: str) -> SecondHearing:
    """Somebody who speaks the language, is not the author and has heard all of it says what it says, in Vietnamese.

    The statement that approvers sign names them from now on; they themselves never count as its approver.
    Raises NotFoundError, ConflictError, ForbiddenError, InvalidError.
    """
    recording, bulletin = recording_seen_by(session, actor, recording_id)
    session.refresh(recording, with_for_update=True)
    if recording.state != RecordingState.READY or recording.statement is None:
        raise ConflictError("This recording does not wait for approval any more.", code="not_waiting")
    _must_be_fit(session, actor, recording, bulletin)
    words = _checked_words(says)
    hearing = SecondHearing(recording_id=recording.id, user_id=actor.user.id, says=words, at=now)
    said = RecordingStatement.from_bytes(recording.statement)
    recording.statement = said.model_copy(update={"second_listener": actor.user.id}).to_bytes()
    session.add_all([hearing, recording])
    session.flush()
    audit.record(session, now, actor.user.id, "recording.second_hearing", f"recording:{recording.id}",
                 bulletin.place_id, language=recording.language, says=words)
    return hearing


def speaks(user: User, recording: Recording) -> bool:
    """Whether the person lists the recording's language."""
    return recording.language in user.languages


def _must_be_fit(session: Session, actor: Actor, recording: Recording, bulletin: Bulletin) -> None:
    if actor.user.id in (recording.author_id, bulletin.author_id):
        raise ForbiddenError("You made this recording yourself, so somebody else must confirm what it says.",
                             code="own_recording")
    if not speaks(actor.user, recording):
        raise ForbiddenError("You do not list this language among those that you speak.", code="not_spoken",
                             advice="Add it on your account page if you speak it.")
    heard = session.get(Heard, (recording.id, actor.user.id))
    if heard is None or heard.complete_at is None:
        raise ConflictError("You have not heard all of this recording yet.", code="not_heard",
                            advice="Listen to the end; what you heard before counts.")
    if session.get(SecondHearing, recording.id) is not None:
        raise ConflictError("Somebody has confirmed already what this recording says.", code="confirmed_already")
    if session.exec(select(Approval.id).where(Approval.recording_id == recording.id)).first() is not None:
        raise ConflictError("Somebody who speaks the language has signed this recording already.",
                            code="signed_already")


def _checked_words(says: str) -> str:
    words = says.strip()
    if not words:
        raise InvalidError("Say in Vietnamese what the recording says.", field="says")
    if len(words) > LONGEST_WORDS:
        raise InvalidError("This text is too long: at most %(limit)s letters.", field="says", limit=LONGEST_WORDS)
    return words


def _is_foreign_to_an_approver(session: Session, recording: Recording, bulletin: Bulletin) -> bool:
    return any(not speaks(one, recording) for one in _people_at(session, bulletin.place_id, [Role.APPROVER]))


def _people_at(session: Session, place_id: str, roles: Iterable[Role]) -> list[User]:
    path = session.get_one(Place, place_id).path_ids
    found = session.exec(select(User).join(Grant, col(Grant.user_id) == col(User.id)).where(
        col(Grant.place_id).in_(path), col(Grant.role).in_(list(roles)), col(User.active)).order_by(col(User.name)))
    return list({one.id: one for one in found}.values())
