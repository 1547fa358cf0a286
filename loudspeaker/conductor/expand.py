"""From programmes to dated broadcasts, and one open playback for every node that is to air each. Idempotent."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from sqlalchemy import literal, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from loudspeaker.broadcasts.airings import longest, planned_ms
from loudspeaker.broadcasts.models import Broadcast, Origin
from loudspeaker.database import insert_or, one_writer, upsert
from loudspeaker.nodes.models import Node
from loudspeaker.playbacks.models import Playback, PlaybackState
from loudspeaker.programmes.draft import DraftItem
from loudspeaker.programmes.models import Programme
from loudspeaker.programmes.poles import Pole, load_poles
from loudspeaker.programmes.service import KnownRecording, approved_recordings, items_of, targets_of
from schedules.expansion import broadcast_id
from schedules.recurrence import BadRecurrence, occurrences

SHOWN = ("programme_id", "place_id", "origin", "title", "start", "latest_start", "planned_end", "air_class", "volume",
         "languages", "items", "found_by", "cancelled_at")

CHUNK = 5000
LOCK = 0x657870
log = structlog.get_logger("expand")


@dataclass
class Expansion:
    """What an expansion changed: broadcasts written and taken back, (node, broadcast) pairs added and withdrawn."""

    written: int = 0
    cancelled: int = 0
    added: int = 0
    withdrawn: int = 0

    @property
    def changed(self) -> bool:
        """True when nodes are asked for something else than before."""
        return bool(self.written or self.cancelled or self.added or self.withdrawn)


@dataclass
class _Plan:
    """What one programme asks for: broadcasts by id, and the nodes of all of them."""

    poles: Sequence[Pole] = ()
    broadcasts: dict[str, dict[str, Any]] = field(default_factory=dict)


def expand(session: Session, now: datetime, horizon: timedelta,
           programme_ids: Collection[str] | None = None) -> Expansion:
    """Bring the broadcasts that begin after `now` and within `horizon` in line with the programmes (or with some).

    What has begun is never touched. What a person cancelled by itself stays cancelled.
    """
    one_writer(session, LOCK)
    programmes = _programmes(session, now, programme_ids)
    plans = _plans(session, programmes, now, horizon)
    existing = _existing(session, list(plans), now)
    done = Expansion()
    written = _write_broadcasts(session, plans, existing)
    done.written, done.cancelled = len(written), _take_back(session, plans, existing, now)
    _pair(session, plans, existing, written, now, done)
    for row in [one for one in session if isinstance(one, Broadcast | Playback)]:
        session.expire(row)  # they were changed behind the session's back
    return done


def add_playbacks(session: Session, broadcast: Broadcast, poles: Iterable[Pole], now: datetime) -> None:
    """One open playback for every node that is to air `broadcast`."""
    _add_playbacks(session, broadcast.model_dump(), list(poles), now)


def broadcast_items(items: Iterable[DraftItem], known: Mapping[str, KnownRecording]) -> list[dict[str, Any]]:
    """The items as a broadcast keeps them. Recordings that are not approved (any more) are left out."""
    listed = []
    for number, item in enumerate(items, 1):
        there = {language: known[id_] for language, id_ in item.recordings.items() if id_ in known}
        if there:
            listed.append({
                "id": str(number), "title": next(iter(there.values())).title, "gap_ms": item.gap_ms,
                "recordings": {language: {"sha256": one.sha256, "bytes": one.size_bytes, "duration_ms": one.duration_ms}
                               for language, one in there.items()}})
    return listed


def words_of(title: str, items: Iterable[Mapping[str, Any]]) -> str:
    """What a broadcast is found by."""
    return "\n".join(dict.fromkeys((title, *(item["title"] for item in items)))).casefold()


def _programmes(session: Session, now: datetime, ids: Collection[str] | None) -> list[Programme]:
    ahead = select(col(Broadcast.programme_id)).where(col(Broadcast.start) > now, col(Broadcast.cancelled_at).is_(None))
    wanted = (col(Programme.id).in_(ids) if ids is not None
              else col(Programme.cancelled_at).is_(None) | col(Programme.id).in_(ahead))
    return list(session.exec(select_rows(Programme).where(wanted).order_by(col(Programme.id))))


def _plans(session: Session, programmes: Sequence[Programme], now: datetime, horizon: timedelta) -> dict[str, _Plan]:
    ids = [one.id for one in programmes]
    items, targets = items_of(session, ids), targets_of(session, ids)
    known = approved_recordings(session, list({id_ for of in items.values() for item in of
                                               for id_ in item.recordings.values()}))
    poles = load_poles(session)
    plans: dict[str, _Plan] = {}
    for one in programmes:
        try:
            plans[one.id] = _plan(one, broadcast_items(items[one.id], known), poles.aimed_at(targets[one.id]), now,
                                  horizon)
        except (BadRecurrence, ZoneInfoNotFoundError) as failure:
            # was readable when it was saved; what is dated stays, and the others go on
            log.error("programme cannot be expanded", programme=one.id, failure=repr(failure))
    return plans


def _plan(programme: Programme, items: list[dict[str, Any]], poles: Sequence[Pole], now: datetime,
          horizon: timedelta) -> _Plan:
    if programme.cancelled_at is not None or not items or not poles:
        return _Plan()
    length = longest(items, (pole.languages for pole in poles), programme.languages)
    plan = _Plan(poles)
    for start in starts(programme, now, now + horizon):
        if start > now:
            id_ = broadcast_id(programme.id, start)
            plan.broadcasts[id_] = {
                "id": id_, "programme_id": programme.id, "place_id": programme.place_id, "origin": Origin.PROGRAMME,
                "title": programme.title, "start": start, "planned_end": start + length,
                "latest_start": start + timedelta(seconds=programme.latest_start_s),
                "air_class": programme.air_class, "volume": programme.volume, "languages": programme.languages,
                "items": items, "found_by": words_of(programme.title, items),
                "created_by": programme.created_by, "created_at": now, "cancelled_at": None, "cancelled_by": None}
    return plan


def starts(programme: Programme, since: datetime, until: datetime) -> list[datetime]:
    """When the programme airs from `since` up to `until`, UTC. Raises schedules.recurrence.BadRecurrence."""
    return occurrences(programme.rrule, programme.first_start, ZoneInfo(programme.zone),
                       frozenset(date.fromisoformat(one) for one in programme.exdates), since, until)


def _existing(session: Session, programme_ids: Sequence[str], now: datetime) -> dict[str, Broadcast]:
    rows = session.exec(select_rows(Broadcast).where(col(Broadcast.programme_id).in_(programme_ids),
                                                     col(Broadcast.start) > now))
    return {row.id: row for row in rows}


def _write_broadcasts(session: Session, plans: Mapping[str, _Plan], existing: Mapping[str, Broadcast]) -> set[str]:
    rows = []
    for plan in plans.values():
        for id_, row in plan.broadcasts.items():
            stored = existing.get(id_)
            if stored is None or (stored.cancelled_by is None
                                  and any(getattr(stored, name) != row[name] for name in SHOWN)):
                rows.append(row)
    upsert(session, Broadcast, rows, update=SHOWN)
    return {row["id"] for row in rows}


def _take_back(session: Session, plans: Mapping[str, _Plan], existing: Mapping[str, Broadcast], now: datetime) -> int:
    gone = [one.id for one in existing.values() if one.cancelled_at is None
            and one.programme_id is not None and one.id not in plans[one.programme_id].broadcasts]
    if gone:
        session.connection().execute(update(Broadcast).where(col(Broadcast.id).in_(gone)).values(cancelled_at=now))
    return len(gone)


def _pair(session: Session, plans: Mapping[str, _Plan], existing: Mapping[str, Broadcast], written: Collection[str],
          now: datetime, done: Expansion) -> None:
    kept = {one.id for one in existing.values() if one.cancelled_by is not None}
    wanted = {id_: plan for plan in plans.values() for id_ in plan.broadcasts if id_ not in kept}
    paired = _paired(session, list(existing))
    for id_, plan in wanted.items():
        row, nodes = plan.broadcasts[id_], paired.get(id_, {})
        missing = [pole for pole in plan.poles if pole.id not in nodes]
        _add_playbacks(session, row, plan.poles if id_ in written else missing, now)
        aimed = {pole.id for pole in plan.poles}
        back = [node for node, withdrawn in nodes.items() if node in aimed and withdrawn]
        _withdraw(session, id_, back, None)
        done.added += len(missing) + len(back)
    for id_, nodes in paired.items():
        aimed = {pole.id for pole in wanted[id_].poles} if id_ in wanted else set()
        extra = [node for node, withdrawn in nodes.items() if node not in aimed and not withdrawn]
        _withdraw(session, id_, extra, now)
        done.withdrawn += len(extra)


def _paired(session: Session, broadcast_ids: Sequence[str]) -> dict[str, dict[str, bool]]:
    found: dict[str, dict[str, bool]] = {}
    for broadcast, node, withdrawn in session.connection().execute(
            select(col(Playback.broadcast_id), col(Playback.node_id), col(Playback.withdrawn_at))
            .where(col(Playback.broadcast_id).in_(broadcast_ids))):
        found.setdefault(broadcast, {})[node] = withdrawn is not None
    return found


def _withdraw(session: Session, broadcast_id_: str, nodes: Sequence[str], at: datetime | None) -> None:
    if nodes:
        session.connection().execute(
            update(Playback).where(col(Playback.broadcast_id) == broadcast_id_, col(Playback.node_id).in_(nodes))
            .values(withdrawn_at=at))


def _add_playbacks(session: Session, broadcast: Mapping[str, Any], poles: Sequence[Pole], now: datetime) -> None:
    """Rows made inside the database, few statements for many nodes; those that are there learn a new length."""
    by_languages: dict[tuple[str, ...], list[str]] = {}
    for pole in poles:
        by_languages.setdefault(pole.languages, []).append(pole.id)
    for languages, nodes in by_languages.items():
        length = planned_ms(broadcast["items"], languages, broadcast["languages"])
        for at in range(0, len(nodes), CHUNK):
            _insert_playbacks(session, broadcast, nodes[at:at + CHUNK], length, now)


def _insert_playbacks(session: Session, broadcast: Mapping[str, Any], nodes: Sequence[str], length_ms: int,
                      now: datetime) -> None:
    given = {"broadcast_id": broadcast["id"], "start": broadcast["start"], "state": PlaybackState.AWAITING,
             "planned_ms": length_ms, "heard_ms": 0, "segments": [], "updated_at": now}
    columns = Playback.__table__.c  # type: ignore[attr-defined] # SQLModel hides the table
    source = select(col(Node.id), *(literal(value, columns[name].type) for name, value in given.items())).where(
        col(Node.id).in_(nodes))
    statement = insert_or(session)(Playback).from_select(["node_id", *given], source)
    session.connection().execute(statement.on_conflict_do_update(
        index_elements=["node_id", "broadcast_id"], set_={"planned_ms": statement.excluded.planned_ms}))
