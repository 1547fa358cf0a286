"""Who may list approvers, who is listed, and the documents that say so: drawn up here, signed elsewhere."""

import base64
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from firmware_bridge.contract.documents import Document
from loudspeaker.api.deps import CurrentActor, HouseDep, Reading, Work
from loudspeaker.conductor import trust
from loudspeaker.conductor.trust import Wanted
from loudspeaker.conductor.trust_state import TrustState, trust_state

router = APIRouter(prefix="/api/v1/trust", tags=["trust"])

Owners = Annotated[int, Field(ge=1, le=5)]
Key = Annotated[str, Field(max_length=64)]


class StatementOut(BaseModel):
    """The exact bytes to sign (base64), and their type."""

    payload_type: str
    payload: str


class EnvelopeIn(BaseModel):
    """A signed document: a DSSE envelope."""

    envelope: dict[str, Any]


class RootIn(BaseModel):
    """What the next trust root shall say otherwise; what is absent stays. Keys are public halves in base64."""

    owners_needed: tuple[Owners, Owners, Owners] | None = None
    """By class: ordinary, priority, emergency."""
    owners_needed_by_kind: dict[str, Owners] | None = None
    add_authority: Key | None = None
    """Id of a signing key known here."""
    drop_authority: Key | None = None
    """Key id of an authority."""
    new_server_key: bool = False
    root_keys: Annotated[tuple[Key, ...], Field(min_length=1, max_length=4)] | None = None
    root_threshold: Annotated[int, Field(ge=1, le=4)] | None = None
    software_key: Key | None = None


class VersionOut(BaseModel):
    """What counts from now on."""

    version: int
    expires: datetime


@router.get("")
def state(actor: CurrentActor, session: Reading, house: HouseDep) -> TrustState:
    """The trust root and the approver list in force, and what waits for a signature."""
    trust.must_govern(session, actor)
    return trust_state(session, house)


@router.get("/approvers/statement")
def list_to_sign(actor: CurrentActor, session: Reading, house: HouseDep) -> StatementOut:
    """The next approver list, for a place authority to sign."""
    return _statement(trust.list_to_sign(session, house, actor))


@router.post("/approvers")
def adopt_list(given: EnvelopeIn, actor: CurrentActor, session: Work, house: HouseDep) -> VersionOut:
    """Let a signed approver list count."""
    listed = trust.adopt_list(session, house, actor, given.envelope)
    return VersionOut(version=listed.version, expires=listed.expires)


@router.post("/root/statement")
def root_to_sign(given: RootIn, actor: CurrentActor, session: Work, house: HouseDep) -> StatementOut:
    """The next trust root, for the holders of the root keys to sign."""
    return _statement(trust.root_to_sign(session, house, actor, Wanted(**given.model_dump())))


@router.post("/root")
def adopt_root(given: EnvelopeIn, actor: CurrentActor, session: Work, house: HouseDep) -> VersionOut:
    """Let a signed trust root count."""
    root = trust.adopt_root(session, house, actor, given.envelope)
    return VersionOut(version=root.version, expires=root.expires)


def _statement(document: Document) -> StatementOut:
    return StatementOut(payload_type=document.TYPE, payload=base64.b64encode(document.to_bytes()).decode())
