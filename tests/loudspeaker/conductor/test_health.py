"""Silence is offline; a will hastens it; while nobody could be heard, nobody is blamed."""

from datetime import timedelta

import pytest
from sqlmodel import select

from loudspeaker.conductor.health import broker_back, broker_lost, some_brokers_away, sweep_nodes
from loudspeaker.database import Database
from loudspeaker.faults.models import Fault, FaultKind, FaultState
from loudspeaker.nodes.models import Node, NodeState
from tests.loudspeaker.builders import START, a_commune, a_node

SILENCE = timedelta(seconds=90)
LONG_AGO = START - timedelta(days=1)


@pytest.fixture
def node(database: Database) -> Node:
    with database.work() as session:
        node = a_node(session, a_commune(session))
        state = session.get_one(NodeState, node.id)
        state.online, state.seen_at = True, START
        return node


@pytest.mark.parametrize(("seconds", "lost"), [(89, False), (91, True)])
def test_ninety_seconds_of_silence_are_offline(database: Database, node: Node, seconds: int, lost: bool) -> None:
    now = START + timedelta(seconds=seconds)
    with database.work() as session:
        assert bool(sweep_nodes(session, now, SILENCE, LONG_AGO)) == lost
        assert session.get_one(NodeState, node.id).online != lost
    with database.read() as session:
        assert len(session.exec(select(Fault).where(Fault.kind == FaultKind.OFFLINE)).all()) == int(lost)


def test_a_last_will_shortens_the_wait(database: Database, node: Node) -> None:
    with database.work() as session:
        session.get_one(NodeState, node.id).left_at = START
        session.flush()
        assert sweep_nodes(session, START + timedelta(seconds=10), SILENCE, LONG_AGO) == []
        assert sweep_nodes(session, START + timedelta(seconds=16), SILENCE, LONG_AGO) == [node.id]


def test_silence_counts_only_while_the_server_was_listening(database: Database, node: Node) -> None:
    back = START + timedelta(hours=3)
    with database.work() as session:
        assert sweep_nodes(session, back + timedelta(seconds=60), SILENCE, back) == []
        assert sweep_nodes(session, back + timedelta(seconds=95), SILENCE, back) == [node.id]


def test_a_node_that_never_spoke_is_not_a_fault(database: Database, node: Node) -> None:
    with database.work() as session:
        new = a_node(session, a_commune(session, "Xã khác"), "Mới")
        assert new.id not in sweep_nodes(session, START + timedelta(days=1), SILENCE, LONG_AGO)


def test_a_dead_broker_is_one_fault_that_closes_by_itself(database: Database, node: Node) -> None:
    with database.work() as session:
        assert broker_lost(session, START, "connection refused")
        assert not broker_lost(session, START, "connection refused")
        assert broker_back(session, START + timedelta(minutes=1))
        assert not broker_back(session, START + timedelta(minutes=1))
    with database.read() as session:
        fault = session.exec(select(Fault)).one()
        assert (fault.kind, fault.state) == (FaultKind.BROKER, FaultState.CLOSED)


def test_one_of_several_brokers_away_is_one_warning_and_no_silent_nodes(database: Database, node: Node) -> None:
    with database.work() as session:
        for _ in range(3):
            some_brokers_away(session, START, ("10.0.0.2:1883",))
        assert sweep_nodes(session, START + timedelta(seconds=80), SILENCE, START) == []
        (warning,) = session.exec(select(Fault)).all()
        assert (warning.kind, warning.data["detail"]) == (FaultKind.SPARE_BROKER, "10.0.0.2:1883")
        assert some_brokers_away(session, START, ())
        assert not some_brokers_away(session, START, ())
        assert warning.state == FaultState.CLOSED
