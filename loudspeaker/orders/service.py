"""Reading and keeping running orders and standing stops."""

from collections.abc import Iterable

from sqlmodel import Session, col, select

from loudspeaker.errors import NotFoundError
from loudspeaker.orders.models import Order, Stop
from loudspeaker.trust.models import Fact

EPOCH_FACT = "order_epoch"
FIRST_EPOCH = 1


def order_for(session: Session, node_id: str) -> Order:
    """The newest running order of a node, signed. Raises NotFoundError before its first."""
    order = session.get(Order, node_id)
    if order is None:
        raise NotFoundError("This loudspeaker has no running order yet.")
    return order


def epoch(session: Session) -> int:
    """The epoch of orders; a restore from backup raises it, so that versions are never reused."""
    fact = session.get(Fact, EPOCH_FACT)
    return int(fact.value) if fact else FIRST_EPOCH


def stops_by_scope(session: Session) -> dict[str, Stop]:
    """Every standing stop, active or lifted, by its scope."""
    return {one.scope: one for one in session.exec(select(Stop))}


def covering(stops: dict[str, Stop], scopes: Iterable[str]) -> list[Stop]:
    """Those of `stops` whose scope is one of `scopes`."""
    return [stops[scope] for scope in scopes if scope in stops]


def active_stops(session: Session) -> list[Stop]:
    """The stops in force, newest first."""
    return list(session.exec(select(Stop).where(col(Stop.active)).order_by(col(Stop.at).desc())))
