"""What stands around every staff page: what waits, what is broken, whether a stop holds."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from loudspeaker.approvals.service import waiting_for
from loudspeaker.conductor.commands import ALL
from loudspeaker.faults.models import Fault, FaultState, Source
from loudspeaker.orders.service import active_stops
from loudspeaker.places.models import Place
from loudspeaker.users.access import Actor
from loudspeaker.users.models import User


@dataclass(frozen=True)
class Surroundings:
    """Counts for the navigation, the name over it, and the stop that holds everywhere (instant, who pressed it)."""

    place: str
    waiting_approval: int
    open_faults: int
    stopped_at: datetime | None = None
    stopped_by: str = ""


def surroundings(session: Session, actor: Actor) -> Surroundings:
    """What `actor` is told around every page."""
    stops = [stop for stop in active_stops(session) if stop.scope == ALL]
    newest = max(stops, key=lambda stop: stop.at, default=None)
    stopper = session.get(User, newest.by) if newest and newest.by else None
    return Surroundings(
        place=_top_place(session, actor),
        waiting_approval=sum(not one.own and not one.signed_by_me for one in waiting_for(session, actor)),
        open_faults=_open_faults(session, actor),
        stopped_at=newest.at if newest else None,
        stopped_by=stopper.name if stopper else "",
    )


def _top_place(session: Session, actor: Actor) -> str:
    held = min(actor.roles, key=lambda role: len(role.path), default=None)
    place = session.get(Place, held.place_id) if held else None
    return place.name if place else ""


def _open_faults(session: Session, actor: Actor) -> int:
    paths = actor.paths()
    if not paths:
        return 0
    return session.exec(
        select(func.count()).select_from(Fault).join(Place, col(Place.id) == col(Fault.place_id))
        .where(Fault.state != FaultState.CLOSED, Fault.source != Source.PUBLIC,
               or_(*(col(Place.path).startswith(path, autoescape=True) for path in paths)))).one()
