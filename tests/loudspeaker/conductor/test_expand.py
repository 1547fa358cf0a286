"""Programmes into broadcasts: stable, idempotent, and never touching what has begun."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import Session, col, select

from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.conductor.expand import expand
from loudspeaker.database import Database
from loudspeaker.nodes.models import Node
from loudspeaker.places.models import ZoneNode
from loudspeaker.playbacks.models import Playback
from loudspeaker.programmes.draft import ProgrammeDraft
from loudspeaker.programmes.models import Programme, TargetKind
from loudspeaker.programmes.poles import Target, load_poles
from loudspeaker.programmes.service import cancel_programme, create_programme, update_programme
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role
from tests.loudspeaker.airing_builders import a_draft, an_approved_recording
from tests.loudspeaker.builders import START, a_commune, a_node, a_zone, an_actor

HORIZON = timedelta(days=8)
HOUR = timedelta(hours=1)


class Desk:
    """A commune with two nodes, one in a zone, and a daily programme for the zone."""

    def __init__(self, session: Session) -> None:
        self.commune = a_commune(session)
        self.nodes = [a_node(session, self.commune, f"Cụm {number}") for number in (1, 2)]
        self.zone = a_zone(session, self.commune, self.nodes[0])
        self.editor: Actor = an_actor(session, Role.EDITOR, self.commune)
        self.recording: Recording = an_approved_recording(session, self.commune, self.editor)
        self.draft: ProgrammeDraft = a_draft(self.commune, self.recording, start=START + HOUR, rrule="FREQ=DAILY",
                                             targets=[Target(TargetKind.ZONE, self.zone.id)])
        self.programme: Programme = create_programme(session, self.editor, START, self.draft, load_poles(session))
        expand(session, START, HORIZON)

    def change(self, session: Session, now_after: timedelta = timedelta(0), **changes: object) -> None:
        """Change the programme and expand it."""
        draft = replace(self.draft, **changes)  # type: ignore[arg-type] # the fields of the draft
        now = START + now_after
        revision = session.get_one(Programme, self.programme.id).revision
        update_programme(session, self.editor, now, self.programme.id, revision, draft, load_poles(session))
        expand(session, now, HORIZON)


@pytest.fixture
def desk(database: Database) -> Desk:
    with database.work() as session:
        return Desk(session)


def broadcasts(session: Session, cancelled: bool = False) -> list[Broadcast]:
    ended = col(Broadcast.cancelled_at)
    return list(session.exec(select(Broadcast).where(ended.is_not(None) if cancelled else ended.is_(None))
                             .order_by(col(Broadcast.start))))


def open_nodes(session: Session, broadcast: Broadcast) -> set[str]:
    return set(session.exec(select(Playback.node_id).where(Playback.broadcast_id == broadcast.id,
                                                           col(Playback.withdrawn_at).is_(None))))


def test_each_day_of_the_horizon_is_dated_once(database: Database, desk: Desk) -> None:
    with database.work() as session:
        assert len(broadcasts(session)) == 8
        assert not expand(session, START, HORIZON).changed
        assert expand(session, START + timedelta(days=1), HORIZON).added == 1
        assert len(broadcasts(session)) == 9


def test_a_louder_programme_keeps_the_ids_of_its_broadcasts(database: Database, desk: Desk) -> None:
    with database.work() as session:
        before = {one.id for one in broadcasts(session)}
        desk.change(session, volume=60)
        assert {one.id for one in broadcasts(session)} == before
        assert {one.volume for one in broadcasts(session)} == {60}


def test_what_has_begun_stays_as_it_was(database: Database, desk: Desk) -> None:
    with database.work() as session:
        first = broadcasts(session)[0].id
        desk.change(session, now_after=HORIZON / 16 + HOUR, first_start=START + 3 * HOUR, volume=50)
        kept = session.get_one(Broadcast, first)
        assert (kept.volume, kept.cancelled_at) == (80, None)
        assert {one.volume for one in broadcasts(session)[1:]} == {50}


def test_what_begins_at_this_instant_has_begun(database: Database, desk: Desk) -> None:
    with database.work() as session:
        desk.change(session, now_after=HOUR, volume=50)
        assert [one.volume for one in broadcasts(session)][:2] == [80, 50]


def test_a_node_that_joins_the_zone_airs_from_the_next_broadcast_on(database: Database, desk: Desk) -> None:
    with database.work() as session:
        session.add(ZoneNode(zone_id=desk.zone.id, node_id=desk.nodes[1].id))
        session.flush()
        expand(session, START + 2 * HOUR, HORIZON)
        first, second = broadcasts(session)[:2]
        assert open_nodes(session, first) == {desk.nodes[0].id}
        assert open_nodes(session, second) == {node.id for node in desk.nodes}


def test_a_node_that_left_is_withdrawn_and_comes_back_when_it_rejoins(database: Database, desk: Desk) -> None:
    with database.work() as session:
        desk.change(session, targets=(Target(TargetKind.NODE, desk.nodes[1].id),))
        assert open_nodes(session, broadcasts(session)[0]) == {desk.nodes[1].id}
        desk.change(session)
        assert open_nodes(session, broadcasts(session)[0]) == {desk.nodes[0].id}


def test_a_cancelled_programme_withdraws_all_that_has_not_begun(database: Database, desk: Desk) -> None:
    with database.work() as session:
        cancel_programme(session, desk.editor, START, desk.programme.id, 1, load_poles(session))
        done = expand(session, START + 2 * HOUR, HORIZON)
        assert (done.cancelled, done.withdrawn) == (7, 7)
        assert len(broadcasts(session)) == 1


def test_a_broadcast_that_a_person_cancelled_stays_cancelled(database: Database, desk: Desk) -> None:
    with database.work() as session:
        one = broadcasts(session)[2]
        one.cancelled_at, one.cancelled_by = START, desk.editor.user.id
        session.flush()
        expand(session, START, HORIZON)
        assert [one.id for one in broadcasts(session, cancelled=True)] == [one.id]
        assert open_nodes(session, one) == set()


def test_a_revoked_recording_takes_its_broadcasts_back(database: Database, desk: Desk) -> None:
    with database.work() as session:
        session.get_one(Recording, desk.recording.id).state = RecordingState.REVOKED
        session.flush()
        expand(session, START, HORIZON)
        assert broadcasts(session) == []


def test_a_programme_that_cannot_be_read_any_more_stops_no_other(database: Database, desk: Desk) -> None:
    with database.work() as session:
        session.get_one(Programme, desk.programme.id).rrule = "FREQ=NEVER"
        create_programme(session, desk.editor, START, replace(desk.draft, first_start=START + 2 * HOUR),
                         load_poles(session))
        assert expand(session, START, HORIZON).added == 8
        assert len(broadcasts(session)) == 16


def test_a_retired_node_gets_nothing_new(database: Database, desk: Desk) -> None:
    with database.work() as session:
        session.get_one(Node, desk.nodes[0].id).retired_at = START
        session.flush()
        expand(session, START, HORIZON)
        assert broadcasts(session) == []
