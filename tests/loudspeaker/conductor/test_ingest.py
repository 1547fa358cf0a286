"""What nodes say, stored once: repeats, disorder, contradictions, stale words, and messages no database would take."""

import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func
from sqlmodel import Session, col, select

from firmware_bridge.bridge.decode import Received
from firmware_bridge.contract.messages import Held, Presence
from loudspeaker.audit.models import AuditEntry
from loudspeaker.conductor.ingest import Ingested, ingest
from loudspeaker.database import Database
from loudspeaker.faults.models import Fault, FaultKind, FaultState
from loudspeaker.nodes.models import HeldRecording, Node, NodeHistory, NodeState
from loudspeaker.orders.models import CommandAnswer
from loudspeaker.places.models import Place
from loudspeaker.playbacks.closing import close_not_held
from loudspeaker.playbacks.models import JournalEntry, JournalMark, Playback, PlaybackState
from tests.loudspeaker.airing_builders import NodeVoice, a_broadcast
from tests.loudspeaker.builders import START, a_commune, a_node

LATER = START + timedelta(hours=2)


@pytest.fixture
def nodes(database: Database) -> list[Node]:
    with database.work() as session:
        commune = a_commune(session)
        return [a_node(session, commune, f"Cụm loa {number}") for number in range(10)]


def take(database: Database, *received: Received, at: datetime = LATER) -> Ingested:
    with database.work() as session:
        return ingest(session, at, received)


def playback(session: Session, node: Node, broadcast: str) -> Playback:
    return session.get_one(Playback, (node.id, broadcast))


def test_ten_times_and_in_disorder_two_thousand_playbacks_are_two_thousand_rows(
        database: Database, nodes: list[Node]) -> None:
    with database.work() as session:
        place = session.get_one(Place, nodes[0].place_id)
        for number in range(200):
            a_broadcast(session, place, START + timedelta(minutes=number), *nodes, seconds=30,
                        broadcast_id=f"b{number:03}")
    voices = [NodeVoice(node.id) for node in nodes]
    for voice in voices:
        for number in range(200):
            voice.played(f"b{number:03}", START + timedelta(minutes=number), 30)
    batches = [voice.says(voice.batch(first, first + 19), LATER) for voice in voices for first in range(1, 401, 20)]
    traffic = batches * 10
    random.Random(7).shuffle(traffic)
    marks: dict[str, int] = {}
    for at in range(0, len(traffic), 100):
        done = take(database, *traffic[at:at + 100])
        marks |= {node: seq for node, _, seq in done.receipts}
    assert marks == {node.id: 400 for node in nodes}
    with database.read() as session:
        counted = session.exec(select(Playback.state, Playback.heard_ms, func.count()).group_by(
            col(Playback.state), col(Playback.heard_ms))).all()
        assert counted == [("played", 30_000, 2000)]
        assert session.exec(select(func.count()).select_from(JournalEntry)).one() == 4000
        assert session.exec(select(func.count()).select_from(Fault)).one() == 0


def test_a_receipt_names_only_what_has_no_gap(database: Database, nodes: list[Node]) -> None:
    voice = NodeVoice(nodes[0].id)
    for number in range(6):
        voice.write("clock", START + timedelta(seconds=number))
    assert take(database, voice.says(voice.batch(4, 6), LATER)).receipts == [(voice.node, "j1", 0)]
    assert take(database, voice.says(voice.batch(1, 2), LATER)).receipts == [(voice.node, "j1", 2)]
    assert take(database, voice.says(voice.batch(3, 3), LATER)).receipts == [(voice.node, "j1", 6)]


@pytest.mark.parametrize("first", [1, 3])
def test_a_rewritten_journal_is_a_security_fault_and_changes_nothing(database: Database, nodes: list[Node],
                                                                     first: int) -> None:
    voice, liar = NodeVoice(nodes[0].id), NodeVoice(nodes[0].id)
    for number in range(4):
        voice.write("clock", START + timedelta(seconds=number))
        liar.write("clock", START + timedelta(minutes=number))
    take(database, voice.says(voice.batch(), LATER))
    assert take(database, liar.says(liar.batch(first), LATER)).news >= {"faults"}
    with database.read() as session:
        mark = session.exec(select(JournalMark)).one()
        assert (mark.seq, mark.hash) == (4, voice.hashes[-1])
        assert {one.body for one in session.exec(select(JournalEntry))} == set(voice.texts)
        fault = session.exec(select(Fault)).one()
        assert (fault.kind, fault.data["reason"]) == (FaultKind.SECURITY, "journal_chain")


