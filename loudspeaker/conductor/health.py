"""Who is there: silence decides, a last will only hastens it, and a dead broker is one fault, not one per node."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlmodel import Session, col

from loudspeaker.conductor.silence import judge_silence
from loudspeaker.faults.models import FaultKind
from loudspeaker.faults.system import Finding, close_faults, open_faults, top_place
from loudspeaker.nodes.models import Node, NodeState

AFTER_A_WILL = timedelta(seconds=15)
"""How long a node may stay away after its last will before it counts as offline."""
BROKER_GRACE = timedelta(seconds=10)


def sweep_nodes(session: Session, now: datetime, silence: timedelta, listening_since: datetime) -> list[str]:
    """Declare offline what has been silent for `silence`, and open the faults that this calls for; their ids.

    Silence counts from `listening_since` at the earliest: while the server or the broker was away nobody was heard.
    """
    if now - listening_since < AFTER_A_WILL:
        return []
    seen, left = col(NodeState.seen_at), col(NodeState.left_at)
    gone = left.is_not(None) & (left < now - AFTER_A_WILL)
    silent = (seen < now - silence) if now - listening_since >= silence else gone
    rows = session.connection().execute(
        select(col(Node.id)).join(NodeState, col(NodeState.node_id) == col(Node.id))
        .where(col(NodeState.online), col(Node.retired_at).is_(None), silent | gone))
    lost = list(rows.scalars())
    if not lost:
        return []
    session.connection().execute(update(NodeState).where(col(NodeState.node_id).in_(lost))
                                 .values(online=False, changed_at=now, playing=None))
    judge_silence(session, now)
    return lost


def broker_lost(session: Session, now: datetime, reason: str) -> bool:
    """Open the one fault of a dead broker; False when there was one already, or there is no place yet."""
    place = top_place(session)
    return place is not None and bool(open_faults(session, now, [Finding(FaultKind.BROKER, place, detail=reason)]))


def broker_back(session: Session, now: datetime) -> bool:
    """Close the fault of a dead broker; False when there was none."""
    return close_faults(session, now, FaultKind.BROKER) > 0


def some_brokers_away(session: Session, now: datetime, away: tuple[str, ...]) -> bool:
    """Open one warning while some of several brokers are away, close it when all are there; False when none changed."""
    if not away:
        return close_faults(session, now, FaultKind.SPARE_BROKER) > 0
    place = top_place(session)
    return place is not None and bool(open_faults(
        session, now, [Finding(FaultKind.SPARE_BROKER, place, detail=", ".join(away))]))
