"""Running orders: built for many, new only when something changed, and never twice with one version."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from firmware_bridge.contract import envelope, keys
from firmware_bridge.contract.documents import RunningOrder
from loudspeaker.approvals.models import Revocation
from loudspeaker.conductor.orders import Signing, build_orders
from loudspeaker.database import Database
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.orders.models import Order, Stop
from loudspeaker.orders.service import order_for
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import Playback
from loudspeaker.users.models import Role
from loudspeaker.versions import next_version
from tests.loudspeaker.airing_builders import SITE, a_broadcast, an_approved_recording
from tests.loudspeaker.builders import START, a_commune, a_node, a_village, a_zone, an_actor

KEY = keys.new_key()
SIGNING = Signing(SITE, KEY, timedelta(days=8))
SOON = START + timedelta(hours=1)
FIRST = next_version(0, START)
"""The version of an order made at START."""


@pytest.fixture
def nodes(database: Database) -> list[Node]:
    with database.work() as session:
        commune = a_commune(session)
        return [a_node(session, a_village(session, commune, f"Thôn {number}"), f"Cụm {number}") for number in (1, 2)]


def order(session: Session, node: Node) -> RunningOrder:
    signed = envelope.decode(order_for(session, node.id).envelope)
    public = keys.public_to_base64(KEY)
    assert envelope.good_signers(signed, {keys.key_id(public): public})
    return RunningOrder.from_bytes(signed.payload)


def commune_of(session: Session, node: Node) -> Place:
    village = session.get_one(Place, node.place_id)
    return session.get_one(Place, village.parent_id)


def test_only_nodes_whose_content_changed_get_a_new_version(database: Database, nodes: list[Node]) -> None:
    with database.work() as session:
        build_orders(session, START, SIGNING)
        broadcast = a_broadcast(session, commune_of(session, nodes[0]), SOON, nodes[0])
        assert build_orders(session, START, SIGNING) == [nodes[0].id]
        assert order(session, nodes[0]).version == order(session, nodes[1]).version + 1
        assert [one.id for one in order(session, nodes[0]).broadcasts] == [broadcast.id]


def test_an_order_is_renewed_a_day_before_it_could_run_out(database: Database, nodes: list[Node]) -> None:
    with database.work() as session:
        build_orders(session, START, SIGNING)
        assert build_orders(session, START + timedelta(hours=23), SIGNING) == []
        assert len(build_orders(session, START + timedelta(hours=25), SIGNING)) == 2
        assert order(session, nodes[0]).expires == START + timedelta(hours=25, days=8)


def test_what_has_ended_leaves_the_order_after_ten_minutes(database: Database, nodes: list[Node]) -> None:
    with database.work() as session:
        a_broadcast(session, commune_of(session, nodes[0]), START, *nodes, seconds=60)
        build_orders(session, START + timedelta(minutes=10), SIGNING)
        assert len(order(session, nodes[0]).broadcasts) == 1
        build_orders(session, START + timedelta(minutes=12), SIGNING)
        assert order(session, nodes[0]).broadcasts == ()


def test_a_withdrawn_playback_leaves_the_order_of_its_node_alone(database: Database, nodes: list[Node]) -> None:
    with database.work() as session:
        broadcast = a_broadcast(session, commune_of(session, nodes[0]), SOON, *nodes)
        build_orders(session, START, SIGNING)
        session.get_one(Playback, (nodes[0].id, broadcast.id)).withdrawn_at = START
        session.flush()
        assert build_orders(session, START, SIGNING) == [nodes[0].id]


def test_a_node_that_holds_more_than_was_sent_gets_a_version_above_it(database: Database, nodes: list[Node]) -> None:
    with database.work() as session:
        build_orders(session, START, SIGNING)
        state = session.get_one(NodeState, nodes[0].id)
        state.held_epoch, state.held_version = 1, FIRST + 41
        session.flush()
        assert build_orders(session, START, SIGNING) == [nodes[0].id]
        assert order(session, nodes[0]).version == FIRST + 42
        state.held_version = 2**52
        session.flush()
        assert build_orders(session, START, SIGNING) == []


def test_a_version_is_never_given_twice_even_from_an_older_copy_of_the_database(
        database: Database, nodes: list[Node]) -> None:
    with database.work() as session:
        build_orders(session, START, SIGNING)
        a_broadcast(session, commune_of(session, nodes[0]), SOON, *nodes)
        backup = {node.id: session.get_one(Order, node.id).model_dump() for node in nodes}
        build_orders(session, START, SIGNING)
        lost = {node.id: order(session, node).version for node in nodes}
        for node in nodes:
            for name, value in backup[node.id].items():
                setattr(session.get_one(Order, node.id), name, value)
        a_broadcast(session, commune_of(session, nodes[0]), SOON, *nodes)
        session.flush()
        build_orders(session, START + timedelta(minutes=1), SIGNING)
        assert all(order(session, node).version > lost[node.id] for node in nodes)


def test_a_stop_stands_in_the_orders_of_the_nodes_it_covers(database: Database, nodes: list[Node]) -> None:
    with database.work() as session:
        zone = a_zone(session, commune_of(session, nodes[0]), nodes[1])
        build_orders(session, START, SIGNING)
        session.add(Stop(scope=f"zone:{zone.id}", generation=9, active=True, at=START))
        session.flush()
        assert build_orders(session, START, SIGNING) == [nodes[1].id]
        stop = order(session, nodes[1]).standing_stop
        assert (stop.generation, stop.active) == (9, True)
        assert zone.id in order(session, nodes[1]).groups


def test_prepared_emergencies_and_revocations_travel_with_every_order(database: Database, nodes: list[Node]) -> None:
    with database.work() as session:
        commune = commune_of(session, nodes[0])
        author = an_actor(session, Role.EDITOR, commune)
        village = session.get_one(Place, nodes[0].place_id)
        everywhere = an_approved_recording(session, commune, author, "Lũ", air_class=2)
        here = an_approved_recording(session, village, author, "Sạt lở", air_class=2)
        gone = an_approved_recording(session, commune, author, "Cũ")
        session.add(Revocation(sha256=str(gone.sha256), recording_id=gone.id, user_id=author.user.id, reason="sai",
                               at=START, until=START + timedelta(days=30)))
        session.flush()
        build_orders(session, START, SIGNING)
        assert set(order(session, nodes[0]).prepared) == {everywhere.sha256, here.sha256}
        assert order(session, nodes[1]).prepared == (everywhere.sha256,)
        assert order(session, nodes[1]).revoked == (gone.sha256,)


def test_a_node_learns_only_the_recordings_of_its_languages(database: Database, nodes: list[Node]) -> None:
    with database.work() as session:
        nodes_of_session = [session.get_one(Node, node.id) for node in nodes]
        nodes_of_session[0].languages = ["hmn", "vi"]
        broadcast = a_broadcast(session, commune_of(session, nodes[0]), SOON, *nodes)
        broadcast.items = [{"id": "1", "title": "Tin", "gap_ms": 0, "recordings": {
            "vi": {"sha256": "aa" * 32, "bytes": 9, "duration_ms": 1000},
            "hmn": {"sha256": "bb" * 32, "bytes": 9, "duration_ms": 1500}}}]
        session.flush()
        build_orders(session, START, SIGNING)
        assert [one.sha256 for one in order(session, nodes[0]).recordings] == ["bb" * 32]
        assert [one.sha256 for one in order(session, nodes[1]).recordings] == ["aa" * 32]
