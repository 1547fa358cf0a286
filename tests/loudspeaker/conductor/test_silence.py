"""One pole's silence is a fault of that pole; a silent commune is one incident, and ends by its poles' return."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select

from loudspeaker.conductor.silence import FEWEST, RETURNING, Silence, Standing, judge_silence, silence_of
from loudspeaker.database import Database
from loudspeaker.faults.models import Fault, FaultKind, FaultState
from loudspeaker.faults.system import close_faults
from loudspeaker.nodes.models import Node, NodeState
from tests.loudspeaker.builders import START, a_commune, a_node, a_village

LATER = START + timedelta(minutes=10)


def standing(node: str, *path: str, online: bool = True, lively: bool | None = None) -> Standing:
    return Standing(node, path, online, online if lively is None else lively, START)


def of(*standings: Standing) -> Silence:
    return silence_of(standings)


def test_a_silent_pole_among_lively_ones_is_single() -> None:
    found = of(standing("a", "xa", "thon", online=False), standing("b", "xa", "thon"), standing("c", "xa", "thon"))
    assert (found.places, [one.node for one in found.single]) == ({}, ["a"])


def test_the_widest_silent_place_is_told_once() -> None:
    gone = [standing(f"{village}{number}", "xa", village, online=False) for village in "ab" for number in range(4)]
    assert of(*gone) == Silence({"xa": 8}, (), frozenset())


def test_while_a_place_falls_silent_its_first_poles_wait() -> None:
    found = of(standing("a", "xa", online=False), standing("b", "xa", lively=False), standing("c", "xa", lively=False))
    assert (found.places, found.single) == ({}, ())


def test_a_village_waits_while_its_commune_falls_silent() -> None:
    village = [standing(f"a{number}", "xa", "a", online=False) for number in range(4)]
    assert of(*village, standing("b", "xa", "b", lively=False)).places == {}
    assert of(*village, standing("b", "xa", "b")).places == {"a": 4}


def test_too_few_poles_are_no_whole() -> None:
    found = of(*(standing(str(number), "xa", online=False) for number in range(FEWEST - 1)))
    assert (found.places, len(found.single)) == ({}, FEWEST - 1)


poles = st.lists(st.tuples(st.sampled_from(("a", "b", "c")), st.booleans(), st.booleans()), max_size=12)


@given(poles)
def test_every_offline_pole_is_single_or_covered_or_waits_for_a_silent_place(drawn: Sequence[tuple[str, bool, bool]]
                                                                            ) -> None:
    standings = [Standing(str(number), ("xa", village), online, online and lively, START)
                 for number, (village, online, lively) in enumerate(drawn)]
    found = silence_of(standings)
    for one in standings:
        covered = bool(found.places.keys() & set(one.path))
        neighbours = [[other for other in standings if place in other.path] for place in one.path]
        waits = any(len(near) >= FEWEST and not any(other.lively for other in near) for near in neighbours)
        assert (one in found.single) == (not one.online and not waits)
        assert not covered or (not one.online and one not in found.single)


def fifty_poles(session: Session) -> list[Node]:
    commune = a_commune(session)
    villages = [a_village(session, commune, f"Thôn {number}") for number in range(5)]
    made = [a_node(session, villages[number % 5], f"Cụm {number}") for number in range(50)]
    told(session, made, online=True, at=START)
    return made


def told(session: Session, poles: Sequence[Node], online: bool, at: datetime) -> None:
    """The states of poles as ingest and the sweep leave them."""
    for pole in poles:
        state = session.get_one(NodeState, pole.id)
        if state.online != online:
            state.changed_at = at
        state.online, state.seen_at = online, at if online else state.seen_at
        session.add(state)
    session.flush()


def open_ones(session: Session) -> list[Fault]:
    return list(session.exec(select(Fault).where(Fault.kind == FaultKind.OFFLINE, Fault.state != FaultState.CLOSED)))


def test_a_commune_that_falls_silent_pole_by_pole_is_one_incident(database: Database) -> None:
    with database.work() as session:
        made = fifty_poles(session)
        for step in range(10):
            now = LATER + timedelta(seconds=5 * step)
            told(session, made[5 * step:5 * step + 5], online=False, at=now)
            judge_silence(session, now)
        (incident,) = open_ones(session)
        assert (incident.node_id, incident.place_id, incident.data["detail"]) == (None, incident.data["reason"], "50")
        assert not judge_silence(session, LATER + timedelta(hours=1))


def test_the_incident_ends_when_most_are_back_and_the_rest_becomes_single_after_a_while(database: Database) -> None:
    with database.work() as session:
        made = fifty_poles(session)
        told(session, made, online=False, at=LATER)
        judge_silence(session, LATER)
        back = LATER + timedelta(hours=1)
        told(session, made[:1], online=True, at=back)
        judge_silence(session, back)
        assert len(open_ones(session)) == 1
        told(session, made[1:48], online=True, at=back)
        judge_silence(session, back)
        assert open_ones(session) == []
        told(session, made[:48], online=True, at=back + RETURNING)
        judge_silence(session, back + RETURNING)
        assert {one.node_id for one in open_ones(session)} == {made[48].id, made[49].id}


def test_a_village_that_falls_silent_first_becomes_part_of_its_commune(database: Database) -> None:
    with database.work() as session:
        made = fifty_poles(session)
        village = [one for one in made if one.place_id == made[0].place_id]
        others = [one for one in made if one.place_id != made[0].place_id]
        told(session, others, online=True, at=LATER)
        told(session, village, online=False, at=LATER)
        judge_silence(session, LATER)
        assert [one.place_id for one in open_ones(session)] == [made[0].place_id]
        told(session, others, online=False, at=LATER + timedelta(minutes=5))
        judge_silence(session, LATER + timedelta(minutes=5))
        (incident,) = open_ones(session)
        assert incident.data["detail"] == "50"


def test_a_fault_that_a_person_closed_stays_closed_for_the_same_silence(database: Database) -> None:
    with database.work() as session:
        made = fifty_poles(session)
        told(session, made[1:], online=True, at=LATER)
        told(session, made[:1], online=False, at=LATER)
        assert judge_silence(session, LATER)
        close_faults(session, LATER, FaultKind.OFFLINE, [made[0].id])
        assert not judge_silence(session, LATER)
        told(session, made[:1], online=True, at=LATER + timedelta(seconds=20))
        told(session, made[:1], online=False, at=LATER + timedelta(seconds=30))
        assert judge_silence(session, LATER + timedelta(seconds=30))
