"""What the first page shows: on the air, next up, who is there, what waits, and today's grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, func, or_
from sqlmodel import Session, col, select

from loudspeaker.broadcasts import service as broadcasts
from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.bulletins.models import Bulletin, Recording, RecordingState
from loudspeaker.faults.service import open_count
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.orders.models import Order, Stop
from loudspeaker.orders.service import active_stops
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import Playback, PlaybackState
from loudspeaker.users.access import Actor
from schedules.hours import DAY, at_wall

NEXT_UP = 3
GRID_NODES = 200
STALE = timedelta(minutes=10)
"""A playback that has not ended this long after its plan is no longer shown as on the air."""


@dataclass(frozen=True)
class OnAir:
    """A broadcast that nodes say they are playing. `progress` is 0…1 of its planned length."""

    broadcast: Broadcast
    nodes: tuple[str, ...]
    progress: float


@dataclass(frozen=True)
class NodeCounts:
    """Nodes in service: how many there are, are heard of, and are playing."""

    total: int
    online: int
    playing: int


@dataclass(frozen=True)
class Delivery:
    """How far orders have reached: nodes that hold their newest order, and until when all of those are provided."""

    delivered: int
    total: int
    provided_until: datetime | None


@dataclass(frozen=True)
class GridNode:
    """A line of the grid."""

    id: str
    name: str
    place: str
    online: bool
    playing: str | None


@dataclass(frozen=True)
class Grid:
    """Today's broadcasts (columns, by start) and nodes (lines); `cells` by (node id, broadcast id), absent: not its."""

    broadcasts: Sequence[Broadcast]
    nodes: Sequence[GridNode]
    cells: dict[tuple[str, str], str]
    more_nodes: int
    """Nodes that are not listed because there are too many."""


@dataclass(frozen=True)
class Today:
    """Everything of the first page. `clock_offset_ms` is the largest at any node that is there."""

    now: datetime
    on_air: Sequence[OnAir]
    next_up: Sequence[Broadcast]
    nodes: NodeCounts
    approvals_waiting: int
    open_faults: int
    stops: Sequence[Stop]
    delivery: Delivery
    clock_offset_ms: float | None
    grid: Grid


def today(session: Session, actor: Actor, now: datetime, zone: ZoneInfo) -> Today:
    """What this person sees now; `zone` says when the day begins."""
    here = _here(actor)
    begins = at_wall(now.astimezone(zone).date(), datetime.min.time(), zone)
    ahead = broadcasts.between(session, actor, now, now + DAY)
    return Today(
        now=now, on_air=_on_air(session, here, now),
        next_up=[one for one in ahead if one.start > now][:NEXT_UP], nodes=_counts(session, here),
        approvals_waiting=_waiting(session, actor), open_faults=open_count(session, actor),
        stops=active_stops(session), delivery=_delivery(session, here), clock_offset_ms=_offset(session, here),
        grid=_grid(session, here, broadcasts.between(session, actor, begins, begins + DAY)))


def _here(actor: Actor) -> ColumnElement[bool]:
    paths = actor.paths()
    return or_(*(col(Place.path).startswith(path) for path in paths)) if paths else col(Place.id).is_(None)


def _on_air(session: Session, here: ColumnElement[bool], now: datetime) -> list[OnAir]:
    rows = session.exec(
        select(Broadcast, Playback.node_id).join(Playback, col(Playback.broadcast_id) == col(Broadcast.id))
        .join(Node, col(Node.id) == col(Playback.node_id)).join(Place, col(Place.id) == col(Node.place_id))
        .where(here, Playback.state == PlaybackState.PLAYING, col(Broadcast.planned_end) > now - STALE)
        .order_by(col(Broadcast.start), col(Broadcast.id), col(Playback.node_id)))
    found: dict[str, tuple[Broadcast, list[str]]] = {}
    for broadcast, node in rows:
        found.setdefault(broadcast.id, (broadcast, []))[1].append(node)
    return [OnAir(broadcast, tuple(nodes), _progress(broadcast, now)) for broadcast, nodes in found.values()]


def _progress(broadcast: Broadcast, now: datetime) -> float:
    length = broadcast.planned_end - broadcast.start
    return min(1.0, max(0.0, (now - broadcast.start) / length)) if length else 0.0


def _counts(session: Session, here: ColumnElement[bool]) -> NodeCounts:
    plays = col(NodeState.playing).is_not(None)
    rows = session.exec(
        select(NodeState.online, plays, func.count())
        .join(Node, col(Node.id) == col(NodeState.node_id)).join(Place, col(Place.id) == col(Node.place_id))
        .where(here, col(Node.retired_at).is_(None)).group_by(col(NodeState.online), plays))
    counted = [(bool(online), bool(playing), count) for online, playing, count in rows]
    return NodeCounts(sum(count for *_, count in counted), sum(count for online, _, count in counted if online),
                      sum(count for online, playing, count in counted if online and playing))


def _waiting(session: Session, actor: Actor) -> int:
    return session.exec(
        select(func.count()).select_from(Recording).join(Bulletin, col(Bulletin.id) == col(Recording.bulletin_id))
        .join(Place, col(Place.id) == col(Bulletin.place_id))
        .where(_here(actor), Recording.state == RecordingState.READY)).one()


def _delivery(session: Session, here: ColumnElement[bool]) -> Delivery:
    held = ((col(NodeState.held_epoch) == col(Order.epoch)) & (col(NodeState.held_version) >= col(Order.version)))
    total, delivered, until = session.exec(
        select(func.count(), func.count(case((held, 1))), func.min(case((held, col(Order.expires)))))
        .select_from(Order).join(Node, col(Node.id) == col(Order.node_id))
        .join(NodeState, col(NodeState.node_id) == col(Node.id))
        .join(Place, col(Place.id) == col(Node.place_id)).where(here, col(Node.retired_at).is_(None))).one()
    return Delivery(delivered, total, until)


def _offset(session: Session, here: ColumnElement[bool]) -> float | None:
    largest: float | None = session.exec(
        select(func.max(func.abs(col(NodeState.offset_ms)))).join(Node, col(Node.id) == col(NodeState.node_id))
        .join(Place, col(Place.id) == col(Node.place_id)).where(here, col(NodeState.online))).one()
    return largest


def _grid(session: Session, here: ColumnElement[bool], of_today: Sequence[Broadcast]) -> Grid:
    query = (select(Node, NodeState, Place).join(NodeState, col(NodeState.node_id) == col(Node.id))
             .join(Place, col(Place.id) == col(Node.place_id)).where(here, col(Node.retired_at).is_(None))
             .order_by(col(Place.name), col(Node.name), col(Node.id)).limit(GRID_NODES + 1))
    nodes = [GridNode(node.id, node.name, place.name, state.online, state.playing)
             for node, state, place in session.exec(query)]
    shown = nodes[:GRID_NODES]
    rows = session.exec(
        select(Playback.node_id, Playback.broadcast_id, Playback.state)
        .where(col(Playback.broadcast_id).in_([one.id for one in of_today]),
               col(Playback.node_id).in_([one.id for one in shown]), col(Playback.withdrawn_at).is_(None)))
    return Grid(of_today, shown, {(node, broadcast): state for node, broadcast, state in rows},
                _counts(session, here).total - len(shown))
