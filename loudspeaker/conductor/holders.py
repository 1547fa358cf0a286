"""Which nodes hold a sound on their disk, and which of them have been told that it was revoked."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from loudspeaker.approvals.models import Revocation
from loudspeaker.nodes.models import HeldRecording, Node, NodeState
from loudspeaker.orders.models import Order


@dataclass(frozen=True)
class Holder:
    """A node whose journal says that it stored the sound. `told`: its running order is newer than the revocation."""

    node_id: str
    name: str
    place_id: str
    online: bool
    held_since: datetime
    told: bool


def holders_of(session: Session, sha256: str) -> list[Holder]:
    """Nodes in service that hold the sound, those that were not told of its revocation first."""
    revocation = session.get(Revocation, sha256)
    rows = session.exec(
        select(HeldRecording, Node, NodeState, Order).join(Node, col(Node.id) == col(HeldRecording.node_id))
        .join(NodeState, col(NodeState.node_id) == col(Node.id), isouter=True)
        .join(Order, col(Order.node_id) == col(Node.id), isouter=True)
        .where(HeldRecording.sha256 == sha256, col(Node.retired_at).is_(None)).order_by(col(Node.name)))
    found = [Holder(node.id, node.name, node.place_id, bool(state and state.online), held.stored_at,
                    _told(revocation, state, order)) for held, node, state, order in rows]
    return sorted(found, key=lambda one: one.told)


def _told(revocation: Revocation | None, state: NodeState | None, order: Order | None) -> bool:
    if revocation is None or state is None or order is None:
        return False
    return order.issued >= revocation.at and (state.held_epoch, state.held_version) >= (order.epoch, order.version)
