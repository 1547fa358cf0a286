"""What the bridge sees nodes do that no honest one does becomes a security fault at their place."""

from firmware_bridge.bridge.inbox import Alarm, AlarmReason
from loudspeaker.conductor.alarms import findings_of_alarms
from loudspeaker.database import Database
from loudspeaker.faults.models import FaultKind
from tests.loudspeaker.builders import a_commune, a_node


def test_an_alarm_is_a_security_finding_where_its_node_stands(database: Database) -> None:
    with database.work() as session:
        node = a_node(session, a_commune(session))
        (found,) = findings_of_alarms(session, [Alarm(node.id, AlarmReason.FLOODING, 7),
                                                Alarm("stranger", AlarmReason.FLOODING, 7)])
    assert (found.kind, found.place_id, found.node_id) == (FaultKind.SECURITY, node.place_id, node.id)
    assert found.key == (FaultKind.SECURITY, node.id, "flooding")
