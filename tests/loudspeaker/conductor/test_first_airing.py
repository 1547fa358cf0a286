"""A programme becomes broadcasts, orders and, from the nodes' own words, the as-run log."""

from datetime import timedelta

from sqlmodel import select

from firmware_bridge.contract import envelope, keys
from firmware_bridge.contract.documents import RunningOrder
from loudspeaker.conductor.expand import expand
from loudspeaker.conductor.ingest import ingest
from loudspeaker.conductor.orders import Signing, build_orders
from loudspeaker.database import Database
from loudspeaker.orders.service import order_for
from loudspeaker.playbacks.models import Playback
from loudspeaker.programmes.poles import load_poles
from loudspeaker.programmes.service import create_programme
from loudspeaker.users.models import Role
from tests.loudspeaker.airing_builders import SITE, NodeVoice, a_draft, a_policy, an_approved_recording
from tests.loudspeaker.builders import START, a_commune, a_node, a_village, an_actor

HORIZON = timedelta(days=8)


def test_a_programme_airs_and_its_evidence_is_in_the_log(database: Database) -> None:
    signing = Signing(SITE, keys.new_key(), HORIZON)
    with database.work() as session:
        commune = a_commune(session)
        nodes = [a_node(session, a_village(session, commune, name), name) for name in ("Đồng Tâm", "Tân Bắc")]
        a_policy(session, commune)
        editor = an_actor(session, Role.EDITOR, commune)
        recording = an_approved_recording(session, commune, editor)
        draft = a_draft(commune, recording, start=START + timedelta(hours=1), rrule="FREQ=DAILY;COUNT=3")
        create_programme(session, editor, START, draft, load_poles(session))
        assert expand(session, START, HORIZON).added == 6
        assert not expand(session, START, HORIZON).changed
        assert sorted(build_orders(session, START, signing)) == sorted(node.id for node in nodes)
        assert build_orders(session, START, signing) == []
        order = RunningOrder.from_bytes(envelope.decode(order_for(session, nodes[0].id).envelope).payload)
    assert [one.start for one in order.broadcasts] == [START + timedelta(hours=1, days=day) for day in range(3)]
    assert order.recordings[0].sha256 == recording.sha256
    assert order.groups == (commune.id, nodes[0].place_id)
    assert order.version > 0
    voices = [NodeVoice(node.id) for node in nodes]
    for voice in voices:
        voice.played(order.broadcasts[0].id, order.broadcasts[0].start)
    now = START + timedelta(hours=1, minutes=2)
    with database.work() as session:
        done = ingest(session, now, [voice.says(voice.batch(), now) for voice in voices])
        assert sorted(done.receipts) == sorted((voice.node, "j1", 2) for voice in voices)
    with database.read() as session:
        rows = session.exec(select(Playback).where(Playback.broadcast_id == order.broadcasts[0].id)).all()
        assert [(row.state, row.heard_ms, row.seq) for row in rows] == [("played", 60_000, 2)] * 2
