"""What the pages of bulletins, approval and programmes read, on both databases."""

from dataclasses import dataclass
from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI

from loudspeaker.bulletins.service import Wanted
from loudspeaker.conductor.approving import KeyState, administrators_for, own_key, queue_of
from loudspeaker.conductor.bulletin_pages import PAGE, bulletin_list, bulletin_view
from loudspeaker.conductor.planning import end_programme, save_programme
from loudspeaker.conductor.programme_pages import approved_choices, programme_lines, programme_view
from loudspeaker.conductor.targets import targets_to_choose
from loudspeaker.conductor.week import Week, week_of
from loudspeaker.programmes.draft import DraftItem, ProgrammeDraft
from loudspeaker.programmes.models import Programme, TargetKind
from loudspeaker.programmes.poles import Target
from schedules.hours import at_wall
from tests.loudspeaker.airing_builders import a_policy
from tests.loudspeaker.builders import SetClock, a_node, a_zone
from tests.loudspeaker.commune import Commune, a_commune_with_people, approved, listen, ready, write_bulletin

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MONDAY = date(2026, 3, 2)
HORIZON = timedelta(days=8)


@pytest.fixture
def commune(app: FastAPI, clock: SetClock) -> Commune:
    """A started server with a commune and its people."""
    return a_commune_with_people(app, clock)


@dataclass
class Planned:
    """A programme on the village's only pole, daily at 05:30 from tomorrow on."""

    commune: Commune
    recording: str
    programme: Programme

    def week(self, monday: date = MONDAY) -> Week:
        """The week as the editor sees it."""
        with self.commune.house.database.read() as session:
            editor = self.commune.actor(session, self.commune.editor)
            return week_of(session, editor, self.commune.village, monday, ZONE)


@pytest.fixture
def planned(commune: Commune) -> Planned:
    """What most tests of programmes begin with."""
    recording, _ = approved(commune)
    with commune.house.database.work() as session:
        a_policy(session, commune.place, (("05:00", "06:30"),))
        node = a_node(session, commune.village)
        a_zone(session, commune.place, node)
        start = at_wall(MONDAY + timedelta(days=1), time(5, 30), ZONE)
        draft = ProgrammeDraft(commune.place.id, "Bản tin sáng", start, (DraftItem({"vi": recording}),),
                               (Target(TargetKind.PLACE, commune.village.id),), rrule="FREQ=DAILY")
        programme, _ = save_programme(session, commune.actor(session, commune.editor), commune.clock(), HORIZON, draft,
                                      lambda: None)
    return Planned(commune, recording, programme)


def test_the_list_of_bulletins_comes_in_pages(commune: Commune) -> None:
    for number in range(PAGE + 1):
        write_bulletin(commune, title=f"Bản tin {number}")
    with commune.house.database.read() as session:
        actor = commune.actor(session, commune.editor)
        first, second = (bulletin_list(session, actor, Wanted(), page) for page in (1, 2))
    assert (len(first.lines), first.more) == (PAGE, True)
    assert (len(second.lines), second.more) == (1, False)


def test_a_bulletin_is_shown_with_where_it_airs_and_who_heard_it(planned: Planned) -> None:
    commune = planned.commune
    with commune.house.database.read() as session:
        actor = commune.actor(session, commune.editor)
        [line] = bulletin_list(session, actor, Wanted(), 1).lines
        view = bulletin_view(session, actor, commune.clock(), line.bulletin.id)
    [card] = view.cards
    assert [one.programme.id for one in card.planned] == [planned.programme.id]
    assert card.planned[0].next_start == planned.programme.first_start
    assert [step.kind for step in view.history] == ["signed", "heard", "added"]


def test_the_queue_counts_signatures_and_knows_ones_own(commune: Commune) -> None:
    recording = ready(commune)
    listen(commune, commune.approver, recording)
    with commune.house.database.read() as session:
        [one] = queue_of(session, commune.actor(session, commune.approver), commune.clock())
        assert queue_of(session, commune.actor(session, commune.editor), commune.clock()) == []
    assert (one.mine, one.signed, one.needed, one.author) == (True, 0, 1, "Nguyễn Thị Hoa")


def test_a_key_is_none_listed_or_expired(commune: Commune) -> None:
    with commune.house.database.read() as session:
        approver = commune.actor(session, commune.approver)
        assert own_key(session, commune.actor(session, commune.editor), commune.clock()).state is KeyState.NONE
        assert own_key(session, approver, commune.clock()).state is KeyState.LISTED
        later = commune.clock() + timedelta(days=3 * 365)
        assert own_key(session, approver, later).state is KeyState.EXPIRED
        assert [one.name for one in administrators_for(session, approver)] == ["Phạm Văn Đức"]


def test_approved_recordings_are_offered_and_those_that_wait_are_not(planned: Planned) -> None:
    commune = planned.commune
    ready(commune, write_bulletin(commune, title="Chưa duyệt"))
    with commune.house.database.read() as session:
        [choice] = approved_choices(session, commune.actor(session, commune.editor))
    assert (choice.value, choice.languages, choice.duration_ms) == (planned.recording, ("vi",), 2000)


def test_a_programme_is_listed_with_its_next_airing_until_it_is_cancelled(planned: Planned) -> None:
    commune = planned.commune
    with commune.house.database.work() as session:
        actor = commune.actor(session, commune.editor)
        [line] = programme_lines(session, actor, commune.clock())
        view = programme_view(session, actor, commune.clock(), planned.programme.id)
        end_programme(session, actor, commune.clock(), HORIZON, planned.programme.id, 1, lambda: None)
        assert programme_lines(session, actor, commune.clock()) == []
        [ended] = programme_lines(session, actor, commune.clock(), cancelled=True)
    assert (line.next_start, line.nodes, line.targets) == (planned.programme.first_start, 1, ["Thôn Đồng Tâm"])
    assert len(view.upcoming) == HORIZON.days
    assert view.may_edit
    assert ended.next_start is None


def test_targets_are_offered_as_a_tree_with_how_far_they_reach(planned: Planned) -> None:
    commune = planned.commune
    with commune.house.database.read() as session:
        targets = targets_to_choose(session, commune.actor(session, commune.editor))
    assert [(one.place.name, one.depth, one.reach) for one in targets.places] == [
        ("Xã Minh Tân", 0, 1), ("Thôn Đồng Tâm", 1, 1)]
    assert [(zone.name, count) for zone, count in targets.zones] == [("Trung tâm", 1)]


def test_a_week_holds_what_is_dated_and_what_the_programmes_will_bring(planned: Planned) -> None:
    assert [len(day) for day in planned.week().by_day] == [0, 1, 1, 1, 1, 1, 1]
    assert [len(day) for day in planned.week(MONDAY + timedelta(days=21)).by_day] == [1] * 7
    assert [str(wall)[:5] for wall, _ in planned.week().rows] == ["05:00", "05:30", "06:00"]
    assert all(cell.open for _, cells in planned.week().rows for cell in cells)


def test_a_cancelled_programme_leaves_the_week(planned: Planned) -> None:
    commune = planned.commune
    with commune.house.database.work() as session:
        actor = commune.actor(session, commune.editor)
        end_programme(session, actor, commune.clock(), HORIZON, planned.programme.id, 1, lambda: None)
    assert not any(planned.week().by_day)
