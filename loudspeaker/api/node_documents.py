"""What a node fetches with its own token: its running order and its trust, as they also come by MQTT."""

from fastapi import APIRouter, Response

from loudspeaker.api.deps import CurrentNode, Reading
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
def trust(session: Reading, node: CurrentNode) -> Response:
    """Trust root, approver list, and the policies of the places down to this node."""
    return Response(trust_bundle(session, tree.get(session, node.place_id)).to_bytes(), media_type=JSON)
