"""What the operating pages read, on both databases: conditions of nodes, the map of days, the village today."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session

from loudspeaker.conductor.fault_pages import fault_board
from loudspeaker.conductor.log_map import MAP_DAYS, log_map
from loudspeaker.conductor.node_pages import Condition, node_page, nodes_table
from loudspeaker.conductor.village_pages import any_phone, phone_of, village
from loudspeaker.database import Database
from loudspeaker.errors import ForbiddenError
from loudspeaker.faults.models import Fault, FaultKind, FaultState, Source
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.orders.models import Order, Stop
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import Playback, PlaybackState
from loudspeaker.users.models import Role
from tests.loudspeaker.airing_builders import a_broadcast
from tests.loudspeaker.builders import START, a_commune, a_node, a_village, an_actor

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def a_state(session: Session, place: Place, name: str, **known: object) -> Node:
    """A node of which this is known."""
    node = a_node(session, place, name)
    state = session.get_one(NodeState, node.id)
    for key, value in known.items():
        setattr(state, key, value)
    session.add(state)
    session.flush()
    return node


def test_a_node_is_in_the_gravest_condition_that_is_true_of_it(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        here = {"seen_at": START, "online": True, "time_state": "trusted"}
        a_state(session, commune, "new")
        a_state(session, commune, "offline", seen_at=START)
        a_state(session, commune, "clock", **{**here, "time_state": "untrusted"})
        held = a_state(session, commune, "working", **here, held_epoch=1, held_version=4)
        behind = a_state(session, commune, "behind", **here, held_epoch=1, held_version=3)
        restored = a_state(session, commune, "behind too", **here, held_epoch=1, held_version=9)
        for node, epoch in ((held, 1), (behind, 1), (restored, 2)):
            session.add(Order(node_id=node.id, epoch=epoch, version=4, content_hash="", envelope=b"", issued=START,
                              expires=START))
        gone = a_state(session, commune, "retired", **here)
        gone.retired_at = START
        session.add(gone)
        actor = an_actor(session, Role.AUDITOR, commune)
    with database.read() as session:
        table = nodes_table(session, actor)
        assert [(line.node.name, line.condition) for line in table.lines] == [
            ("behind", Condition.BEHIND), ("behind too", Condition.BEHIND), ("clock", Condition.CLOCK),
            ("new", Condition.NEW), ("offline", Condition.OFFLINE), ("working", Condition.WORKING)]
        assert table.counts[Condition.BEHIND] == 2
        assert table.total == 6
        taken_down = nodes_table(session, actor, condition=Condition.RETIRED)
        assert [line.node.name for line in taken_down.lines] == ["retired"]
        assert len(nodes_table(session, actor, limit=4, offset=4).lines) == 2
        assert node_page(session, actor, behind.id, START).line.condition == Condition.BEHIND


def test_nodes_of_other_places_are_not_seen(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        villages = [a_village(session, commune, name) for name in ("A", "B")]
        nodes = [a_node(session, one) for one in villages]
        actor = an_actor(session, Role.TECHNICIAN, villages[0])
        head = an_actor(session, Role.VILLAGE_HEAD, villages[0])
        assert [line.node.id for line in nodes_table(session, actor).lines] == [nodes[0].id]
        assert nodes_table(session, actor, villages[1].id).lines == []
        assert nodes_table(session, head).lines == []
        with pytest.raises(ForbiddenError):
            node_page(session, actor, nodes[1].id, START)


def test_every_stop_over_a_node_is_told_and_its_own_apart(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        village_ = a_village(session, commune)
        node, other = a_node(session, village_), a_node(session, commune, "other")
        for scope, active in (("all", False), (f"place:{commune.id}", True), (f"node:{node.id}", True)):
            session.add(Stop(scope=scope, generation=1, active=active, at=START))
        session.flush()
        actor = an_actor(session, Role.AUDITOR, commune)
        page = node_page(session, actor, node.id, START)
        assert {stop.scope for stop in page.stops} == {f"place:{commune.id}", f"node:{node.id}"}
        assert page.own_stop is not None
        assert node_page(session, actor, other.id, START).own_stop is None


def test_the_map_begins_each_day_at_midnight_there(database: Database) -> None:
    now = datetime(2026, 3, 3, 5, tzinfo=UTC)
    with database.work() as session:
        commune = a_commune(session)
        node = a_node(session, commune)
        at = {"before midnight": datetime(2026, 3, 2, 16, 59, tzinfo=UTC),
              "after midnight": datetime(2026, 3, 2, 17, 1, tzinfo=UTC), "to come": now + timedelta(hours=1)}
        for title, start in at.items():
            broadcast = a_broadcast(session, commune, start, node, title=title)
            row = session.get_one(Playback, (node.id, broadcast.id))
            row.state = PlaybackState.MISSED if title == "before midnight" else PlaybackState.PLAYED
            session.add(row)
        session.flush()
        found = log_map(session, an_actor(session, Role.AUDITOR, commune), now, ZONE)
        assert len(found.days) == MAP_DAYS
        assert [(day.day, cell.state, cell.total) for (_, day), cell in sorted(found.cells.items())] == [
            (2, PlaybackState.MISSED, 1), (3, PlaybackState.PLAYED, 1)]


def test_the_village_sees_its_day_and_the_nearest_telephone(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        commune.phone = "0207"
        villages = [a_village(session, commune, name) for name in ("A", "B")]
        nodes = [a_node(session, villages[0], name) for name in ("1", "2")]
        other = a_node(session, villages[1])
        both = a_broadcast(session, commune, START, *nodes, other, title="both")
        a_broadcast(session, commune, START, other, title="not here")
        a_broadcast(session, commune, START + timedelta(days=1), *nodes, title="tomorrow")
        row = session.get_one(Playback, (nodes[0].id, both.id))
        row.state = PlaybackState.PLAYED
        session.add(row)
        session.flush()
        head = an_actor(session, Role.VILLAGE_HEAD, villages[0])
        page = village(session, head, START, ZONE)
        assert [(one.broadcast.title, one.state, one.played, one.nodes) for one in page.timetable] == [
            ("both", PlaybackState.AWAITING, 1, 2)]
        assert [node.name for node, _ in page.nodes] == ["1", "2"]
        assert (page.phone, any_phone(session), phone_of(session, villages[1])) == ("0207", "0207", "0207")
        with pytest.raises(ForbiddenError):
            village(session, an_actor(session, Role.EDITOR, commune), START, ZONE)


def test_the_board_forgets_what_was_closed_long_ago(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        for days in (1, 30):
            session.add(Fault(kind=FaultKind.NOISE, source=Source.PERSON, place_id=commune.id, opened_at=START,
                              state=FaultState.CLOSED, closed_at=START - timedelta(days=days)))
        session.flush()
        board = fault_board(session, an_actor(session, Role.AUDITOR, commune), START)
        assert (len(board.open), len(board.taken), len(board.closed)) == (0, 0, 1)
