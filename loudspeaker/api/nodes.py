"""Nodes: adding a pole, its tokens and credentials, its state and history, and taking it down."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from sqlmodel import Session

from firmware_bridge.contract.documents import CommandKind
from loudspeaker.api.deps import CurrentActor, HouseDep, Now, Reading, Work
from loudspeaker.api.schemas import In, Instant, Out
from loudspeaker.conductor import enrolling, poles
from loudspeaker.conductor.commands import ask
from loudspeaker.conductor.handouts import Card
from loudspeaker.nodes import enrolment, service
from loudspeaker.nodes.enrolment import HOURS, LONGEST_HOURS
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.orders.models import Order
from loudspeaker.places.models import Place

router = APIRouter(prefix="/api/v1/nodes", tags=["nodes"])

Name = Annotated[str, Field(min_length=1, max_length=80)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Percent = Annotated[int, Field(ge=0, le=100)]
Languages = Annotated[list[str], Field(max_length=10)]
Hours = Annotated[int, Field(ge=1, le=LONGEST_HOURS)]


class StateOut(Out):
    """What is known of a node now; `held` is order, trust and stop as it told them."""

    online: bool
    changed_at: Instant | None
    seen_at: Instant | None
    firmware: str
    held_epoch: int
    held_version: int
    held_root: int
    held_approvers: int
    held_policies: str
    held_stop: int
    playing: str | None
    time_state: str
    offset_ms: float | None
    error_ms: float | None
    telemetry: dict[str, Any]


class NodeOut(Out):
    """One loudspeaker cluster."""

    id: str
    place_id: str
    place_name: str
    name: str
    location: str
    latitude: float | None
    longitude: float | None
    languages: list[str]
    volume: int
    sticker: str
    created_at: Instant
    retired_at: Instant | None
    state: StateOut


class NodeDetail(NodeOut):
    """A node with the running order that it should hold."""

    wanted_epoch: int | None
    wanted_version: int | None


class AddNode(In):
    """A new pole; empty languages are those of its place."""

    place_id: str
    name: Name
    location: Annotated[str, Field(max_length=200)] = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    volume: Percent = 80
    languages: Languages = []
    hours: Hours = HOURS
    """How long its token holds."""


class NodeChange(In):
    """What is left out stays. A node that moves to another place needs a new file."""

    place_id: str | None = None
    name: Name | None = None
    location: Annotated[str, Field(max_length=200)] | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    volume: Percent | None = None
    languages: Languages | None = None


class NewToken(In):
    """How long it holds."""

    hours: Hours = HOURS


class TokenOut(Out):
    """A node's enrolment token, which is shown this once."""

    id: str
    token: str
    expires_at: Instant


class EnrolmentOut(Out):
    """Where a node stands: none, waiting, expired, enrolled or revoked."""

    state: str
    expires_at: Instant | None
    enrolled_at: Instant | None
    renewal_asked_at: Instant | None


class BucketOut(Out):
    """Five minutes of a node's life."""

    bucket: Instant
    heartbeats: int
    offset_ms: float | None
    cpu_c: float | None
    disk_free_mb: int | None
    signal_dbm: int | None


class HeldOut(Out):
    """A recording on the node's disk."""

    sha256: str
    stored_at: Instant


@router.get("")
def nodes(session: Reading, actor: CurrentActor, place: str | None = None, retired: bool = False) -> list[NodeOut]:
    """The nodes that I see, at `place` and below, by name."""
    return [_out(*one) for one in service.nodes_seen_by(session, actor, place, retired)]


@router.post("", status_code=201)
def add(session: Work, house: HouseDep, actor: CurrentActor, given: AddNode) -> TokenOut:
    """A new pole, and the token that lets its controller come once."""
    return _token(enrolling.expect_node(session, house, actor, **given.model_dump()))


