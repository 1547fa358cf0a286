"""The as-run log as people ask for it: filtered, counted, a page at a time, and from a row to its evidence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_
from sqlmodel import Session, col, select

from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.errors import NotFoundError
from loudspeaker.nodes.models import Node
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import JournalEntry, Playback, PlaybackState
from loudspeaker.users.access import Actor

READ_AHEAD = 1000


@dataclass(frozen=True)
class LogQuery:
    """What to show; what is None or empty does not narrow. `place_id` takes everything below it, `title` a part."""

    place_id: str | None = None
    node_id: str | None = None
    broadcast_id: str | None = None
    title: str = ""
    air_class: int | None = None
    states: tuple[PlaybackState, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class LogRow:
    """One line of the as-run log."""

    playback: Playback
    broadcast: Broadcast
    node: Node
    place: Place


@dataclass(frozen=True)
class Evidence:
    """A line of the log with the journal entries that it rests on, in the node's order."""

    row: LogRow
    entries: Sequence[JournalEntry]


def page(session: Session, actor: Actor, query: LogQuery, limit: int = 100, offset: int = 0) -> list[LogRow]:
    """Newest first."""
    wanted = _conditions(session, actor, query)
    if wanted is None:
        return []
    return [LogRow(*row) for row in session.exec(_rows(wanted, newest_first=True).limit(limit).offset(offset))]


def every(session: Session, actor: Actor, query: LogQuery) -> Iterator[LogRow]:
    """All rows, oldest first, read as they are used."""
    wanted = _conditions(session, actor, query)
    if wanted is not None:
        rows = session.exec(_rows(wanted, newest_first=False).execution_options(yield_per=READ_AHEAD))
        yield from (LogRow(*row) for row in rows)


def counts(session: Session, actor: Actor, query: LogQuery) -> dict[PlaybackState, int]:
    """How many rows there are in each state."""
    wanted = _conditions(session, actor, query)
    if wanted is None:
        return {}
    rows = session.exec(_joined(select(Playback.state, func.count())).where(wanted).group_by(col(Playback.state)))
    return {PlaybackState(state): count for state, count in rows}


def evidence(session: Session, actor: Actor, node_id: str, broadcast_id: str) -> Evidence:
    """From a row to its evidence. Raises NotFoundError, ForbiddenError."""
    found = session.exec(_joined(select(Playback, Broadcast, Node, Place)).where(
        Playback.node_id == node_id, Playback.broadcast_id == broadcast_id)).first()
    if found is None:
        raise NotFoundError
    row = LogRow(*found)
    actor.must_see(row.place)
    entries = session.exec(select(JournalEntry).where(JournalEntry.node_id == node_id,
                                                      JournalEntry.broadcast_id == broadcast_id)
                           .order_by(col(JournalEntry.journal_id), col(JournalEntry.seq))).all()
    return Evidence(row, entries)


def journal(session: Session, actor: Actor, node_id: str, limit: int = 100,
            before: datetime | None = None) -> Sequence[JournalEntry]:
    """The newest entries of a node's journal. Raises NotFoundError, ForbiddenError."""
    node = session.get(Node, node_id)
    if node is None:
        raise NotFoundError
    actor.must_see(session.get_one(Place, node.place_id))
    query = select(JournalEntry).where(JournalEntry.node_id == node_id)
    if before is not None:
        query = query.where(col(JournalEntry.at) < before)
    return session.exec(query.order_by(col(JournalEntry.at).desc(), col(JournalEntry.seq).desc()).limit(limit)).all()


def _rows(wanted: ColumnElement[bool], newest_first: bool) -> Any:
    start = col(Playback.start)
    return _joined(select(Playback, Broadcast, Node, Place)).where(wanted).order_by(
        start.desc() if newest_first else start, col(Node.name), col(Playback.node_id), col(Playback.broadcast_id))


def _joined(query: Any) -> Any:
    return (query.select_from(Playback).join(Broadcast, col(Broadcast.id) == col(Playback.broadcast_id))
            .join(Node, col(Node.id) == col(Playback.node_id)).join(Place, col(Place.id) == col(Node.place_id)))


def _conditions(session: Session, actor: Actor, query: LogQuery) -> ColumnElement[bool] | None:
    here = [col(Place.path).startswith(path) for path in actor.paths()]
    place = session.get(Place, query.place_id) if query.place_id else None
    if not here or (query.place_id and place is None):
        return None
    # what was taken back before its node ever spoke of it is no playback
    wanted: list[ColumnElement[bool]] = [or_(*here), or_(col(Playback.withdrawn_at).is_(None),
                                                        col(Playback.state) != PlaybackState.AWAITING)]
    if place is not None:
        wanted.append(col(Place.path).startswith(place.path))
    if query.node_id:
        wanted.append(col(Playback.node_id) == query.node_id)
    if query.broadcast_id:
        wanted.append(col(Playback.broadcast_id) == query.broadcast_id)
    if query.air_class is not None:
        wanted.append(col(Broadcast.air_class) == query.air_class)
    if query.states:
        wanted.append(col(Playback.state).in_(query.states))
    if query.since is not None:
        wanted.append(col(Playback.start) >= query.since)
    if query.until is not None:
        wanted.append(col(Playback.start) < query.until)
    if query.title.strip():
        wanted.append(col(Broadcast.found_by).contains(query.title.strip().casefold(), autoescape=True))
    return and_(*wanted)
