"""Faults that the system sees by itself: opened once per cause, counted while they last, closed when they are over."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from loudspeaker.faults.models import Fault, FaultKind, FaultState, Source
from loudspeaker.places.models import Place


@dataclass(frozen=True)
class Finding:
    """One cause: its kind, where it is, and `reason` by which findings of one kind at one node are told apart."""

    kind: FaultKind
    place_id: str
    node_id: str | None = None
    reason: str = ""
    detail: str = ""
    times: int = 1
    """How often it was seen."""

    @property
    def key(self) -> tuple[str, str | None, str]:
        """What makes two findings the same fault."""
        return self.kind, self.node_id, self.reason


def open_faults(session: Session, now: datetime, findings: Iterable[Finding], count_again: bool = True) -> list[Fault]:
    """Open a fault for every finding that has none yet; those that have are counted. Returns the new ones.

    Without `count_again` a finding that lasts is not counted each time it is seen.
    """
    by_key: dict[tuple[str, str | None, str], list[Finding]] = {}
    for one in findings:
        by_key.setdefault(one.key, []).append(one)
    if not by_key:
        return []
    known = {(fault.kind, fault.node_id, str(fault.data.get("reason", ""))): fault
             for fault in _unfinished(session, {kind for kind, _, _ in by_key})}
    opened = []
    for key, same in by_key.items():
        newest, fault = same[-1], known.get(key)
        if fault is not None and not count_again:
            continue
        if fault is None:
            fault = Fault(kind=newest.kind, source=Source.SYSTEM, node_id=newest.node_id, place_id=newest.place_id,
                          opened_at=now)
            opened.append(fault)
        count = int(fault.data.get("count", 0)) + sum(one.times for one in same)
        fault.data = {"reason": newest.reason, "detail": _printable(newest.detail) or fault.data.get("detail", ""),
                      "count": count, "last_at": now.isoformat()}
        session.add(fault)
    session.flush()
    return opened


def close_faults(session: Session, now: datetime, kind: FaultKind, node_ids: Collection[str] | None = None) -> int:
    """Close the system's open faults of a kind (at some nodes), because what caused them is over; how many."""
    over = [one for one in _unfinished(session, {kind}) if node_ids is None or one.node_id in node_ids]
    for fault in over:
        fault.state, fault.closed_at = FaultState.CLOSED, now
        session.add(fault)
    session.flush()
    return len(over)


def close_reasons(session: Session, now: datetime, kind: FaultKind, reasons: Collection[str]) -> int:
    """Close the system's open faults of a kind with one of `reasons` at no node; how many."""
    over = [one for one in _unfinished(session, {kind}) if one.node_id is None and one.data.get("reason") in reasons]
    for fault in over:
        fault.state, fault.closed_at = FaultState.CLOSED, now
        session.add(fault)
    session.flush()
    return len(over)


def top_place(session: Session) -> str | None:
    """The id of the place to which a fault of the whole installation belongs; None before the first run."""
    return session.exec(select(Place.id).where(col(Place.parent_id).is_(None))
                        .order_by(col(Place.created_at), col(Place.id)).limit(1)).first()


def _unfinished(session: Session, kinds: Collection[str]) -> list[Fault]:
    return list(session.exec(select(Fault).where(
        col(Fault.kind).in_(kinds), col(Fault.source) == Source.SYSTEM, col(Fault.state) != FaultState.CLOSED)))


def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:200]
