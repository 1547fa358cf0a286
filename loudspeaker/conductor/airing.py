"""Airing without a programme: at once inside the policy, or as an emergency on one command."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, col

from firmware_bridge.contract.documents import CommandKind, PlayNow
from loudspeaker.audit.service import record
from loudspeaker.broadcasts.airings import longest
from loudspeaker.broadcasts.models import Broadcast, Origin
from loudspeaker.broadcasts.service import seen
from loudspeaker.conductor.commands import reach_of, send
from loudspeaker.conductor.expand import add_playbacks, broadcast_items, words_of
from loudspeaker.conductor.house import House
from loudspeaker.conductor.planning import Check, PlanRefused, check_draft
from loudspeaker.database import after_commit, new_id
from loudspeaker.errors import ConflictError, InvalidError
from loudspeaker.orders.models import CommandSent
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import Playback
from loudspeaker.programmes.draft import DraftItem, ProgrammeDraft
from loudspeaker.programmes.poles import Pole, Target, load_poles
from loudspeaker.programmes.service import approved_recordings, must_schedule, validate
from loudspeaker.users.access import Actor
from schedules.airings import AirClass

LEAD = timedelta(seconds=8)
"""From pressing “air now” to the first sound: the order is built, sent and accepted, the recording fetched."""
EMERGENCY_WINDOW = timedelta(minutes=5)


def air_now(session: Session, actor: Actor, now: datetime, house: House, draft: ProgrammeDraft,
            lead: timedelta = LEAD) -> tuple[Broadcast, Check]:
    """Air the draft's recordings in seconds, by an order like any other. Raises PlanRefused, InvalidError.

    Its time and recurrence are ignored. An emergency takes the other way: `air_emergency`.
    """
    if draft.air_class == AirClass.EMERGENCY:
        raise InvalidError("An emergency is aired from its own page.", field="air_class")
    start = (now + lead).replace(microsecond=0)
    draft = replace(draft, first_start=start, rrule=None, exdates=())
    check = check_draft(session, actor, now, draft)
    if check.problems:
        raise PlanRefused(check)
    poles = load_poles(session).aimed_at(draft.targets)
    broadcast = _store(session, actor, now, draft, Origin.NOW, poles,
                       start + timedelta(seconds=draft.latest_start_s))
    record(session, now, actor.user.id, "broadcast.now", f"broadcast:{broadcast.id}", draft.place_id,
           title=draft.title, targets=[f"{one.kind}:{one.id}" for one in draft.targets])
    after_commit(session, house.outdated)
    after_commit(session, lambda: house.hub.announce("programmes", "playbacks"))
    return broadcast, check


def air_emergency(session: Session, actor: Actor, now: datetime, house: House, place_id: str, title: str,
                  recordings: Mapping[str, str], targets: Sequence[Target],
                  volume: int = 100) -> tuple[Broadcast, list[CommandSent]]:
    """Air a recording approved as an emergency at once: one command to every target. An approver must ask for it.

    `recordings` are recording ids by language.
    """
    draft = ProgrammeDraft(place_id, title, now, (DraftItem(recordings, 0),), tuple(targets), AirClass.EMERGENCY,
                           volume)
    poles = validate(session, actor, draft, load_poles(session))
    latest = now + EMERGENCY_WINDOW
    broadcast = _store(session, actor, now, draft, Origin.EMERGENCY, poles, latest)
    known = approved_recordings(session, list(recordings.values()))
    play = PlayNow(broadcast=broadcast.id, latest_start=latest, volume=volume,
                   recordings={language: known[id_].sha256 for language, id_ in recordings.items()})
    sent = [send(session, actor, now, house, reach_of(session, f"{one.kind}:{one.id}"), CommandKind.PLAY_NOW,
                 EMERGENCY_WINDOW, play_now=play) for one in dict.fromkeys(targets)]
    record(session, now, actor.user.id, "broadcast.emergency", f"broadcast:{broadcast.id}", place_id, title=title,
           targets=[f"{one.kind}:{one.id}" for one in targets])
    after_commit(session, lambda: house.hub.announce("playbacks"))
    return broadcast, sent


def cancel_broadcast(session: Session, actor: Actor, now: datetime, house: House, broadcast_id: str) -> Broadcast:
    """Take back one dated broadcast that has not begun; its programme goes on. Raises ConflictError once it began."""
    broadcast = seen(session, actor, broadcast_id)
    place = session.get_one(Place, broadcast.place_id)
    must_schedule(actor, session, [place.id], AirClass(broadcast.air_class))
    if broadcast.start <= now or broadcast.cancelled_at is not None:
        raise ConflictError("This broadcast has begun or was cancelled already.", code="begun",
                            advice="To silence it now, press stop.")
    broadcast.cancelled_at, broadcast.cancelled_by = now, actor.user.id
    session.add(broadcast)
    session.flush()
    session.connection().execute(update(Playback).where(col(Playback.broadcast_id) == broadcast.id)
                                 .values(withdrawn_at=now))
    record(session, now, actor.user.id, "broadcast.cancel", f"broadcast:{broadcast.id}", place.id,
           title=broadcast.title, start=broadcast.start.isoformat())
    after_commit(session, house.outdated)
    after_commit(session, lambda: house.hub.announce("programmes", "playbacks"))
    return broadcast


def _store(session: Session, actor: Actor, now: datetime, draft: ProgrammeDraft, origin: Origin,
           poles: Sequence[Pole], latest_start: datetime) -> Broadcast:
    known = approved_recordings(session, [id_ for item in draft.items for id_ in item.recordings.values()])
    items = broadcast_items(draft.items, known)
    length = longest(items, (pole.languages for pole in poles), draft.languages)
    # an emergency has no planned start: it may begin until its latest start, and end that much later
    end = (latest_start if origin is Origin.EMERGENCY else draft.first_start) + length
    broadcast = Broadcast(id=new_id(), place_id=draft.place_id, origin=origin, title=draft.title.strip(),
                          start=draft.first_start, latest_start=latest_start, planned_end=end,
                          air_class=int(draft.air_class), volume=draft.volume, languages=draft.languages, items=items,
                          found_by=words_of(draft.title.strip(), items),
                          created_by=actor.user.id, created_at=now)
    session.add(broadcast)
    session.flush()
    add_playbacks(session, broadcast, poles, now)
    return broadcast
