"""What the first page shows."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from firmware_bridge.contract import keys
from firmware_bridge.contract.messages import Held
from loudspeaker.conductor.ingest import ingest
from loudspeaker.conductor.orders import Signing, build_orders
from loudspeaker.conductor.today import today
from loudspeaker.database import Database
from loudspeaker.orders.models import Stop
from loudspeaker.users.models import Role
from loudspeaker.versions import next_version
from tests.loudspeaker.airing_builders import SITE, NodeVoice, a_broadcast, an_approved_recording
from tests.loudspeaker.builders import START, a_commune, a_node, a_village, an_actor

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SIGNING = Signing(SITE, keys.new_key(), timedelta(days=8))


def test_today_shows_what_is_on_the_air_and_how_far_orders_have_come(database: Database) -> None:
    now = START + timedelta(seconds=30)
    with database.work() as session:
        commune = a_commune(session)
        nodes = [a_node(session, commune, f"Cụm {number}") for number in range(3)]
        broadcast = a_broadcast(session, commune, START, *nodes[:2], seconds=60)
        later = a_broadcast(session, commune, START + timedelta(hours=1), nodes[0])
        a_broadcast(session, commune, START + timedelta(days=2), nodes[0])
        build_orders(session, START, SIGNING)
        session.add(Stop(scope=f"node:{nodes[2].id}", generation=1, active=True, at=START))
        voice = NodeVoice(nodes[0].id)
        voice.write("play_start", START, broadcast.id)
        held = (1, next_version(0, START))
        ingest(session, now, [voice.says(voice.batch(), now),
                              voice.says(voice.heartbeat(o=held, p=broadcast.id, m={"offset_ms": -12.5}), now)])
        author = an_actor(session, Role.EDITOR, commune)
        an_approved_recording(session, commune, author).state = "ready"
        session.flush()
    with database.read() as session:
        shown = today(session, author, now, ZONE)
    assert [(one.broadcast.id, one.nodes, one.progress) for one in shown.on_air] == [
        (broadcast.id, (nodes[0].id,), 0.5)]
    assert [one.id for one in shown.next_up] == [later.id]
    assert (shown.nodes.total, shown.nodes.online, shown.nodes.playing) == (3, 1, 1)
    assert (shown.delivery.delivered, shown.delivery.total) == (1, 3)
    assert shown.delivery.provided_until == START + timedelta(days=8)
    assert (shown.clock_offset_ms, shown.approvals_waiting, len(shown.stops)) == (12.5, 1, 1)
    assert [one.id for one in shown.grid.broadcasts] == [broadcast.id, later.id]
    assert shown.grid.cells[nodes[0].id, broadcast.id] == "playing"
    assert (nodes[2].id, broadcast.id) not in shown.grid.cells


def test_a_village_sees_its_own_poles_alone(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        villages = [a_village(session, commune, name) for name in ("Đồng Tâm", "Tân Bắc")]
        nodes = [a_node(session, village) for village in villages]
        own = an_actor(session, Role.TECHNICIAN, villages[1])
        voice = NodeVoice(nodes[0].id)
        ingest(session, START, [voice.says(voice.hello(Held()), START)])
    with database.read() as session:
        shown = today(session, own, START, ZONE)
    assert [one.id for one in shown.grid.nodes] == [nodes[1].id]
    assert (shown.nodes.total, shown.nodes.online) == (1, 0)
    assert shown.delivery.provided_until is None
