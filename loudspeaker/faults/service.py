"""What people do with faults: report, take, note, close."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from loudspeaker.audit.service import record
from loudspeaker.errors import ConflictError, InvalidError, NotFoundError, TooManyError
from loudspeaker.faults import photos
from loudspeaker.faults.models import Fault, FaultKind, FaultNote, FaultPhoto, FaultState, Source
from loudspeaker.nodes.models import Node
from loudspeaker.places.models import Place
from loudspeaker.users.access import STAFF, Actor
from loudspeaker.users.models import Role

REPORTED = (FaultKind.NO_SOUND, FaultKind.NOISE, FaultKind.WRONG_CONTENT, FaultKind.DAMAGE, FaultKind.OTHER)
"""What a person may report; the other kinds are found by the system."""
REPORTERS = STAFF | {Role.VILLAGE_HEAD, Role.PRECINCT_TEAM}
KEEPERS = frozenset({Role.TECHNICIAN, Role.ADMINISTRATOR})
NOTE_LENGTH = 2000
MOST_PHOTOS = 4
PUBLIC_AN_HOUR = 5
"""Reports without an account that one loudspeaker takes in an hour."""


@dataclass(frozen=True)
class Report:
    """What a person says: about a node (or only a place), what kind, in their words. `key` is made by the phone."""

    kind: FaultKind
    node_id: str | None = None
    place_id: str | None = None
    note: str = ""
    key: str | None = None


@dataclass(frozen=True)
class FaultStory:
    """A fault with everything that was said and shown about it."""

    fault: Fault
    node: Node | None
    place: Place
    notes: Sequence[FaultNote]
    photos: Sequence[FaultPhoto]


def report(session: Session, actor: Actor | None, now: datetime, given: Report) -> Fault:
    """Open a fault. Without an actor it is public feedback, which is rate-limited per node and alarms nobody.

    The same `key` again returns the fault that it made. Raises InvalidError, ForbiddenError, TooManyError.
    """
    known = session.exec(select(Fault).where(Fault.idempotency_key == given.key)).first() if given.key else None
    if known is not None:
        return known
    if given.kind not in REPORTED:
        raise InvalidError("Choose what is wrong.", field="kind")
    place = _place_of(session, given)
    if actor is not None:
        actor.must(place, *REPORTERS)
    else:
        _not_too_many(session, given, now)
    fault = Fault(kind=given.kind, source=Source.PUBLIC if actor is None else Source.PERSON, node_id=given.node_id,
                  place_id=place.id, note=_text(given.note), reporter_id=actor.user.id if actor else None,
                  idempotency_key=given.key, opened_at=now)
    session.add(fault)
    session.flush()
    record(session, now, fault.reporter_id, "fault.report", f"fault:{fault.id}", place.id, kind=fault.kind,
           node=fault.node_id)
    return fault


def add_photo(session: Session, actor: Actor | None, now: datetime, data: Path, fault_id: str,
              content: bytes) -> FaultPhoto:
    """Keep a photo of a fault, for its reporter or those who see it. Raises InvalidError, TooLargeError, OSError."""
    fault = session.get(Fault, fault_id)
    if fault is None:
        raise NotFoundError
    reporter = actor.user.id if actor else None
    if fault.reporter_id != reporter or fault.source == Source.SYSTEM:
        if actor is None:
            raise NotFoundError
        actor.must_see(session.get_one(Place, fault.place_id))
    media_type = photos.media_type_of(content)
    held = session.exec(select(func.count()).select_from(FaultPhoto).where(FaultPhoto.fault_id == fault.id)).one()
    if held >= MOST_PHOTOS:
        raise ConflictError("There are %(most)d photos already.", code="too_many_photos", most=MOST_PHOTOS)
    photo = FaultPhoto(fault_id=fault.id, media_type=media_type, size_bytes=len(content), at=now)
    session.add(photo)
    session.flush()
    photos.keep(photos.path_of(data, photo), content)
    record(session, now, reporter, "fault.photo", f"fault:{fault.id}", fault.place_id, photo=photo.id)
    return photo


def take(session: Session, actor: Actor, now: datetime, fault_id: str) -> Fault:
    """Take a fault on oneself. Raises ConflictError when it is closed."""
    fault = _to_keep(session, actor, fault_id)
    fault.state, fault.owner_id, fault.taken_at = FaultState.TAKEN, actor.user.id, now
    session.add(fault)
    session.flush()
    record(session, now, actor.user.id, "fault.take", f"fault:{fault.id}", fault.place_id)
    return fault


def add_note(session: Session, actor: Actor, now: datetime, fault_id: str, text: str) -> FaultNote:
    """Write a line into a fault's history."""
    fault = session.get(Fault, fault_id)
    if fault is None:
        raise NotFoundError
    if fault.reporter_id != actor.user.id:
        actor.must_see(session.get_one(Place, fault.place_id))
    if not text.strip():
        raise InvalidError("Write something.", field="text")
    note = FaultNote(fault_id=fault.id, at=now, user_id=actor.user.id, text=_text(text))
    session.add(note)
    session.flush()
    record(session, now, actor.user.id, "fault.note", f"fault:{fault.id}", fault.place_id)
    return note


