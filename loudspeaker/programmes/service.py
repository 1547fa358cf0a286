"""What can be done with programmes by themselves; `conductor.planning` adds collisions and policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import delete
from sqlmodel import Session, col, select

from loudspeaker.audit.service import record
from loudspeaker.bulletins.models import Bulletin, Recording, RecordingState
from loudspeaker.errors import ConflictError, InvalidError, NotFoundError
from loudspeaker.places.models import Place
from loudspeaker.programmes.draft import DraftItem, ProgrammeDraft
from loudspeaker.programmes.models import Programme, ProgrammeItem, ProgrammeTarget, TargetKind
from loudspeaker.programmes.poles import Pole, Poles, Target
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role
from schedules.airings import AirClass

LATEST_START_MAX_S = 3600
GAP_MAX_MS = 10 * 60 * 1000
ITEMS_MAX = 50
LANGUAGE_RULES = ("first", "all")


@dataclass(frozen=True)
class KnownRecording:
    """An approved recording as programmes need it."""

    id: str
    sha256: str
    size_bytes: int
    duration_ms: int
    language: str
    title: str
    air_class: int
    place_id: str


def create_programme(session: Session, actor: Actor, now: datetime, draft: ProgrammeDraft,
                     poles: Poles) -> Programme:
    """Save a new programme. Raises ForbiddenError, InvalidError. The caller has checked policy and collisions."""
    validate(session, actor, draft, poles)
    programme = Programme(place_id=draft.place_id, title=draft.title.strip(), first_start=draft.first_start,
                          created_by=actor.user.id, created_at=now, changed_at=now)
    _fill(programme, draft)
    session.add(programme)
    session.flush()
    _set_parts(session, programme.id, draft)
    record(session, now, actor.user.id, "programme.create", f"programme:{programme.id}", draft.place_id,
           **_told(draft))
    return programme


def update_programme(session: Session, actor: Actor, now: datetime, programme_id: str, revision: int,
                     draft: ProgrammeDraft, poles: Poles) -> Programme:
    """Change a programme from `revision` on. Raises ConflictError when it is not that revision any more."""
    programme = current(session, programme_id, revision)
    must_edit(actor, session, programme, poles)
    validate(session, actor, draft, poles)
    _fill(programme, draft)
    programme.place_id, programme.changed_at, programme.revision = draft.place_id, now, revision + 1
    session.add(programme)
    for part in (ProgrammeItem, ProgrammeTarget):
        session.connection().execute(delete(part).where(col(part.programme_id) == programme_id))
    _set_parts(session, programme_id, draft)
    record(session, now, actor.user.id, "programme.update", f"programme:{programme_id}", draft.place_id,
           revision=programme.revision, **_told(draft))
    return programme


def cancel_programme(session: Session, actor: Actor, now: datetime, programme_id: str, revision: int,
                     poles: Poles) -> Programme:
    """End a programme: nothing of it that has not begun will air. Raises ConflictError on a stale revision."""
    programme = current(session, programme_id, revision)
    must_edit(actor, session, programme, poles)
    programme.cancelled_at, programme.changed_at, programme.revision = now, now, revision + 1
    session.add(programme)
    session.flush()
    record(session, now, actor.user.id, "programme.cancel", f"programme:{programme_id}", programme.place_id)
    return programme


def current(session: Session, programme_id: str, revision: int) -> Programme:
    """The programme at `revision`, not cancelled. Raises NotFoundError, ConflictError."""
    programme = session.get(Programme, programme_id, with_for_update=True)
    if programme is None:
        raise NotFoundError
    if programme.revision != revision:
        raise ConflictError("Somebody else changed this programme meanwhile.", code="stale_revision")
    if programme.cancelled_at is not None:
        raise ConflictError("This programme has been cancelled.", code="cancelled")
    return programme


def seen(session: Session, actor: Actor, programme_id: str) -> Programme:
    """A programme that this person may see. Raises NotFoundError, ForbiddenError."""
    programme = session.get(Programme, programme_id)
    place = session.get(Place, programme.place_id) if programme else None
    if programme is None or place is None:
        raise NotFoundError
    actor.must_see(place)
    return programme


def listing(session: Session, actor: Actor, cancelled: bool = False) -> list[Programme]:
    """Programmes of the places this person sees, by first start; those in force, or the cancelled ones."""
    ended = col(Programme.cancelled_at)
    rows = session.exec(select(Programme, Place).join(Place, col(Place.id) == col(Programme.place_id))
                        .where(ended.is_not(None) if cancelled else ended.is_(None))
                        .order_by(col(Programme.first_start), col(Programme.id)))
    paths = actor.paths()
    return [programme for programme, place in rows if place.path.startswith(paths)]


def items_of(session: Session, programme_ids: Sequence[str]) -> dict[str, tuple[DraftItem, ...]]:
    """The items of each programme, in order."""
    found: dict[str, list[DraftItem]] = {one: [] for one in programme_ids}
    for item in session.exec(select(ProgrammeItem).where(col(ProgrammeItem.programme_id).in_(programme_ids))
                             .order_by(col(ProgrammeItem.programme_id), col(ProgrammeItem.position))):
        found[item.programme_id].append(DraftItem(item.recordings, item.gap_ms))
    return {one: tuple(items) for one, items in found.items()}


def targets_of(session: Session, programme_ids: Sequence[str]) -> dict[str, tuple[Target, ...]]:
    """The targets of each programme."""
    found: dict[str, list[Target]] = {one: [] for one in programme_ids}
    for target in session.exec(select(ProgrammeTarget).where(col(ProgrammeTarget.programme_id).in_(programme_ids))
                               .order_by(col(ProgrammeTarget.kind), col(ProgrammeTarget.target_id))):
        found[target.programme_id].append(Target(TargetKind(target.kind), target.target_id))
    return {one: tuple(targets) for one, targets in found.items()}


def draft_of(session: Session, programme: Programme) -> ProgrammeDraft:
    """The programme as a draft, to show, copy or change."""
    return ProgrammeDraft(
        programme.place_id, programme.title, programme.first_start, items_of(session, [programme.id])[programme.id],
        targets_of(session, [programme.id])[programme.id], programme.air_class, programme.volume,
        programme.languages, programme.zone, programme.rrule, tuple(programme.exdates), programme.latest_start_s)


def approved_recordings(session: Session, ids: Sequence[str]) -> dict[str, KnownRecording]:
    """Those of `ids` that are approved now, by id."""
    rows = session.exec(select(Recording, Bulletin).join(Bulletin, col(Bulletin.id) == col(Recording.bulletin_id))
                        .where(col(Recording.id).in_(ids), col(Recording.state) == RecordingState.APPROVED))
    return {recording.id: _known(recording, bulletin) for recording, bulletin in rows}


def validate(session: Session, actor: Actor, draft: ProgrammeDraft, poles: Poles) -> list[Pole]:
    """The nodes that the draft reaches. Raises InvalidError with its field, ForbiddenError where a role is missing."""
    place = session.get(Place, draft.place_id)
    if place is None:
        raise InvalidError("A chosen place, group or loudspeaker no longer exists.", field="place_id")
    _check_fields(draft)
    poles.check(draft.targets)
    reached = poles.aimed_at(draft.targets)
    if not reached:
        raise InvalidError("Choose at least one loudspeaker, or a place that has one.", field="targets")
    must_schedule(actor, session, [place.id, *(pole.place_id for pole in reached)], AirClass(draft.air_class))
    _check_items(session, draft, reached)
    return reached


def must_edit(actor: Actor, session: Session, programme: Programme, poles: Poles) -> None:
    """Raises ForbiddenError unless this person may schedule wherever the programme airs."""
    reached = poles.aimed_at(targets_of(session, [programme.id])[programme.id])
    must_schedule(actor, session, [programme.place_id, *(pole.place_id for pole in reached)],
                  AirClass(programme.air_class))


def must_schedule(actor: Actor, session: Session, place_ids: Sequence[str], air_class: AirClass) -> None:
    """Raises ForbiddenError unless an editor (for an emergency: an approver) at every one of the places."""
    wanted = (Role.APPROVER,) if air_class is AirClass.EMERGENCY else (Role.EDITOR, Role.APPROVER)
    for place in session.exec(select(Place).where(col(Place.id).in_(set(place_ids)))):
        actor.must(place, *wanted)


def _check_fields(draft: ProgrammeDraft) -> None:
    if not draft.title.strip():
        raise InvalidError("Give the programme a title.", field="title")
    if not 0 < len(draft.items) <= ITEMS_MAX:
        raise InvalidError("Choose between 1 and %(most)d recordings.", field="items", most=ITEMS_MAX)
    if not draft.targets:
        raise InvalidError("Choose at least one loudspeaker, or a place that has one.", field="targets")
    if draft.first_start.tzinfo is None:
        raise InvalidError("The start needs a date and a time.", field="first_start")
    if draft.air_class not in tuple(AirClass):
        raise InvalidError("Choose one of the three classes.", field="air_class")
    if not 0 <= draft.volume <= 100:
        raise InvalidError("The volume is between 0 and 100.", field="volume")
    if draft.languages not in LANGUAGE_RULES:
        raise InvalidError("Choose which languages are aired.", field="languages")
    if not 0 <= draft.latest_start_s <= LATEST_START_MAX_S:
        raise InvalidError("A broadcast may begin at most %(minutes)d minutes late.", field="latest_start_s",
                           minutes=LATEST_START_MAX_S // 60)
    try:
        ZoneInfo(draft.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidError("This time zone does not exist.", field="zone") from error


def _check_items(session: Session, draft: ProgrammeDraft, reached: Sequence[Pole]) -> None:
    wanted = [recording for item in draft.items for recording in item.recordings.values()]
    known = approved_recordings(session, wanted)
    places = session.exec(select(Place).where(col(Place.id).in_({one.place_id for one in known.values()})))
    paths = {place.id: place.path for place in places}
    for item in draft.items:
        if not item.recordings or not 0 <= item.gap_ms <= GAP_MAX_MS:
            raise InvalidError("Every item needs a recording, and at most 10 minutes of silence after it.",
                               field="items")
        for language, id_ in item.recordings.items():
            recording = known.get(id_)
            if recording is None or recording.language != language:
                raise InvalidError("A chosen recording is not approved. Only approved recordings can be scheduled.",
                                   field="items", code="not_approved")
            _check_recording(recording, draft, reached, paths[recording.place_id])


def _check_recording(recording: KnownRecording, draft: ProgrammeDraft, reached: Sequence[Pole], path: str) -> None:
    if recording.air_class < draft.air_class:
        raise InvalidError("“%(bulletin)s” was approved for a lower class than this programme's.", field="air_class",
                           code="class_too_high", bulletin=recording.title)
    outside = next((pole for pole in reached if not pole.path.startswith(path)), None)
    if outside:
        raise InvalidError("“%(bulletin)s” was not approved for the place of %(node)s.", field="targets",
                           code="wrong_place", bulletin=recording.title, node=outside.name)


def _fill(programme: Programme, draft: ProgrammeDraft) -> None:
    programme.title, programme.air_class, programme.volume = draft.title.strip(), int(draft.air_class), draft.volume
    programme.languages, programme.zone = draft.languages, draft.zone
    programme.first_start = draft.first_start.replace(microsecond=0)
    programme.rrule, programme.exdates = draft.rrule or None, list(draft.exdates)
    programme.latest_start_s = draft.latest_start_s


def _set_parts(session: Session, programme_id: str, draft: ProgrammeDraft) -> None:
    for position, item in enumerate(draft.items):
        session.add(ProgrammeItem(programme_id=programme_id, position=position, recordings=dict(item.recordings),
                                  gap_ms=item.gap_ms))
    for target in dict.fromkeys(draft.targets):
        session.add(ProgrammeTarget(programme_id=programme_id, kind=target.kind, target_id=target.id))
    session.flush()


def _told(draft: ProgrammeDraft) -> dict[str, object]:
    return {"title": draft.title.strip(), "first_start": draft.first_start.isoformat(), "rrule": draft.rrule,
            "exdates": list(draft.exdates), "air_class": int(draft.air_class), "volume": draft.volume,
            "items": [dict(item.recordings) for item in draft.items],
            "targets": [f"{target.kind}:{target.id}" for target in draft.targets]}


def _known(recording: Recording, bulletin: Bulletin) -> KnownRecording:
    if recording.sha256 is None or not recording.size_bytes or not recording.duration_ms:
        raise ConflictError("A recording lost its rendition.", code="no_rendition")
    return KnownRecording(recording.id, recording.sha256, recording.size_bytes, recording.duration_ms,
                          recording.language, bulletin.title, bulletin.air_class, bulletin.place_id)
