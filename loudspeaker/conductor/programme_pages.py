"""What the pages of programmes show: the list, one programme, and the approved recordings there are to choose from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_
from sqlmodel import Session, col, select

from loudspeaker.broadcasts.airings import longest
from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.bulletins.models import Bulletin, Recording, RecordingState
from loudspeaker.conductor.expand import broadcast_items, starts
from loudspeaker.conductor.targets import names_of
from loudspeaker.errors import ForbiddenError
from loudspeaker.places.models import Place
from loudspeaker.programmes import service
from loudspeaker.programmes.draft import DraftItem
from loudspeaker.programmes.models import Programme
from loudspeaker.programmes.poles import Pole, load_poles
from loudspeaker.users.access import Actor
from loudspeaker.users.models import User
from schedules.recurrence import Recurrence, describe

LOOK_AHEAD = timedelta(days=62)
CHOICES = 400
UPCOMING = 20


@dataclass(frozen=True)
class Choice:
    """A bulletin as one item of a programme: its newest approved recording in each language.

    `value` names the recordings, joined by commas.
    """

    value: str
    title: str
    section: str
    air_class: int
    languages: tuple[str, ...]
    duration_ms: int
    approved: bool = True
    """False where a recording was revoked or sent back since: it does not air."""


@dataclass(frozen=True)
class ProgrammeLine:
    """A programme of the list. `next_start` is None where it airs no more in the coming two months."""

    programme: Programme
    recurrence: Recurrence
    next_start: datetime | None
    nodes: int
    targets: Sequence[str]
    length: timedelta


@dataclass(frozen=True)
class ProgrammeView:
    """One programme with everything about it; `upcoming` are its dated broadcasts that are not over."""

    line: ProgrammeLine
    place: Place
    author: str
    items: Sequence[Choice]
    upcoming: Sequence[Broadcast]
    may_edit: bool


def programme_lines(session: Session, actor: Actor, now: datetime, cancelled: bool = False) -> list[ProgrammeLine]:
    """The programmes that this person sees, the next to air first, those that air no more last."""
    found = service.listing(session, actor, cancelled)
    lines = _lines(session, now, found)
    return sorted(lines, key=lambda one: (one.next_start is None, one.next_start or one.programme.first_start))


def programme_view(session: Session, actor: Actor, now: datetime, programme_id: str) -> ProgrammeView:
    """One programme. Raises NotFoundError, ForbiddenError."""
    programme = service.seen(session, actor, programme_id)
    [line] = _lines(session, now, [programme])
    author = session.get(User, programme.created_by)
    dated = session.exec(select(Broadcast).where(
        Broadcast.programme_id == programme.id, col(Broadcast.planned_end) > now)
        .order_by(col(Broadcast.start)).limit(UPCOMING)).all()
    items = service.items_of(session, [programme.id])[programme.id]
    return ProgrammeView(line, session.get_one(Place, programme.place_id), author.name if author else "",
                         chosen_items(session, items), dated, _may_edit(session, actor, programme))


def approved_choices(session: Session, actor: Actor) -> list[Choice]:
    """Bulletins with an approved recording, at the places this person sees; newest decision first."""
    paths = actor.paths()
    if not paths:
        return []
    rows = session.exec(
        select(Recording, Bulletin).join(Bulletin, col(Bulletin.id) == col(Recording.bulletin_id))
        .join(Place, col(Place.id) == col(Bulletin.place_id))
        .where(Recording.state == RecordingState.APPROVED, col(Bulletin.archived_at).is_(None),
               or_(*(col(Place.path).startswith(path, autoescape=True) for path in paths)))
        .order_by(col(Recording.decided_at).desc(), col(Recording.id)).limit(CHOICES))
    by_bulletin: dict[str, tuple[Bulletin, dict[str, Recording]]] = {}
    for recording, bulletin in rows:
        by_bulletin.setdefault(bulletin.id, (bulletin, {}))[1].setdefault(recording.language, recording)
    return [_choice(bulletin, list(of.values())) for bulletin, of in by_bulletin.values()]


def chosen_items(session: Session, items: Iterable[DraftItem]) -> list[Choice]:
    """Items of a programme as choices, whatever became of their recordings since."""
    given = list(items)
    ids = {one for item in given for one in item.recordings.values()}
    rows = session.exec(select(Recording, Bulletin).join(Bulletin, col(Bulletin.id) == col(Recording.bulletin_id))
                        .where(col(Recording.id).in_(ids)))
    known = {recording.id: (recording, bulletin) for recording, bulletin in rows}
    found = []
    for item in given:
        held = [known[one] for one in item.recordings.values() if one in known]
        if held:
            found.append(_choice(held[0][1], [recording for recording, _ in held]))
    return found


def recording_languages(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """The language of each of these recordings that exists."""
    return dict(session.exec(select(Recording.id, Recording.language).where(col(Recording.id).in_(set(ids)))).all())


def _lines(session: Session, now: datetime, programmes: Sequence[Programme]) -> list[ProgrammeLine]:
    ids = [one.id for one in programmes]
    items, targets = service.items_of(session, ids), service.targets_of(session, ids)
    poles, names = load_poles(session), names_of(session, [one for several in targets.values() for one in several])
    known = service.approved_recordings(
        session, [id_ for several in items.values() for item in several for id_ in item.recordings.values()])
    return [_line(now, one, broadcast_items(items[one.id], known), poles.aimed_at(targets[one.id]),
                  [name for target, name in names.items() if target in targets[one.id]]) for one in programmes]


def _line(now: datetime, programme: Programme, items: Sequence[Mapping[str, Any]], reached: Sequence[Pole],
          targets: Sequence[str]) -> ProgrammeLine:
    since = max(now, programme.first_start)
    dated = starts(programme, since, since + LOOK_AHEAD) if programme.cancelled_at is None else []
    left_out = frozenset(date.fromisoformat(one) for one in programme.exdates)
    sound = longest(items, (pole.languages for pole in reached), programme.languages)
    return ProgrammeLine(
        programme, describe(programme.rrule, programme.first_start, ZoneInfo(programme.zone), left_out),
        dated[0] if dated else None, len(reached), targets, sound)


def _choice(bulletin: Bulletin, recordings: Sequence[Recording]) -> Choice:
    ordered = sorted(recordings, key=lambda one: (one.language != "vi", one.language))
    return Choice(",".join(one.id for one in ordered), bulletin.title, bulletin.section, bulletin.air_class,
                  tuple(one.language for one in ordered), max(one.duration_ms or 0 for one in ordered),
                  all(one.state == RecordingState.APPROVED for one in ordered))


def _may_edit(session: Session, actor: Actor, programme: Programme) -> bool:
    if programme.cancelled_at is not None:
        return False
    try:
        service.must_edit(actor, session, programme, load_poles(session))
    except ForbiddenError:
        return False
    return True
