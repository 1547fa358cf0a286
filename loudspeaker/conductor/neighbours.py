"""What airs at given nodes in a stretch of time, besides the programme that is being planned."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from loudspeaker.broadcasts.airings import airing_of, lengths
from loudspeaker.broadcasts.models import Broadcast, Origin
from loudspeaker.conductor.expand import broadcast_items, starts
from loudspeaker.playbacks.models import Playback
from loudspeaker.programmes.models import Programme
from loudspeaker.programmes.poles import Pole, Poles
from loudspeaker.programmes.service import approved_recordings, items_of, targets_of
from schedules.airings import AirClass, Airing
from schedules.expansion import broadcast_id


@dataclass
class Neighbours:
    """Airings by node, and the titles of what they belong to, by broadcast id."""

    by_node: dict[str, list[Airing]]
    titles: dict[str, str]


def neighbours(session: Session, poles: Poles, reached: Sequence[Pole], since: datetime, until: datetime,
               leave_out: str | None = None) -> Neighbours:
    """Everything planned at `reached` nodes from `since` to `until`, without the programme `leave_out`."""
    found = Neighbours({pole.id: [] for pole in reached}, {})
    programmes = [one for one in session.exec(select(Programme).where(col(Programme.cancelled_at).is_(None)))
                  if one.id != leave_out]
    ids = [one.id for one in programmes]
    targets, items = targets_of(session, ids), items_of(session, ids)
    known = approved_recordings(session, list({id_ for of in items.values() for item in of
                                               for id_ in item.recordings.values()}))
    cancelled = set(session.exec(select(Broadcast.id).where(
        col(Broadcast.cancelled_by).is_not(None), col(Broadcast.planned_end) > since, col(Broadcast.start) < until)))
    for programme in programmes:
        here = [pole for pole in poles.aimed_at(targets[programme.id]) if pole.id in found.by_node]
        if here:
            dated = [(broadcast_id(programme.id, start), start) for start in starts(programme, since, until)]
            _add_programme(found, programme, broadcast_items(items[programme.id], known),
                           [one for one in dated if one[0] not in cancelled], here)
    _add_single(session, found, reached, since, until)
    return found


def programme_airings(programme_id: str, starts_: Iterable[datetime], latest_start_s: int, air_class: int, volume: int,
                      items: Sequence[Mapping[str, object]], languages: Sequence[str], rule: str) -> list[Airing]:
    """The airings of one programme on a node of these languages."""
    sound = lengths(items, languages, rule)
    return [Airing(broadcast_id(programme_id, start), start, start + timedelta(seconds=latest_start_s),
                   AirClass(air_class), sound, volume) for start in starts_] if sound else []


def _add_programme(found: Neighbours, programme: Programme, items: Sequence[Mapping[str, object]],
                   dated: Sequence[tuple[str, datetime]], here: Sequence[Pole]) -> None:
    by_languages: dict[tuple[str, ...], list[Airing]] = {}
    for pole in here:
        airings = by_languages.get(pole.languages)
        if airings is None:
            airings = by_languages[pole.languages] = programme_airings(
                programme.id, [start for _, start in dated], programme.latest_start_s, programme.air_class,
                programme.volume, items, pole.languages, programme.languages)
        found.by_node[pole.id] += airings
    found.titles |= {id_: programme.title for id_, _ in dated}


def _add_single(session: Session, found: Neighbours, reached: Sequence[Pole], since: datetime,
                until: datetime) -> None:
    """Broadcasts that no programme made: those aired at once."""
    languages = {pole.id: pole.languages for pole in reached}
    rows = session.exec(select(Broadcast, Playback.node_id).join(
        Playback, col(Playback.broadcast_id) == col(Broadcast.id)).where(
            col(Broadcast.origin) == Origin.NOW, col(Broadcast.cancelled_at).is_(None),
            col(Broadcast.planned_end) > since, col(Broadcast.start) < until, col(Playback.withdrawn_at).is_(None)))
    for broadcast, node in rows:
        if node in languages:
            found.by_node[node].append(airing_of(broadcast, languages[node]))
            found.titles[broadcast.id] = broadcast.title
