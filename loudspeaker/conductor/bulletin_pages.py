"""What the pages of bulletins show: the list with each one's state, and one bulletin with everything about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from loudspeaker.approvals.decisions import Decision, decisions_of
from loudspeaker.approvals.models import Heard, Revocation, SendBack
from loudspeaker.bulletins.models import Bulletin, Recording, RecordingState
from loudspeaker.bulletins.recordings import recordings_of
from loudspeaker.bulletins.service import Wanted, bulletin_seen_by, find_bulletins
from loudspeaker.conductor.holders import Holder, holders_of
from loudspeaker.conductor.planned import Planned, planned_airings
from loudspeaker.places.models import Place
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role, User

PAGE = 30


@dataclass(frozen=True)
class BulletinLine:
    """A bulletin of the list with its recordings, newest first."""

    bulletin: Bulletin
    place: Place
    author: str
    recordings: Sequence[Recording]


@dataclass(frozen=True)
class BulletinList:
    """One page of the list; `more` when there is another."""

    lines: Sequence[BulletinLine]
    more: bool


@dataclass(frozen=True)
class RecordingCard:
    """A recording with who made it, why it stands where it does, where it airs and which nodes hold it."""

    recording: Recording
    author: str
    reason: str
    planned: Sequence[Planned]
    holders: Sequence[Holder]

    @property
    def can_retry(self) -> bool:
        """Whether processing may go better another time."""
        return self.recording.state == RecordingState.FAILED and bool(self.recording.source_path)


@dataclass(frozen=True)
class BulletinView:
    """One bulletin. `may_edit` and `may_approve` are the actor's rights at its place."""

    bulletin: Bulletin
    place: Place
    author: str
    cards: Sequence[RecordingCard]
    history: Sequence[Decision]
    may_edit: bool
    may_bring_back: bool
    may_approve: bool
    sends_itself: bool
    """The actor wrote it, so somebody else must approve it."""


def bulletin_list(session: Session, actor: Actor, wanted: Wanted, page: int) -> BulletinList:
    """Page `page` (from 1) of the bulletins that this person may see, newest change first."""
    found = find_bulletins(session, actor, wanted, limit=PAGE + 1, offset=(max(1, page) - 1) * PAGE)
    shown = found[:PAGE]
    places = {one.id: one for one in session.exec(
        select(Place).where(col(Place.id).in_({one.place_id for one in shown})))}
    names = _names(session, {one.author_id for one in shown})
    by_bulletin: dict[str, list[Recording]] = {}
    for recording in recordings_of(session, [one.id for one in shown]):
        by_bulletin.setdefault(recording.bulletin_id, []).append(recording)
    return BulletinList([BulletinLine(one, places[one.place_id], names.get(one.author_id, ""),
                                      by_bulletin.get(one.id, [])) for one in shown], len(found) > PAGE)


def bulletin_view(session: Session, actor: Actor, now: datetime, bulletin_id: str) -> BulletinView:
    """One bulletin as this person may see it. Raises NotFoundError."""
    bulletin = bulletin_seen_by(session, actor, bulletin_id)
    place = session.get_one(Place, bulletin.place_id)
    recordings = recordings_of(session, [bulletin.id])
    planned = planned_airings(session, now, [one.id for one in recordings])
    names = _names(session, {bulletin.author_id, *(one.author_id for one in recordings)})
    reasons = _reasons(session, recordings)
    edits, put_away = actor.may(place, [Role.EDITOR]), bulletin.archived_at is not None
    cards = [RecordingCard(one, names.get(one.author_id, ""), reasons.get(one.id, ""), planned.get(one.id, []),
                           _holders(session, one)) for one in recordings]
    return BulletinView(
        bulletin, place, names.get(bulletin.author_id, ""), cards, history_of(session, bulletin.id, recordings),
        may_edit=edits and not put_away, may_bring_back=edits and put_away,
        may_approve=actor.may(place, [Role.APPROVER]), sends_itself=bulletin.author_id == actor.user.id)


def history_of(session: Session, bulletin_id: str, recordings: Sequence[Recording]) -> list[Decision]:
    """Everything that happened, also who heard what to the end; newest first."""
    rows = session.exec(select(Heard, User).join(User, col(User.id) == col(Heard.user_id)).where(
        col(Heard.recording_id).in_([one.id for one in recordings]), col(Heard.complete_at).is_not(None)))
    heard = [Decision(one.complete_at, "heard", one.recording_id, user.id, user.name) for one, user in rows
             if one.complete_at is not None]
    return sorted([*decisions_of(session, bulletin_id), *heard], key=lambda one: one.at, reverse=True)


def _reasons(session: Session, recordings: Sequence[Recording]) -> dict[str, str]:
    """Why recordings were sent back or revoked, in the words of who did it."""
    ids = [one.id for one in recordings]
    returned = session.exec(select(SendBack).where(col(SendBack.recording_id).in_(ids)).order_by(col(SendBack.at)))
    reasons = {one.recording_id: one.reason for one in returned}
    revoked = session.exec(select(Revocation).where(
        col(Revocation.sha256).in_([one.sha256 for one in recordings if one.sha256])))
    by_hash = {one.sha256: one.reason for one in revoked}
    return reasons | {one.id: by_hash[one.sha256] for one in recordings if one.sha256 in by_hash}


def _holders(session: Session, recording: Recording) -> list[Holder]:
    if recording.sha256 is None or recording.state not in (RecordingState.APPROVED, RecordingState.REVOKED):
        return []
    return holders_of(session, recording.sha256)


def _names(session: Session, ids: set[str]) -> dict[str, str]:
    return {one.id: one.name for one in session.exec(select(User).where(col(User.id).in_(ids)))}
