"""A place's policy: what holds, what is proposed, and the approver's signature."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from firmware_bridge.contract.documents import QuietHours, TimeFrame
from loudspeaker.api.deps import CurrentActor, HouseDep, Now, Reading, Work
from loudspeaker.api.schemas import In, Instant, Out
from loudspeaker.conductor.policies import sign_policy
from loudspeaker.places import policies
from loudspeaker.places.models import PolicyVersion

router = APIRouter(prefix="/api/v1/places/{place_id}/policy", tags=["policies"])

Count = Annotated[int, Field(ge=1, le=1440)]


class PolicyFields(In):
    """What a policy says; wall times in the place's zone, weekdays from 0 (Monday)."""

    frames: Annotated[list[TimeFrame], Field(max_length=50)]
    quiet_hours: Annotated[list[QuietHours], Field(max_length=20)]
    longest_session_minutes: Count
    sessions_per_day: Annotated[int, Field(ge=1, le=1000)]
    volume_cap: Annotated[int, Field(ge=1, le=100)]
    zone: str | None = None


class PolicyOut(Out):
    """One version of a policy."""

    version: int
    place_id: str
    made_by: str
    made_at: Instant
    signed_by: str | None
    signed_at: Instant | None
    policy: PolicyFields


class PolicyStateOut(Out):
    """What holds here, what waits for a signature, what places above say, and the defaults with their sources."""

    signed: PolicyOut | None
    draft: PolicyOut | None
    inherited: list[PolicyOut]
    defaults: dict[str, Any]
    sources: dict[str, str]


class Statement(Out):
    """The exact bytes to sign, in base64, and their DSSE payload type."""

    payload_type: str
    payload: str
    version: int


class SignedPolicy(In):
    """A DSSE envelope over the statement."""

    envelope: dict[str, Any]


@router.get("")
def policy(session: Reading, actor: CurrentActor, place_id: str) -> PolicyStateOut:
    """The policy of a place."""
    state = policies.policy_state(session, actor, place_id)
    return PolicyStateOut(signed=_out(state.signed) if state.signed else None,
                          draft=_out(state.draft) if state.draft else None,
                          inherited=[_out(one) for one in state.inherited],
                          defaults=policies.default_fields(state.place), sources=policies.sources())


@router.put("")
def propose(session: Work, house: HouseDep, actor: CurrentActor, now: Now, place_id: str,
            given: PolicyFields) -> PolicyOut:
    """Propose a policy; it holds once an approver has signed it."""
    fields = given.model_dump(exclude_none=True)
    return _out(policies.propose(session, actor, now, house.site, place_id, fields))


@router.get("/statement")
def statement(session: Reading, actor: CurrentActor, place_id: str) -> Statement:
    """What an approver signs: exact bytes, which stay the same until the proposal is changed."""
    draft = policies.draft_to_sign(session, actor, place_id)
    return Statement(payload_type=policies.read(draft).TYPE, payload=base64.b64encode(draft.payload).decode(),
                     version=draft.version)


@router.post("/sign")
def sign(session: Work, house: HouseDep, actor: CurrentActor, place_id: str, given: SignedPolicy) -> PolicyOut:
    """Store an approver's signature; from now on the policy holds, and the nodes are told."""
    return _out(sign_policy(session, house, actor, place_id, given.envelope))


def _out(version: PolicyVersion) -> PolicyOut:
    said = policies.read(version)
    return PolicyOut(version=version.version, place_id=version.place_id, made_by=version.made_by,
                     made_at=version.made_at, signed_by=version.signed_by, signed_at=version.signed_at,
                     policy=PolicyFields(**said.model_dump(include=set(PolicyFields.model_fields))))