def test_a_rewrite_above_a_gap_is_found_too(database: Database, nodes: list[Node]) -> None:
    voice, liar = NodeVoice(nodes[0].id), NodeVoice(nodes[0].id)
    for number in range(4):
        voice.write("clock", START + timedelta(seconds=number))
        liar.write("clock", START + timedelta(minutes=number))
    take(database, liar.says(liar.batch(3, 4), LATER))
    done = take(database, voice.says(voice.batch(1, 2), LATER))
    assert done.receipts == [(voice.node, "j1", 2)]
    assert "faults" in done.news


def test_a_journal_shorter_than_what_was_stored_is_a_security_fault(database: Database, nodes: list[Node]) -> None:
    voice = NodeVoice(nodes[0].id)
    for number in range(3):
        voice.write("clock", START + timedelta(seconds=number))
    take(database, voice.says(voice.batch(), LATER))
    voice.texts.pop()
    assert "faults" in take(database, voice.says(voice.hello(), LATER)).news


def test_a_restored_server_goes_on_where_the_nodes_journal_begins_and_knows_what_it_does_not_know(
        database: Database, nodes: list[Node]) -> None:
    voice = NodeVoice(nodes[0].id)
    with database.work() as session:
        place = session.get_one(Place, nodes[0].place_id)
        for number in range(3):
            a_broadcast(session, place, START + timedelta(hours=number), nodes[0], broadcast_id=f"b{number}")
    for number in range(3):
        voice.played(f"b{number}", START + timedelta(hours=number))
    take(database, voice.says(voice.batch(1, 2), LATER))
    assert take(database, voice.says(voice.batch(6, 6, oldest=5), LATER)).receipts == [(voice.node, "j1", 2)]
    assert take(database, voice.says(voice.batch(5, 5, oldest=5), LATER)).receipts == [(voice.node, "j1", 6)]
    with database.read() as session:
        states = [(playback(session, nodes[0], f"b{number}").state, playback(session, nodes[0], f"b{number}").reason)
                  for number in range(3)]
    assert states == [("played", None), ("unknown", "journal_lost"), ("played", None)]
    assert take(database, voice.says(voice.batch(3, 4), LATER)).receipts == [(voice.node, "j1", 6)]


def test_a_node_cannot_say_that_what_is_stored_was_lost(database: Database, nodes: list[Node]) -> None:
    voice, liar = NodeVoice(nodes[0].id), NodeVoice(nodes[0].id)
    for number in range(6):
        voice.write("clock", START + timedelta(seconds=number))
        liar.write("clock", START + timedelta(minutes=number))
    take(database, voice.says(voice.batch(1, 4), LATER))
    done = take(database, liar.says(liar.batch(3, 6, oldest=3), LATER))
    assert done.receipts == [(voice.node, "j1", 4)]
    assert "faults" in done.news


def test_a_node_is_online_when_it_speaks_and_a_stale_will_is_ignored(database: Database, nodes: list[Node]) -> None:
    voice = NodeVoice(nodes[0].id, connection=2)
    take(database, voice.says(voice.hello(Held(order=(1, 5), stop=3)), LATER))
    take(database, voice.says(Presence(boot="b1", connection=1, online=False), LATER))
    take(database, voice.says(Presence(boot="b0", connection=9, online=False), LATER))
    with database.read() as session:
        state = session.get_one(NodeState, voice.node)
        assert (state.online, state.left_at, state.held_version, state.held_stop) == (True, None, 5, 3)
    take(database, voice.says(Presence(boot="b1", connection=2, online=False), LATER))
    with database.read() as session:
        assert session.get_one(NodeState, voice.node).left_at == LATER
    take(database, voice.says(voice.heartbeat(), LATER + timedelta(seconds=1)))
    with database.read() as session:
        assert session.get_one(NodeState, voice.node).left_at is None


def test_heartbeats_are_counted_in_five_minutes(database: Database, nodes: list[Node]) -> None:
    voice = NodeVoice(nodes[0].id)
    for seconds in (0, 40, 290, 310):
        take(database, voice.says(voice.heartbeat(m={"offset_ms": seconds / 10}), START + timedelta(seconds=seconds)))
    with database.read() as session:
        rows = session.exec(select(NodeHistory).order_by(col(NodeHistory.bucket))).all()
        assert [(row.heartbeats, row.offset_ms) for row in rows] == [(3, 29.0), (1, 31.0)]


def test_what_is_on_the_disk_follows_the_journal_whatever_order_it_comes_in(database: Database,
                                                                            nodes: list[Node]) -> None:
    voice = NodeVoice(nodes[0].id)
    voice.write("recording_stored", START, recording="ab" * 32, bytes=1)
    voice.write("recording_removed", START, recording="ab" * 32, reason="not_needed")
    voice.write("recording_stored", START, recording="cd" * 32, bytes=1)
    take(database, voice.says(voice.batch(2, 3), LATER))
    take(database, voice.says(voice.batch(1, 1), LATER))
    with database.read() as session:
        assert session.exec(select(HeldRecording.sha256)).all() == ["cd" * 32]


