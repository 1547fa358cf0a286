"""What the bridge saw nodes do that no honest one does, as security faults."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from firmware_bridge.bridge.inbox import Alarm
from loudspeaker.faults.models import FaultKind
from loudspeaker.faults.system import Finding
from loudspeaker.nodes.models import Node


def findings_of_alarms(session: Session, alarms: Sequence[Alarm]) -> list[Finding]:
    """One finding for each alarm of a node that is known."""
    places = {node: place for node, place in session.connection().execute(  # noqa: C416 # rows, not pairs
        select(col(Node.id), col(Node.place_id)).where(col(Node.id).in_({one.node for one in alarms})))}
    return [Finding(FaultKind.SECURITY, places[one.node], one.node, one.reason, f"{one.count}")
            for one in alarms if one.node in places]
