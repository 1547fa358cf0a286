"""A programme's form: what is typed and what a draft would have typed are the same."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loudspeaker.errors import InvalidError
from loudspeaker.programmes.draft import DraftItem, ProgrammeDraft
from loudspeaker.programmes.models import TargetKind
from loudspeaker.programmes.poles import Target
from loudspeaker.web.i18n import load_translators
from loudspeaker.web.plan_form import PlanForm, typed
from loudspeaker.web.plan_words import read_back
from schedules.hours import at_wall
from schedules.recurrence import describe

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
RULES = [None, "FREQ=DAILY", "FREQ=DAILY;UNTIL=20260315", "FREQ=WEEKLY;BYDAY=MO,SA", "FREQ=MONTHLY;BYDAY=1TU",
         "FREQ=DAILY;COUNT=3", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU", "FREQ=DAILY;BYHOUR=5,17"]

drafts = st.builds(
    ProgrammeDraft, place_id=st.just("p"), title=st.text(min_size=1, max_size=9),
    first_start=st.builds(lambda day, at: at_wall(day, at.replace(microsecond=0), ZONE),
                          st.dates(date(2026, 1, 1), date(2027, 1, 1)), st.times()),
    items=st.lists(st.builds(DraftItem, st.sampled_from([{"vi": "a"}, {"vi": "b", "ium": "c"}]),
                             st.integers(0, 600).map(lambda tenths: tenths * 100)), max_size=4).map(tuple),
    targets=st.lists(st.builds(Target, st.sampled_from(TargetKind), st.sampled_from("xyz")), unique=True).map(tuple),
    air_class=st.integers(0, 2), volume=st.integers(0, 100), languages=st.sampled_from(["first", "all"]),
    rrule=st.sampled_from(RULES), latest_start_s=st.integers(0, 60).map(lambda minutes: minutes * 60),
    exdates=st.lists(st.dates(date(2026, 1, 1), date(2027, 1, 1)), unique=True, max_size=3).map(
        lambda days: tuple(one.isoformat() for one in sorted(days))))


@given(drafts)
def test_a_draft_that_is_shown_and_sent_again_is_the_same(draft: ProgrammeDraft) -> None:
    assert typed(draft).draft(ZONE, {"a": "vi", "b": "vi", "c": "ium"}) == draft


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12), st.text(max_size=20))
def test_whatever_is_typed_is_a_draft_or_a_sentence(day: str, at: str, number: str, left_out: str) -> None:
    form = PlanForm(first_day=day, at=at, volume=number, late=number, left_out=left_out, item=["a"], gap=[number])
    try:
        form.draft(ZONE, {})
        faulty = None
    except InvalidError as error:
        faulty = error.field
    assert faulty in (None, "first_day", "at", "volume", "latest_start_s", "exdates", "items")


@pytest.mark.parametrize(("words", "wall"), [("05:30", time(5, 30)), ("5h30", time(5, 30)), ("5 ", time(5)),
                                             ("17h", time(17)), ("05:30:10", time(5, 30, 10))])
def test_times_are_taken_as_people_write_them(words: str, wall: time) -> None:
    made = PlanForm(first_day="15/03/2026", at=words).draft(ZONE, {})
    assert made.first_start == at_wall(date(2026, 3, 15), wall, ZONE)


@pytest.mark.parametrize(("rule", "words"), [
    (None, "05:30 Chủ nhật 01/03/2026, 12 cụm loa, 7 phút"),
    ("FREQ=DAILY;UNTIL=20260315", "05:30 mỗi ngày, 01/03–15/03, 12 cụm loa, 7 phút"),
    ("FREQ=WEEKLY;BYDAY=MO,SA", "05:30 thứ hai, thứ bảy, từ 02/03/2026, 12 cụm loa, 7 phút"),
    ("FREQ=DAILY;INTERVAL=2;UNTIL=20270115", "05:30 2 ngày một lần, 01/03/2026–15/01/2027, 12 cụm loa, 7 phút"),
    ("FREQ=MONTHLY;BYMONTHDAY=1", "05:30 mỗi tháng, các ngày 1, từ 01/03/2026, 12 cụm loa, 7 phút"),
])
def test_a_plan_is_read_back(rule: str | None, words: str) -> None:
    first = datetime(2026, 2, 28, 22, 30, tzinfo=UTC)
    plan = describe(rule, first, ZONE)
    assert read_back(load_translators(ZONE)["vi"], plan, 12, timedelta(minutes=7)) == words