@router.get("/{node_id}")
def node(session: Reading, actor: CurrentActor, node_id: str) -> NodeDetail:
    """One node, with the order it should hold against the one it holds."""
    found, state, place = service.node_with_state(session, actor, node_id)
    order = session.get(Order, node_id)
    return NodeDetail(**_out(found, state, place).model_dump(), wanted_epoch=order.epoch if order else None,
                      wanted_version=order.version if order else None)


@router.patch("/{node_id}")
def change(session: Work, house: HouseDep, actor: CurrentActor, node_id: str, given: NodeChange) -> NodeOut:
    """Change a node."""
    poles.change_node(session, house, actor, node_id, **given.model_dump())
    return _out(*service.node_with_state(session, actor, node_id))


@router.get("/{node_id}/enrolment")
def enrolment_state(session: Reading, actor: CurrentActor, now: Now, node_id: str) -> EnrolmentOut:
    """Whether its controller has come."""
    return _enrolment(session, service.node_to_see(session, actor, node_id), now)


@router.post("/{node_id}/enrolment", status_code=201)
def token(session: Work, house: HouseDep, actor: CurrentActor, node_id: str, given: NewToken) -> TokenOut:
    """Another token; an earlier one counts no more. What runs goes on until the new controller comes."""
    return _token(enrolling.new_token(session, house, actor, node_id, given.hours))


@router.delete("/{node_id}/enrolment")
def cancel(session: Work, actor: CurrentActor, now: Now, node_id: str) -> EnrolmentOut:
    """Let no controller come any more."""
    return _enrolment(session, enrolment.cancel_token(session, actor, now, node_id), now)


@router.post("/{node_id}/credentials/replace")
def replace_credentials(session: Work, house: HouseDep, actor: CurrentActor, now: Now, node_id: str) -> EnrolmentOut:
    """Let the node fetch new credentials; the former ones end when these are used, or after an hour."""
    node = enrolment.ask_renewal(session, actor, now, node_id)
    ask(session, actor, now, house, f"node:{node_id}", CommandKind.SYNC)
    return _enrolment(session, node, now)


@router.post("/{node_id}/credentials/revoke")
def revoke_credentials(session: Work, house: HouseDep, actor: CurrentActor, now: Now, node_id: str) -> EnrolmentOut:
    """Cut the node off from broker and server at once, until a controller enrols anew."""
    return _enrolment(session, enrolling.revoke(session, house, actor, node_id), now)


@router.post("/{node_id}/retire")
def retire(session: Work, house: HouseDep, actor: CurrentActor, node_id: str) -> NodeOut:
    """Take a node down for ever; what it had not told is closed as unknown, by me."""
    poles.retire_node(session, house, actor, node_id)
    return _out(*service.node_with_state(session, actor, node_id))


@router.get("/{node_id}/history")
def history(session: Reading, actor: CurrentActor, now: Now, node_id: str,
            days: Annotated[int, Field(ge=1, le=31)] = 7) -> list[BucketOut]:
    """Five-minute buckets of the last days, oldest first."""
    found = service.node_to_see(session, actor, node_id)
    return [BucketOut.model_validate(one) for one in service.history_of(session, found.id, now, days)]


@router.get("/{node_id}/recordings")
def held(session: Reading, actor: CurrentActor, node_id: str) -> list[HeldOut]:
    """What the node's journal says is on its disk."""
    found = service.node_to_see(session, actor, node_id)
    return [HeldOut.model_validate(one) for one in service.held_by(session, found.id)]


def _out(node: Node, state: NodeState, place: Place) -> NodeOut:
    return NodeOut(**node.model_dump(include=set(NodeOut.model_fields)), place_name=place.name,
                   state=StateOut.model_validate(state))


def _token(card: Card) -> TokenOut:
    return TokenOut(id=card.node_id, token=card.token, expires_at=card.expires_at)


def _enrolment(session: Session, node: Node, now: datetime) -> EnrolmentOut:
    newest = enrolment.newest_token(session, node.id)
    return EnrolmentOut(state=enrolment.state_of(node, newest, now), expires_at=newest.expires_at if newest else None,
                        enrolled_at=newest.used_at if newest else None, renewal_asked_at=node.renewal_asked_at)
