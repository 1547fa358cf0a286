"""Where and when recordings will air, as the programmes in force have it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from loudspeaker.conductor.expand import starts
from loudspeaker.programmes.models import Programme
from loudspeaker.programmes.poles import load_poles
from loudspeaker.programmes.service import items_of, targets_of

LOOK_AHEAD = timedelta(days=28)


@dataclass(frozen=True)
class Planned:
    """A programme that carries a recording. `next_start` is None where it airs no more in the coming four weeks."""

    programme: Programme
    next_start: datetime | None
    nodes: int


def planned_airings(session: Session, now: datetime, recording_ids: Sequence[str]) -> dict[str, list[Planned]]:
    """The programmes in force that carry each recording, the next to air first; recordings in none are left out."""
    programmes = session.exec(select(Programme).where(col(Programme.cancelled_at).is_(None))).all()
    ids = [one.id for one in programmes]
    items, targets = items_of(session, ids), targets_of(session, ids)
    wanted, found = set(recording_ids), dict[str, list[Planned]]()
    poles = None
    for programme in programmes:
        carried = wanted & {one for item in items[programme.id] for one in item.recordings.values()}
        if not carried:
            continue
        poles = poles or load_poles(session)
        dated = starts(programme, max(now, programme.first_start), max(now, programme.first_start) + LOOK_AHEAD)
        planned = Planned(programme, dated[0] if dated else None, len(poles.aimed_at(targets[programme.id])))
        for one in carried:
            found.setdefault(one, []).append(planned)
    for several in found.values():
        several.sort(key=lambda one: (one.next_start is None, one.next_start or now))
    return found
