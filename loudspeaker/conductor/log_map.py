"""The as-run log as a map of nodes × days: where and when something was not aired."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func
from sqlmodel import Session, col, select

from loudspeaker.conductor.node_pages import nodes_table
from loudspeaker.nodes.models import Node
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import Playback, PlaybackState
from loudspeaker.users.access import Actor
from schedules.hours import at_wall

MAP_DAYS = 14
MAP_NODES = 100
_GRAVEST = (PlaybackState.MISSED, PlaybackState.PARTIAL, PlaybackState.UNKNOWN, PlaybackState.AWAITING,
            PlaybackState.PLAYING, PlaybackState.PLAYED)


@dataclass(frozen=True)
class Day:
    """What one node did on one day: the gravest state, how many broadcasts there were and how many were played."""

    state: PlaybackState
    played: int
    total: int


@dataclass(frozen=True)
class LogMap:
    """Days (newest first) × nodes (by place and name); `cells` by (node id, day), absent: nothing was planned."""

    days: Sequence[date]
    nodes: Sequence[tuple[Node, Place]]
    cells: dict[tuple[str, date], Day]
    more_nodes: int


def log_map(session: Session, actor: Actor, now: datetime, zone: ZoneInfo, place_id: str | None = None) -> LogMap:
    """The last MAP_DAYS days of the nodes this person sees, at `place_id` and below; what is to come is left out."""
    table = nodes_table(session, actor, place_id, limit=MAP_NODES)
    shown = [(line.node, line.place) for line in table.lines]
    today = now.astimezone(zone).date()
    days = [today - timedelta(days=back) for back in range(MAP_DAYS)]
    counts: dict[tuple[str, date], dict[str, int]] = {}
    for day in days:
        begins, ends = (at_wall(one, datetime.min.time(), zone) for one in (day, day + timedelta(days=1)))
        rows = session.exec(
            select(Playback.node_id, Playback.state, func.count())
            .where(col(Playback.node_id).in_([node.id for node, _ in shown]), col(Playback.start) >= begins,
                   col(Playback.start) < min(ends, now), col(Playback.withdrawn_at).is_(None))
            .group_by(Playback.node_id, Playback.state))
        for node_id, state, count in rows:
            counts.setdefault((node_id, day), {})[state] = count
    return LogMap(days, shown, {key: _day(states) for key, states in counts.items()}, table.total - len(shown))


def _day(states: dict[str, int]) -> Day:
    gravest = next(one for one in _GRAVEST if states.get(one))
    return Day(gravest, states.get(PlaybackState.PLAYED, 0), sum(states.values()))
