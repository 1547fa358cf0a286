"""Which silence is one pole's and which is a whole place's: a commune without power is one incident, not fifty."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from loudspeaker.faults.models import Fault, FaultKind, FaultState, Source
from loudspeaker.faults.system import Finding, close_reasons, open_faults
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.places.models import Place

FEWEST = 3
"""Nodes that a place needs to count as a whole."""
LIVELY = timedelta(seconds=45)
"""A node heard within this (a heartbeat and some slack) shows that its places are not all silent."""
HALF = 2
"""An incident is over once more than one in so many of its nodes are back."""
RETURNING = timedelta(seconds=60)
"""How long the other nodes of a place may take to come back after an incident is over."""


@dataclass(frozen=True)
class Standing:
    """A node in service that has spoken at least once. `path` holds its places' ids from the top down."""

    node: str
    path: tuple[str, ...]
    online: bool
    lively: bool
    since: datetime | None = None
    """When it went offline, or came back."""


@dataclass(frozen=True)
class Silence:
    """What the standings say now."""

    places: Mapping[str, int]
    """Places that are silent as a whole (the widest of each), with their number of nodes."""
    single: tuple[Standing, ...]
    """Nodes that are offline while others near them are not."""
    mostly_back: frozenset[str]
    """Places of which more than half is online."""


def silence_of(standings: Iterable[Standing]) -> Silence:
    """Tell the silence of places from that of nodes.

    While nobody of a place is lively but some are not offline yet, its nodes and all within it wait for the next look.
    """
    listed = tuple(standings)
    by_place: dict[str, list[Standing]] = {}
    for one in listed:
        for place in one.path:
            by_place.setdefault(place, []).append(one)
    wholes = {place: nodes for place, nodes in by_place.items() if len(nodes) >= FEWEST}
    silent = {place for place, nodes in wholes.items() if not any(one.lively for one in nodes)}
    widest = {next(place for place in one.path if place in silent) for one in listed if silent & set(one.path)}
    return Silence(
        {place: len(wholes[place]) for place in widest if not any(one.online for one in wholes[place])},
        tuple(one for one in listed if not one.online and not silent & set(one.path)),
        frozenset(place for place, nodes in by_place.items()
                  if sum(one.online for one in nodes) * HALF > len(nodes)))


def judge_silence(session: Session, now: datetime) -> bool:
    """Open a fault for each silent node, one for a whole silent place, and close those that are over.

    A fault that a person has closed is not opened again for the same silence. True when anything changed.
    """
    standings = _standings(session, now)
    if all(one.online for one in standings) and not _incidents(session):
        return False
    found = silence_of(standings)
    above = {place: one.path[:one.path.index(place)] for one in standings for place in one.path}
    over = {place for place in _incidents(session)
            if place in found.mostly_back or found.places.keys() & set(above.get(place, ()))}
    closed = close_reasons(session, now, FaultKind.OFFLINE, over)
    since = min((one.since for one in standings if not one.online and one.since), default=now)
    known = _known(session, since - RETURNING)
    findings = [Finding(FaultKind.OFFLINE, place, None, place, str(count)) for place, count in found.places.items()
                if not _is_known(known, place, _since_of(standings, place, now))
                and not _is_covered(known, above[place], now)]
    findings += [Finding(FaultKind.OFFLINE, one.path[-1], one.node) for one in found.single
                 if not _is_known(known, one.node, one.since or now) and not _is_covered(known, one.path, now)]
    return bool(open_faults(session, now, findings, count_again=False)) or bool(closed)


def _standings(session: Session, now: datetime) -> list[Standing]:
    rows = session.connection().execute(
        select(col(Node.id), col(Place.path), col(NodeState.online), col(NodeState.seen_at), col(NodeState.left_at),
               col(NodeState.changed_at))
        .join(NodeState, col(NodeState.node_id) == col(Node.id)).join(Place, col(Place.id) == col(Node.place_id))
        .where(col(Node.retired_at).is_(None), col(NodeState.seen_at).is_not(None)))
    return [Standing(node, tuple(path.strip("/").split("/")), online,
                     online and left is None and bool(seen and now - seen < LIVELY), changed)
            for node, path, online, seen, left, changed in rows]


def _incidents(session: Session) -> set[str]:
    """Places with an unfinished incident."""
    rows = session.connection().execute(select(col(Fault.data)).where(
        col(Fault.kind) == FaultKind.OFFLINE, col(Fault.source) == Source.SYSTEM, col(Fault.node_id).is_(None),
        col(Fault.state) != FaultState.CLOSED))
    return {str(data.get("reason")) for (data,) in rows}


@dataclass(frozen=True)
class _Known:
    opened: datetime
    closed: datetime | None


def _known(session: Session, since: datetime) -> dict[str, _Known]:
    """The newest fault of silence of each node and each place, as far back as matters."""
    rows = session.connection().execute(
        select(col(Fault.node_id), col(Fault.data), col(Fault.opened_at), col(Fault.closed_at))
        .where(col(Fault.kind) == FaultKind.OFFLINE, col(Fault.source) == Source.SYSTEM,
               (col(Fault.opened_at) >= since) | (col(Fault.closed_at) >= since) | col(Fault.closed_at).is_(None))
        .order_by(col(Fault.opened_at)))
    return {node or str(data.get("reason")): _Known(opened, closed) for node, data, opened, closed in rows}


def _is_known(known: Mapping[str, _Known], name: str, since: datetime) -> bool:
    one = known.get(name)
    return one is not None and (one.closed is None or one.opened >= since)


def _is_covered(known: Mapping[str, _Known], path: Collection[str], now: datetime) -> bool:
    """Whether one of the places has an incident, or had one until a moment ago."""
    incidents = [known[place] for place in path if place in known]
    return any(incident.closed is None or now - incident.closed < RETURNING for incident in incidents)


def _since_of(standings: Collection[Standing], place: str, now: datetime) -> datetime:
    """When the last node of a place went silent."""
    return max((one.since for one in standings if place in one.path and one.since), default=now)
