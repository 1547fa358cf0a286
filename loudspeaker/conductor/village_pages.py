"""What a village head sees on the phone: today's timetable of the village, its loudspeakers, the own reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.errors import ForbiddenError, NotFoundError
from loudspeaker.faults.models import Fault, FaultPhoto, Source
from loudspeaker.faults.service import reported_by
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.nodes.service import node_by_sticker
from loudspeaker.places import tree
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import Playback, PlaybackState
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role
from schedules.hours import DAY, at_wall

VILLAGERS = (Role.VILLAGE_HEAD, Role.PRECINCT_TEAM)
TICKETS = 10


@dataclass(frozen=True)
class Airing:
    """A broadcast of today in the village: at how many nodes it was played, of how many; `state` over all of them."""

    broadcast: Broadcast
    state: PlaybackState
    played: int
    nodes: int


@dataclass(frozen=True)
class Village:
    """Everything of the village's page. `places` are those that the person looks after."""

    places: Sequence[Place]
    phone: str
    timetable: Sequence[Airing]
    nodes: Sequence[tuple[Node, NodeState]]
    tickets: Sequence[tuple[Fault, Node | None]]


@dataclass(frozen=True)
class Ticket:
    """A report as its reporter sees it again."""

    fault: Fault
    node: Node | None
    place: Place
    photos: int
    phone: str


def village(session: Session, actor: Actor, now: datetime, zone: ZoneInfo) -> Village:
    """The village of a village head or precinct team. Raises ForbiddenError for everybody else."""
    paths = actor.paths(*VILLAGERS)
    if not paths:
        raise ForbiddenError
    places = [tree.get(session, path.strip("/").rsplit("/", 1)[-1]) for path in paths]
    nodes = [(node, state) for node, state in session.exec(
        select(Node, NodeState).join(NodeState, col(NodeState.node_id) == col(Node.id))
        .join(Place, col(Place.id) == col(Node.place_id))
        .where(or_(*(col(Place.path).startswith(path) for path in paths)), col(Node.retired_at).is_(None))
        .order_by(col(Node.name), col(Node.id)))]
    tickets = [(fault, session.get(Node, fault.node_id) if fault.node_id else None)
               for fault in reported_by(session, actor, TICKETS)]
    return Village(places, phone_of(session, places[0]), _timetable(session, [node.id for node, _ in nodes], now, zone),
                   nodes, tickets)


def phone_of(session: Session, place: Place) -> str:
    """The telephone of a place, else of the nearest one above that has one; empty when none has."""
    return next((one.phone for one in reversed(tree.path_of(session, place)) if one.phone), "")


def any_phone(session: Session) -> str:
    """The telephone of the topmost place that has one, for people of whom nothing is known."""
    return session.exec(select(Place.phone).where(Place.phone != "", col(Place.archived_at).is_(None))
                        .order_by(func.length(col(Place.path)), col(Place.created_at)).limit(1)).first() or ""


def own_ticket(session: Session, actor: Actor, fault_id: str) -> Ticket:
    """A report of this person. Raises NotFoundError."""
    fault = session.get(Fault, fault_id)
    if fault is None or fault.reporter_id != actor.user.id:
        raise NotFoundError
    return _ticket(session, fault)


def public_ticket(session: Session, sticker: str, fault_id: str) -> Ticket:
    """A report that came by the sticker of a loudspeaker without an account. Raises NotFoundError."""
    node, fault = node_by_sticker(session, sticker), session.get(Fault, fault_id)
    if fault is None or fault.node_id != node.id or fault.source != Source.PUBLIC:
        raise NotFoundError
    return _ticket(session, fault)


def _ticket(session: Session, fault: Fault) -> Ticket:
    place = tree.get(session, fault.place_id)
    photos = session.exec(select(func.count()).select_from(FaultPhoto).where(FaultPhoto.fault_id == fault.id)).one()
    return Ticket(fault, session.get(Node, fault.node_id) if fault.node_id else None, place, photos,
                  phone_of(session, place))


def _timetable(session: Session, nodes: Sequence[str], now: datetime, zone: ZoneInfo) -> list[Airing]:
    begins = at_wall(now.astimezone(zone).date(), datetime.min.time(), zone)
    rows = session.exec(
        select(Broadcast, Playback.state).join(Playback, col(Playback.broadcast_id) == col(Broadcast.id))
        .where(col(Playback.node_id).in_(nodes), col(Playback.start) >= begins, col(Playback.start) < begins + DAY,
               col(Playback.withdrawn_at).is_(None), col(Broadcast.cancelled_at).is_(None))
        .order_by(col(Broadcast.start), col(Broadcast.id)))
    found: dict[str, tuple[Broadcast, list[PlaybackState]]] = {}
    for broadcast, state in rows:
        found.setdefault(broadcast.id, (broadcast, []))[1].append(PlaybackState(state))
    return [Airing(broadcast, _over_all(states), states.count(PlaybackState.PLAYED), len(states))
            for broadcast, states in found.values()]


def _over_all(states: Sequence[PlaybackState]) -> PlaybackState:
    """Playing while any plays, open while any is open, else the worst end."""
    order = (PlaybackState.PLAYING, PlaybackState.AWAITING, PlaybackState.MISSED, PlaybackState.PARTIAL,
             PlaybackState.UNKNOWN)
    return next((one for one in order if one in states), PlaybackState.PLAYED)
