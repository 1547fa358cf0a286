"""What a node fetches with its own token: its running order and its trust, as they also come by MQTT."""

from fastapi import APIRouter, Response

from loudspeaker.api.deps import CurrentNode, HouseDep, Reading
from loudspeaker.conductor.transparency import LogUpdates
from loudspeaker.orders.service import order_for
from loudspeaker.places import tree
from loudspeaker.trust.service import trust_bundle

router = APIRouter(prefix="/nodes/me", tags=["node"])

JSON = "application/json"


@router.get("/order")
def order(session: Reading, node: CurrentNode) -> Response:
    """The newest running order of this node: a DSSE envelope."""
    return Response(order_for(session, node.id).envelope, media_type=JSON)


@router.get("/trust")
def trust(session: Reading, node: CurrentNode, house: HouseDep) -> Response:
    """Trust root, approver list, the policies of the places down to this node, and the head of the public log."""
    bundle = trust_bundle(session, tree.get(session, node.place_id))
    log = LogUpdates(session, house, [node.id]).of(node.id)
    return Response(bundle.model_copy(update={"log": log}).to_bytes(), media_type=JSON)
