"""Dated broadcasts: what airs when, air now, emergency, and taking one back."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from loudspeaker.api.commands import CommandOut
from loudspeaker.api.deps import CurrentActor, HouseDep, Now, Reading, Work
from loudspeaker.api.programmes import AiringIn, CheckOut, TargetIn, check_out
from loudspeaker.api.schemas import In, Instant, Out
from loudspeaker.broadcasts import service
from loudspeaker.conductor import airing
from loudspeaker.programmes.draft import ProgrammeDraft
from loudspeaker.programmes.poles import Target

router = APIRouter(prefix="/api/v1/broadcasts", tags=["broadcasts"])

Id = Annotated[str, Path(max_length=64)]
LONGEST_SPAN = timedelta(days=62)


class BroadcastOut(Out):
    """One dated airing."""

    id: str
    programme_id: str | None
    place_id: str
    origin: str
    title: str
    start: Instant
    latest_start: Instant
    planned_end: Instant
    air_class: int
    volume: int
    languages: str
    items: list[dict[str, Any]]
    cancelled_at: Instant | None


class NowIn(AiringIn):
    """Air at once: `lead_s` seconds from now, so that the order can reach the nodes."""

    lead_s: Annotated[float, Field(ge=3, le=600)] = airing.LEAD.total_seconds()


class AiredOut(Out):
    """A broadcast that starts in seconds, and what it does to others."""

    broadcast: BroadcastOut
    check: CheckOut


class EmergencyIn(In):
    """An emergency at once: recording ids by language, approved as emergency."""

    place_id: str
    title: Annotated[str, Field(min_length=1, max_length=200)]
    recordings: Annotated[dict[str, str], Field(min_length=1, max_length=20)]
    targets: Annotated[list[TargetIn], Field(min_length=1, max_length=100)]
    volume: Annotated[int, Field(ge=0, le=100)] = 100


class EmergencyOut(Out):
    """The broadcast, and the commands whose answers can be followed."""

    broadcast: BroadcastOut
    commands: list[CommandOut]


@router.get("")
def find(actor: CurrentActor, session: Reading, now: Now, since: Annotated[Instant | None, Query()] = None,
         until: Annotated[Instant | None, Query()] = None, cancelled: bool = False) -> list[BroadcastOut]:
    """Broadcasts between two instants (the coming 8 days), at most 62 days at once."""
    begin = since or now
    end = min(until or begin + timedelta(days=8), begin + LONGEST_SPAN)
    return [BroadcastOut.model_validate(one) for one in service.between(session, actor, begin, end, cancelled)]


@router.post("/now", status_code=201)
def air_now(given: NowIn, request: Request, actor: CurrentActor, session: Work, now: Now, house: HouseDep) -> AiredOut:
    """Air approved recordings in seconds, inside the policy. 409 `plan_refused` lists what stands against it."""
    broadcast, check = airing.air_now(session, actor, now, house, ProgrammeDraft(first_start=now, **given.parts()),
                                      timedelta(seconds=given.lead_s))
    return AiredOut(broadcast=BroadcastOut.model_validate(broadcast), check=check_out(request, check))


@router.post("/emergency", status_code=201)
def air_emergency(given: EmergencyIn, actor: CurrentActor, session: Work, now: Now, house: HouseDep) -> EmergencyOut:
    """Air an emergency at once, over everything else."""
    broadcast, sent = airing.air_emergency(
        session, actor, now, house, given.place_id, given.title, given.recordings,
        [Target(one.kind, one.id) for one in given.targets], given.volume)
    return EmergencyOut(broadcast=BroadcastOut.model_validate(broadcast),
                        commands=[CommandOut.model_validate(one) for one in sent])


@router.get("/{broadcast_id}")
def show(broadcast_id: Id, actor: CurrentActor, session: Reading) -> BroadcastOut:
    """One broadcast."""
    return BroadcastOut.model_validate(service.seen(session, actor, broadcast_id))


@router.delete("/{broadcast_id}")
def cancel(broadcast_id: Id, actor: CurrentActor, session: Work, now: Now, house: HouseDep) -> BroadcastOut:
    """Take back one broadcast that has not begun."""
    return BroadcastOut.model_validate(airing.cancel_broadcast(session, actor, now, house, broadcast_id))
