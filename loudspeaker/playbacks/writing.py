"""Bringing the as-run log in line with journal entries: the rows concerned in one query, one update for all."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlmodel import Session, col

from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.database import upsert
from loudspeaker.playbacks.journal import Said
from loudspeaker.playbacks.models import Playback
from loudspeaker.playbacks.outcome import BEGINNINGS, ENDS, Outcome, apply

_COLUMNS = (Playback.node_id, Playback.broadcast_id, Playback.state, Playback.reason, Playback.planned_ms,
            Playback.heard_ms, Playback.started_at, Playback.ended_at, Playback.start_error_ms, Playback.peak_dbfs,
            Playback.rms_dbfs, Playback.segments, Playback.journal_id, Playback.seq)


def write_outcomes(session: Session, now: datetime, said: Iterable[Said]) -> int:
    """Apply entries about broadcasts to their playbacks; how many rows changed. Repeats change nothing."""
    concerned: dict[tuple[str, str], list[Said]] = {}
    for one in said:
        if one.entry.broadcast is not None and one.entry.kind in BEGINNINGS | ENDS:
            concerned.setdefault((one.node_id, one.entry.broadcast), []).append(one)
    if not concerned:
        return 0
    known = _known(session, concerned)
    known |= _adopted(session, concerned.keys() - known.keys(), now)
    rows = []
    for key, before in known.items():
        after = before
        for one in concerned[key]:
            after = apply(one.entry, one.journal_id, after)
        if after != before:
            rows.append(_row(key, after, now))
    _update(session, rows)
    return len(rows)


def _known(session: Session, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Outcome]:
    wanted = set(keys)
    rows = session.connection().execute(
        select(*(col(one) for one in _COLUMNS)).where(col(Playback.node_id).in_({node for node, _ in wanted}),
                                                      col(Playback.broadcast_id).in_({one for _, one in wanted})))
    return {(row.node_id, row.broadcast_id): Outcome(
                state=row.state, reason=row.reason, planned_ms=row.planned_ms, heard_ms=row.heard_ms,
                started_at=row.started_at, ended_at=row.ended_at, start_error_ms=row.start_error_ms,
                peak_dbfs=row.peak_dbfs, rms_dbfs=row.rms_dbfs, segments=tuple(row.segments),
                journal_id=row.journal_id, seq=row.seq)
            for row in rows if (row.node_id, row.broadcast_id) in wanted}


def _adopted(session: Session, keys: set[tuple[str, str]], now: datetime) -> dict[tuple[str, str], Outcome]:
    """Rows for what a node aired although it was taken back from it meanwhile."""
    starts = {id_: start for id_, start in session.connection().execute(  # noqa: C416 # rows, not pairs
        select(col(Broadcast.id), col(Broadcast.start)).where(col(Broadcast.id).in_({one for _, one in keys})))}
    adopted = [key for key in keys if key[1] in starts]
    upsert(session, Playback, [
        {"node_id": node, "broadcast_id": id_, "start": starts[id_], "state": Outcome().state, "planned_ms": 0,
         "heard_ms": 0, "segments": [], "withdrawn_at": now, "updated_at": now} for node, id_ in adopted])
    return dict.fromkeys(adopted, Outcome())


def _row(key: tuple[str, str], outcome: Outcome, now: datetime) -> dict[str, Any]:
    return {"of_node": key[0], "of_broadcast": key[1], "state": outcome.state, "reason": outcome.reason,
            "planned_ms": outcome.planned_ms, "heard_ms": outcome.heard_ms, "started_at": outcome.started_at,
            "ended_at": outcome.ended_at, "start_error_ms": outcome.start_error_ms, "peak_dbfs": outcome.peak_dbfs,
            "rms_dbfs": outcome.rms_dbfs, "segments": list(outcome.segments), "journal_id": outcome.journal_id,
            "seq": outcome.seq, "updated_at": now}


def _update(session: Session, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    changing = [name for name in rows[0] if not name.startswith("of_")]
    statement = update(Playback.__table__).where(  # type: ignore[attr-defined] # SQLModel hides the table
        col(Playback.node_id) == bindparam("of_node"), col(Playback.broadcast_id) == bindparam("of_broadcast"))
    session.connection().execute(statement.values({name: bindparam(name) for name in changing}), rows)