def close(session: Session, actor: Actor, now: datetime, fault_id: str, reason: str) -> Fault:
    """Close a fault with a reason. Raises InvalidError without one, ConflictError when it is closed already."""
    fault = _to_keep(session, actor, fault_id)
    if not reason.strip():
        raise InvalidError("Say what was done, or why nothing had to be done.", field="reason")
    fault.state, fault.closed_at, fault.closed_by = FaultState.CLOSED, now, actor.user.id
    fault.close_reason = _text(reason)
    session.add(fault)
    session.flush()
    record(session, now, actor.user.id, "fault.close", f"fault:{fault.id}", fault.place_id, reason=fault.close_reason)
    return fault


def story(session: Session, actor: Actor, fault_id: str) -> FaultStory:
    """A fault with its history, for staff of its place and who reported it. Raises NotFoundError, ForbiddenError."""
    fault = session.get(Fault, fault_id)
    if fault is None:
        raise NotFoundError
    place = session.get_one(Place, fault.place_id)
    if fault.reporter_id != actor.user.id:
        actor.must_see(place)
    notes = session.exec(select(FaultNote).where(FaultNote.fault_id == fault.id).order_by(col(FaultNote.at))).all()
    shown = session.exec(select(FaultPhoto).where(FaultPhoto.fault_id == fault.id).order_by(col(FaultPhoto.at))).all()
    return FaultStory(fault, session.get(Node, fault.node_id) if fault.node_id else None, place, notes, shown)


def photo_seen(session: Session, actor: Actor, photo_id: str) -> FaultPhoto:
    """A photo of a fault that this person may see. Raises NotFoundError, ForbiddenError."""
    photo = session.get(FaultPhoto, photo_id)
    if photo is None:
        raise NotFoundError
    story(session, actor, photo.fault_id)
    return photo


def board(session: Session, actor: Actor, state: FaultState | None = None, node_id: str | None = None,
          limit: int = 100, offset: int = 0) -> list[tuple[Fault, Node | None, Place]]:
    """Faults at places this person sees, newest first; those of one state, all unfinished ones when none is named."""
    here = [col(Place.path).startswith(path) for path in actor.paths()]
    if not here:
        return []
    query = (select(Fault, Node, Place).join(Place, col(Place.id) == col(Fault.place_id))
             .outerjoin(Node, col(Node.id) == col(Fault.node_id)).where(or_(*here))
             .order_by(col(Fault.opened_at).desc(), col(Fault.id)).limit(limit).offset(offset))
    query = query.where(Fault.state == state) if state else query.where(col(Fault.state) != FaultState.CLOSED)
    if node_id is not None:
        query = query.where(Fault.node_id == node_id)
    return [(fault, node, place) for fault, node, place in session.exec(query)]


def reported_by(session: Session, actor: Actor, limit: int = 20) -> Sequence[Fault]:
    """What this person reported, newest first."""
    return session.exec(select(Fault).where(Fault.reporter_id == actor.user.id)
                        .order_by(col(Fault.opened_at).desc()).limit(limit)).all()


def open_count(session: Session, actor: Actor) -> int:
    """How many faults wait at places this person sees; public feedback is not counted, it alarms nobody."""
    here = [col(Place.path).startswith(path) for path in actor.paths()]
    if not here:
        return 0
    return session.exec(select(func.count()).select_from(Fault).join(Place, col(Place.id) == col(Fault.place_id)).where(
        or_(*here), col(Fault.state) != FaultState.CLOSED, col(Fault.source) != Source.PUBLIC)).one()


def _to_keep(session: Session, actor: Actor, fault_id: str) -> Fault:
    fault = session.get(Fault, fault_id, with_for_update=True)
    if fault is None:
        raise NotFoundError
    roles = KEEPERS | {Role.EDITOR, Role.APPROVER} if fault.kind == FaultKind.WRONG_CONTENT else KEEPERS
    actor.must(session.get_one(Place, fault.place_id), *roles)
    if fault.state == FaultState.CLOSED:
        raise ConflictError("This fault is closed already.", code="closed")
    return fault


def _place_of(session: Session, given: Report) -> Place:
    node = session.get(Node, given.node_id) if given.node_id else None
    if given.node_id and (node is None or node.retired_at is not None):
        raise InvalidError("This loudspeaker is not in use any more.", field="node_id")
    place = session.get(Place, node.place_id if node else given.place_id or "")
    if place is None:
        raise InvalidError("Choose the loudspeaker.", field="node_id")
    return place


def _not_too_many(session: Session, given: Report, now: datetime) -> None:
    if given.node_id is None:
        raise InvalidError("Choose the loudspeaker.", field="node_id")
    recent = session.exec(select(func.count()).select_from(Fault).where(
        Fault.node_id == given.node_id, Fault.source == Source.PUBLIC,
        Fault.opened_at > now - timedelta(hours=1))).one()
    if recent >= PUBLIC_AN_HOUR:
        raise TooManyError("This loudspeaker was reported several times in the last hour. Thank you.")


def _text(value: str) -> str:
    kept = "".join(one for one in value if one.isprintable() or one == "\n").strip()
    if len(kept) > NOTE_LENGTH:
        raise InvalidError("At most %(most)d letters.", field="note", most=NOTE_LENGTH)
    return kept
