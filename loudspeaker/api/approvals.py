"""Approval: the queue, the statement to sign, signatures, sending back, revoking, and who still holds what was."""

import base64
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from firmware_bridge.contract.documents import RecordingStatement
from loudspeaker.api.bulletins import BulletinOut
from loudspeaker.api.deps import CurrentActor, HouseDep, Now, Reading, Work
from loudspeaker.api.recordings import RecordingOut, recording_out
from loudspeaker.approvals import hearing, second_listening, service
from loudspeaker.bulletins import recordings
from loudspeaker.conductor.holders import Holder, holders_of
from loudspeaker.database import after_commit

router = APIRouter(prefix="/api/v1", tags=["approvals"])


class WaitingOut(BaseModel):
    """A recording that waits for this approver. `own`: they made it, so somebody else must approve."""

    recording: RecordingOut
    bulletin: BulletinOut
    heard_ms: int
    complete: bool
    own: bool
    signed_by_me: bool


class SaysIn(BaseModel):
    """What a recording says, in Vietnamese."""

    says: str = Field(max_length=10_000)


class SecondHearingOut(BaseModel):
    """Who heard a recording for those who do not speak its language, and what it says."""

    recording_id: str
    user_id: str
    says: str
    at: datetime


class ToHearOut(BaseModel):
    """A recording that waits for this person as second listener, and how far they have heard it."""

    recording: RecordingOut
    bulletin: BulletinOut
    heard_ms: int
    complete: bool


class StatementOut(BaseModel):
    """What approvers sign: DSSE payload type and payload (base64), with its fields to compare with the page."""

    payload_type: str
    payload: str
    sha256: str
    title: str
    duration_ms: int
    language: str
    kind: str
    air_class: int
    author: str
    valid_until: datetime


class EnvelopeIn(BaseModel):
    """A DSSE envelope as JSON object: payloadType, payload, signatures."""

    envelope: dict[str, Any]


class ReasonIn(BaseModel):
    """Why."""

    reason: str = Field(max_length=10_000)


class OutcomeOut(BaseModel):
    """The recording after a signature; approved once `signed` reaches `needed`."""

    recording: RecordingOut
    signed: int
    needed: int


class HolderOut(BaseModel):
    """A node with the sound on its disk. `told`: its newest running order says that it must not air."""

    node_id: str
    name: str
    place_id: str
    online: bool
    held_since: datetime
    told: bool


@router.get("/approvals")
def queue(actor: CurrentActor, session: Reading, request: Request) -> list[WaitingOut]:
    """Recordings that wait for this approver, oldest first."""
    return [WaitingOut(recording=recording_out(request, one.recording),
                       bulletin=BulletinOut.model_validate(one.bulletin, from_attributes=True),
                       heard_ms=hearing.total_ms(one.heard.intervals) if one.heard else 0,
                       complete=bool(one.heard and one.heard.complete_at), own=one.own, signed_by_me=one.signed_by_me)
            for one in service.waiting_for(session, actor)]


@router.get("/second-hearings")
def to_hear(actor: CurrentActor, session: Reading, request: Request) -> list[ToHearOut]:
    """Recordings in languages that this person speaks and an approver does not, oldest first."""
    return [ToHearOut(recording=recording_out(request, one.recording),
                      bulletin=BulletinOut.model_validate(one.bulletin, from_attributes=True),
                      heard_ms=hearing.total_ms(one.heard.intervals) if one.heard else 0,
                      complete=bool(one.heard and one.heard.complete_at))
            for one in second_listening.to_hear(session, actor)]


@router.post("/recordings/{recording_id}/second-hearing", status_code=201)
def confirm(recording_id: str, given: SaysIn, actor: CurrentActor, session: Work, now: Now,
            house: HouseDep) -> SecondHearingOut:
    """Say what a recording says, having heard it to the end."""
    made = second_listening.confirm(session, actor, now, recording_id, given.says)
    after_commit(session, lambda: house.hub.announce("recordings"))
    return SecondHearingOut.model_validate(made, from_attributes=True)


@router.get("/recordings/{recording_id}/statement")
def statement(recording_id: str, actor: CurrentActor, session: Reading) -> StatementOut:
    """The exact payload that this approver would sign."""
    _, _, payload = service.statement_to_sign(session, actor, recording_id)
    said = RecordingStatement.from_bytes(payload)
    return StatementOut(payload_type=RecordingStatement.TYPE, payload=base64.b64encode(payload).decode(),
                        sha256=said.recording, title=said.title, duration_ms=said.duration_ms, language=said.language,
                        kind=said.kind, air_class=said.air_class, author=said.author, valid_until=said.valid_until)


@router.post("/recordings/{recording_id}/approvals", status_code=201)
def approve(recording_id: str, given: EnvelopeIn, actor: CurrentActor, session: Work, now: Now, house: HouseDep,
            request: Request) -> OutcomeOut:
    """Store this approver's signature."""
    outcome = service.approve(session, actor, now, recording_id, given.envelope)
    after_commit(session, house.outdated)
    after_commit(session, lambda: house.hub.announce("recordings"))
    return OutcomeOut(recording=recording_out(request, outcome.recording), signed=outcome.signed, needed=outcome.needed)


@router.post("/recordings/{recording_id}/send-back")
def send_back(recording_id: str, given: ReasonIn, actor: CurrentActor, session: Work, now: Now, house: HouseDep,
              request: Request) -> RecordingOut:
    """Refuse it, with the reason that its author reads."""
    recording = service.send_back(session, actor, now, recording_id, given.reason)
    after_commit(session, lambda: house.hub.announce("recordings"))
    return recording_out(request, recording)


@router.post("/recordings/{recording_id}/revoke")
def revoke(recording_id: str, given: ReasonIn, actor: CurrentActor, session: Work, now: Now, house: HouseDep,
           request: Request) -> RecordingOut:
    """Let an approved sound air no more."""
    recording = service.revoke(session, actor, now, recording_id, given.reason)
    after_commit(session, house.outdated)
    after_commit(session, lambda: house.hub.announce("recordings", "programmes"))
    return recording_out(request, recording)


@router.get("/recordings/{recording_id}/holders")
def holders(recording_id: str, actor: CurrentActor, session: Reading) -> list[HolderOut]:
    """Nodes that hold the sound on their disk, those not yet told of a revocation first."""
    recording, _ = recordings.recording_seen_by(session, actor, recording_id)
    return [_holder(one) for one in holders_of(session, recording.sha256 or "")]


def _holder(one: Holder) -> HolderOut:
    return HolderOut.model_validate(one, from_attributes=True)
