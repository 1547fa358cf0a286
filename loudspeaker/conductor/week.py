"""A week of broadcasts as a table: what airs in which half hour of which day, and when the policy lets it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.conductor.expand import starts
from loudspeaker.nodes.models import Node
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import Playback
from loudspeaker.programmes import service
from loudspeaker.programmes.models import Programme
from loudspeaker.programmes.poles import load_poles
from loudspeaker.programmes.policies import policy_on, signed_policies
from loudspeaker.users.access import Actor
from schedules.expansion import broadcast_id
from schedules.hours import DAY, Stretch, at_wall
from schedules.policy import open_between

STEP_MINUTES = 30
STEP = timedelta(minutes=STEP_MINUTES)
DAYS = 7


@dataclass(frozen=True)
class Airing:
    """One broadcast of the week; `programme_id` is None for what was aired at once."""

    id: str
    programme_id: str | None
    title: str
    start: datetime
    air_class: int


@dataclass(frozen=True)
class Cell:
    """Half an hour of one day; `open` when the policy opens any of it."""

    open: bool
    airings: Sequence[Airing]


@dataclass(frozen=True)
class Week:
    """`rows` are wall times with one cell for each of `days`; hours in which nothing is open or airs are left out."""

    days: Sequence[date]
    rows: Sequence[tuple[time, Sequence[Cell]]]
    by_day: Sequence[Sequence[Airing]]
    open_by_day: Sequence[Sequence[tuple[datetime, datetime]]]
    signed: bool
    """Whether any policy is signed for the place."""


@dataclass
class _Gathered:
    by_id: dict[str, Airing] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)


def week_of(session: Session, actor: Actor, place: Place, monday: date, zone: ZoneInfo) -> Week:
    """The week from `monday` on at the nodes of `place` and below. Raises ForbiddenError."""
    actor.must_see(place)
    days = [monday + timedelta(days=number) for number in range(DAYS)]
    since, until = _midnight(days[0], zone), _midnight(days[-1] + DAY, zone)
    airings = sorted(_airings(session, place, since, until), key=lambda one: (one.start, one.title))
    policy = policy_on(signed_policies(session), place.path_ids)
    stretches = open_between(policy, since, until) if policy else []
    by_day = [[one for one in airings if one.start.astimezone(zone).date() == day] for day in days]
    return Week(days, _rows(days, by_day, stretches, zone), by_day,
                [_within(stretches, _midnight(day, zone), _midnight(day + DAY, zone)) for day in days],
                policy is not None)


def _airings(session: Session, place: Place, since: datetime, until: datetime) -> Iterable[Airing]:
    """What is dated already, and beyond that what the programmes will bring."""
    gathered = _dated(session, place, since, until)
    poles = load_poles(session)
    programmes = session.exec(select(Programme).where(col(Programme.cancelled_at).is_(None))).all()
    targets = service.targets_of(session, [one.id for one in programmes])
    for programme in programmes:
        if not any(pole.path.startswith(place.path) for pole in poles.aimed_at(targets[programme.id])):
            continue
        for start in starts(programme, since, until):
            made = broadcast_id(programme.id, start)
            if made not in gathered.cancelled and start > programme.changed_at:
                gathered.by_id.setdefault(
                    made, Airing(made, programme.id, programme.title, start, programme.air_class))
    return gathered.by_id.values()


def _dated(session: Session, place: Place, since: datetime, until: datetime) -> _Gathered:
    found = _Gathered()
    here = (select(Playback.broadcast_id).join(Node, col(Node.id) == col(Playback.node_id))
            .join(Place, col(Place.id) == col(Node.place_id))
            .where(col(Place.path).startswith(place.path, autoescape=True), col(Playback.withdrawn_at).is_(None)))
    in_week = (col(Broadcast.start) >= since, col(Broadcast.start) < until)
    found.cancelled.update(session.exec(select(Broadcast.id).where(
        *in_week, col(Broadcast.cancelled_at).is_not(None))))
    for one in session.exec(select(Broadcast).where(*in_week, col(Broadcast.id).in_(here))):
        if one.id not in found.cancelled:
            found.by_id[one.id] = Airing(one.id, one.programme_id, one.title, one.start, one.air_class)
    return found


def _rows(days: Sequence[date], by_day: Sequence[Sequence[Airing]], stretches: Sequence[Stretch],
          zone: ZoneInfo) -> list[tuple[time, Sequence[Cell]]]:
    rows: list[tuple[time, Sequence[Cell]]] = []
    steps = [time(hour, minute) for hour in range(24) for minute in range(0, 60, STEP_MINUTES)]
    for wall in steps:
        cells: list[Cell] = []
        for day, airings in zip(days, by_day, strict=True):
            start = at_wall(day, wall, zone)
            cells.append(Cell(any(one.start < start + STEP and one.end > start for one in stretches),
                              [one for one in airings if start <= one.start < start + STEP]))
        if any(cell.open or cell.airings for cell in cells):
            rows.append((wall, cells))
    return rows if len(rows) < len(steps) else _with_airings(rows)


def _with_airings(rows: list[tuple[time, Sequence[Cell]]]) -> list[tuple[time, Sequence[Cell]]]:
    """Of a day that is open all round, the hours from the first airing to the last, an hour of room around them."""
    busy = [number for number, (_, cells) in enumerate(rows) if any(cell.airings for cell in cells)]
    return rows[max(0, busy[0] - 2):busy[-1] + 3] if busy else rows[10:38]


def _within(stretches: Iterable[Stretch], since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    return [(max(one.start, since), min(one.end, until)) for one in stretches if one.start < until and one.end > since]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return at_wall(day, time(0), zone)
