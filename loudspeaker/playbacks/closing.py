"""Closing playbacks for which a node will not speak any more."""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlmodel import Session, col

from loudspeaker.audit.service import record
from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.nodes.models import NodeState
from loudspeaker.playbacks.models import JournalMark, Playback, PlaybackState
from loudspeaker.users.access import Actor

SETTLED = timedelta(seconds=180)
"""How long after a broadcast's window its node has certainly journalled it: 120 s of grace, a heartbeat, and slack."""
NOT_HELD = "not_held"
RETIRED = "retired"
JOURNAL_LOST = "journal_lost"


def close_not_held(session: Session, now: datetime) -> tuple[int, int]:
    """Close as `missed: not_held` what a node's contiguous journal has passed without a word; (closed, vanished).

    What was withdrawn from a node that says nothing of it never reached that node: the row vanishes.
    """
    passed = _passed(session, now)
    if not passed:
        return 0, 0
    closed = vanished = 0
    for node_id, until in passed.items():
        silent = (col(Playback.node_id) == node_id, col(Playback.state) == PlaybackState.AWAITING,
                  col(Playback.start) < until, col(Playback.broadcast_id).in_(
                      select(col(Broadcast.id)).where(
                          col(Broadcast.latest_start) < until - SETTLED, col(Broadcast.planned_end) < until - SETTLED)))
        vanished += session.connection().execute(
            delete(Playback).where(*silent, col(Playback.withdrawn_at).is_not(None))).rowcount
        closed += session.connection().execute(
            update(Playback).where(*silent, col(Playback.withdrawn_at).is_(None))
            .values(state=PlaybackState.MISSED, reason=NOT_HELD, updated_at=now)).rowcount
    return closed, vanished


def close_lost(session: Session, now: datetime, node_id: str, until: datetime) -> int:
    """Close as `unknown` what was over before `until` on a node that has told of it, but to no server that is left."""
    over = col(Playback.broadcast_id).in_(select(col(Broadcast.id)).where(
        col(Broadcast.latest_start) < until - SETTLED, col(Broadcast.planned_end) < until - SETTLED))
    closed: int = session.connection().execute(
        update(Playback).where(
            col(Playback.node_id) == node_id, over,
            col(Playback.state).in_((PlaybackState.AWAITING, PlaybackState.PLAYING)))
        .values(state=PlaybackState.UNKNOWN, reason=JOURNAL_LOST, updated_at=now)).rowcount
    return closed


def close_for_retired(session: Session, actor: Actor, now: datetime, node_id: str) -> int:
    """Close everything open of a node that is taken down as `unknown`, by a named person; how many.

    What had not begun yet vanishes: it was never to be heard there.
    """
    of_node = (col(Playback.node_id) == node_id,
               col(Playback.state).in_((PlaybackState.AWAITING, PlaybackState.PLAYING)))
    session.connection().execute(delete(Playback).where(*of_node, col(Playback.start) > now))
    closed: int = session.connection().execute(
        update(Playback).where(*of_node).values(state=PlaybackState.UNKNOWN, reason=RETIRED, closed_by=actor.user.id,
                                                updated_at=now)).rowcount
    record(session, now, actor.user.id, "playback.close_for_retired", f"node:{node_id}", closed=closed)
    return closed


def _passed(session: Session, now: datetime) -> dict[str, datetime]:
    """Up to which instant each node with something open has certainly spoken, by node."""
    waiting = (select(col(Playback.node_id), func.min(col(Playback.start)))
               .where(col(Playback.state) == PlaybackState.AWAITING, col(Playback.start) < now)
               .group_by(col(Playback.node_id)))
    oldest = {node: start for node, start in session.connection().execute(waiting)}  # noqa: C416 # rows, not pairs
    rows = session.connection().execute(
        select(col(NodeState.node_id), col(NodeState.seen_at), col(NodeState.last_seq), col(JournalMark.seq),
               col(JournalMark.at))
        .join(JournalMark, (col(JournalMark.node_id) == col(NodeState.node_id))
              & (col(JournalMark.journal_id) == col(NodeState.journal_id)))
        .where(col(NodeState.node_id).in_(oldest)))
    found: dict[str, datetime] = {}
    for node_id, seen_at, last_seq, seq, at in rows:
        spoken = seen_at if seen_at and seq >= last_seq else at
        if spoken and oldest[node_id] < spoken - SETTLED:
            found[node_id] = min(spoken, now)
    return found