def test_answers_to_commands_are_kept_and_a_repetition_is_no_answer(database: Database, nodes: list[Node]) -> None:
    voice = NodeVoice(nodes[0].id)
    voice.write("command", START, id="c1", kind="self_test", target="group:all", result="accepted")
    voice.write("command_refused", START, id="c1", kind="self_test", reason="repeated")
    voice.write("command", START, id="c1", kind="self_test", target="group:all", result="passed", checks={"disk": True})
    take(database, voice.says(voice.batch(), LATER))
    with database.read() as session:
        answer = session.exec(select(CommandAnswer)).one()
        assert (answer.result, answer.data["checks"]) == ("passed", {"disk": True})


def test_a_refused_forgery_alarms_once_and_a_late_order_does_not(database: Database, nodes: list[Node]) -> None:
    voice = NodeVoice(nodes[0].id)
    voice.write("order_refused", START, reason="older_version")
    voice.write("order_refused", START, reason="bad_signature", detail="order 9")
    voice.write("order_refused", START, reason="bad_signature", suppressed=40)
    take(database, voice.says(voice.batch(), LATER))
    with database.read() as session:
        fault = session.exec(select(Fault)).one()
        assert (fault.data["reason"], fault.data["count"]) == ("bad_signature", 42)
        acts = session.exec(select(AuditEntry.act).where(AuditEntry.subject == f"node:{nodes[0].id}")).all()
        assert acts.count("fault.security") == 1


def test_what_a_node_says_is_broken_becomes_a_fault(database: Database, nodes: list[Node]) -> None:
    voice = NodeVoice(nodes[0].id)
    voice.write("fault", START, what="player", detail="no sound device")
    voice.write("fault", START, what="sunspots")
    take(database, voice.says(voice.batch(), LATER))
    with database.read() as session:
        fault = session.exec(select(Fault)).one()
        assert (fault.kind, fault.data["reason"]) == (FaultKind.OTHER, "player")


def test_strangers_change_nothing(database: Database, nodes: list[Node]) -> None:
    voice = NodeVoice("node-nobody")
    voice.write("clock", START)
    done = take(database, voice.says(voice.hello(), LATER), voice.says(voice.batch(), LATER))
    assert (done.strangers, done.receipts) == (2, [])


def test_silence_of_a_node_that_has_spoken_since_is_missed_not_held(database: Database, nodes: list[Node]) -> None:
    voice = NodeVoice(nodes[0].id)
    with database.work() as session:
        place = session.get_one(Place, nodes[0].place_id)
        held = a_broadcast(session, place, START, nodes[0], nodes[1])
        gone = a_broadcast(session, place, START, nodes[0])
        playback(session, nodes[0], gone.id).withdrawn_at = START
    voice.write("clock", START)
    take(database, voice.says(voice.batch(), START))
    take(database, voice.says(voice.hello(), START + timedelta(minutes=5)))
    with database.work() as session:
        assert close_not_held(session, START + timedelta(minutes=5)) == (0, 0)
    take(database, voice.says(voice.heartbeat(), START + timedelta(minutes=20)))
    with database.work() as session:
        assert close_not_held(session, START + timedelta(minutes=20)) == (1, 1)
    with database.read() as session:
        row = playback(session, nodes[0], held.id)
        assert (row.state, row.reason) == (PlaybackState.MISSED, "not_held")
        assert playback(session, nodes[1], held.id).state == PlaybackState.AWAITING
        assert session.get(Playback, (nodes[0].id, gone.id)) is None


def test_a_node_whose_journal_has_not_arrived_is_not_judged(database: Database, nodes: list[Node]) -> None:
    voice = NodeVoice(nodes[0].id)
    with database.work() as session:
        a_broadcast(session, session.get_one(Place, nodes[0].place_id), START, nodes[0])
    voice.write("clock", START)
    take(database, voice.says(voice.hello(), START), voice.says(voice.batch(), START))
    voice.write("clock", START + timedelta(minutes=2))
    take(database, voice.says(voice.heartbeat(), START + timedelta(minutes=20)))
    with database.work() as session:
        assert close_not_held(session, START + timedelta(minutes=20)) == (0, 0)


def test_coming_back_closes_the_fault_of_having_been_away(database: Database, nodes: list[Node]) -> None:
    with database.work() as session:
        session.add(Fault(kind=FaultKind.OFFLINE, source="system", node_id=nodes[0].id, place_id=nodes[0].place_id,
                          opened_at=START))
    voice = NodeVoice(nodes[0].id)
    take(database, voice.says(voice.heartbeat(), LATER))
    with database.read() as session:
        fault = session.exec(select(Fault)).one()
        assert (fault.state, fault.closed_by) == (FaultState.CLOSED, None)
