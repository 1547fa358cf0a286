"""Two controllers under one identity are told from one that starts anew, loses its link, or whose words come late."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from firmware_bridge.bridge.decode import Received
from firmware_bridge.contract.messages import Hello
from firmware_bridge.contract.topics import Up
from loudspeaker.conductor.clones import BOOTS_KEPT, CLONE, boots_after, is_clone
from loudspeaker.conductor.ingest import ingest
from loudspeaker.database import Database
from loudspeaker.faults.models import Fault, FaultKind
from loudspeaker.nodes.models import Node, NodeState
from tests.loudspeaker.builders import START, a_commune, a_node


def hello(boot: str, connection: int) -> Hello:
    return Hello(boot=boot, connection=connection, journal="j1")


def alarms(said: list[tuple[str, int]], apart: timedelta = timedelta(seconds=5)) -> list[int]:
    """Which of these hellos show a clone."""
    boots: dict[str, Any] = {}
    shown = []
    for number, (boot, connection) in enumerate(said):
        at = START + number * apart
        if is_clone(boots, hello(boot, connection), at):
            shown.append(number)
        boots = boots_after(boots, hello(boot, connection), at)
    return shown


@given(st.lists(st.integers(1, 6), min_size=1, max_size=40))
def test_one_machine_that_starts_and_reconnects_however_often_is_no_clone(connections: list[int]) -> None:
    life = [(f"boot-{start}", number) for start, most in enumerate(connections) for number in range(1, most + 1)]
    assert alarms(life) == []
    assert alarms([one for one in life for _ in range(2)]) == [], "each said twice"


def test_two_machines_that_throw_each_other_out_are_seen_when_the_first_returns() -> None:
    assert alarms([("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3)])[0] == 2


def test_two_machines_at_two_brokers_are_seen_when_both_answer_a_later_roll_call() -> None:
    assert alarms([("a", 1), ("b", 1), ("a", 1)], timedelta(minutes=3)) == [2]


def test_a_late_word_of_the_start_before_is_no_clone() -> None:
    assert alarms([("a", 1), ("a", 2), ("b", 1), ("a", 2), ("a", 1), ("b", 1), ("b", 2), ("a", 1), ("b", 3)]) == []


def test_only_the_last_starts_are_kept() -> None:
    boots: dict[str, Any] = {}
    for number in range(100):
        boots = boots_after(boots, hello(f"boot-{number}", 1), START)
    assert list(boots) == [f"boot-{number}" for number in range(100 - BOOTS_KEPT, 100)]


def test_a_clone_is_one_fault_however_long_it_goes_on(database: Database) -> None:
    with database.work() as session:
        node = a_node(session, a_commune(session))
    for number in range(1, 6):
        for boot in ("a", "b"):
            with database.work() as session:
                ingest(session, START, [Received(node.id, Up.HELLO, hello(boot, number), START)])
    with database.read() as session:
        fault = session.exec(select(Fault).where(Fault.kind == FaultKind.SECURITY)).one()
    assert (fault.node_id, fault.data["reason"]) == (node.id, CLONE)
    assert fault.data["count"] == 8


def test_a_node_that_is_cut_off_is_heard_no_more(database: Database) -> None:
    with database.work() as session:
        node = a_node(session, a_commune(session))
        session.get_one(Node, node.id).revoked_at = START
    with database.work() as session:
        assert ingest(session, START, [Received(node.id, Up.HELLO, hello("a", 1), START)]).strangers == 1
    with database.read() as session:
        assert session.get_one(NodeState, node.id).seen_at is None
