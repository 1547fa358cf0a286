"""Finding dated broadcasts, and who may touch them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_
from sqlmodel import Session, col, select

from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.errors import NotFoundError
from loudspeaker.places.models import Place
from loudspeaker.users.access import Actor


def seen(session: Session, actor: Actor, broadcast_id: str) -> Broadcast:
    """A broadcast that this person may see. Raises NotFoundError, ForbiddenError."""
    broadcast = session.get(Broadcast, broadcast_id)
    place = session.get(Place, broadcast.place_id) if broadcast else None
    if broadcast is None or place is None:
        raise NotFoundError
    actor.must_see(place)
    return broadcast


def between(session: Session, actor: Actor, since: datetime, until: datetime,
            cancelled: bool = False) -> Sequence[Broadcast]:
    """Broadcasts on the air at some time from `since` to `until`, at places this person sees, by start."""
    here = [col(Place.path).startswith(path) for path in actor.paths()]
    if not here:
        return []
    query = (select(Broadcast).join(Place, col(Place.id) == col(Broadcast.place_id))
             .where(or_(*here), col(Broadcast.start) < until, col(Broadcast.planned_end) > since)
             .order_by(col(Broadcast.start), col(Broadcast.id)))
    if not cancelled:
        query = query.where(col(Broadcast.cancelled_at).is_(None))
    return session.exec(query).all()
