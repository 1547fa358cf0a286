from __future__ import annotations

import time as stopwatch
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import BadRecurrence, Frequency, NaiveInstant, describe, occurrences, validate
from tests.schedules.builders import CLOCK_CHANGES, HANOI, local

BERLIN = ZoneInfo("Europe/Berlin")
NONE: frozenset[date] = frozenset()


def days(
    rule: str | None, first: datetime, start: datetime, end: datetime, exdates: frozenset[date] = NONE
) -> list[str]:
    found = occurrences(rule, first, HANOI, exdates, start, end)
    return [instant.astimezone(HANOI).strftime("%d/%m %H:%M") for instant in found]


def test_a_programme_without_a_rule_airs_once() -> None:
    assert days(None, local("05:30"), local("00:00"), local("00:00", 16)) == ["15/03 05:30"]
    assert days(None, local("05:30"), local("05:30"), local("05:31")) == ["15/03 05:30"]
    assert days(None, local("05:30"), local("05:00"), local("05:30")) == []
    assert days(None, local("05:30"), local("00:00"), local("00:00", 16), frozenset({date(2026, 3, 15)})) == []


def test_a_daily_rule_airs_to_its_last_day_inclusive() -> None:
    found = days("FREQ=DAILY;UNTIL=20260315", local("05:30", 1), local("00:00", 13), local("00:00", 20))
    assert found == ["13/03 05:30", "14/03 05:30", "15/03 05:30"]


def test_an_end_in_utc_is_an_instant() -> None:
    found = days("RRULE:FREQ=DAILY;UNTIL=20260313T223000Z", local("05:30", 13), local("00:00", 1), local("00:00", 20))
    assert found == ["13/03 05:30", "14/03 05:30"]


def test_days_can_be_left_out_without_lengthening_a_count() -> None:
    found = days(
        "FREQ=DAILY;COUNT=3", local("05:30", 1), local("00:00", 1), local("00:00", 20), frozenset({date(2026, 3, 2)})
    )
    assert found == ["01/03 05:30", "03/03 05:30"]


def test_weekdays_are_those_of_the_place_not_of_utc() -> None:
    found = days("FREQ=WEEKLY;BYDAY=MO,FR", local("05:30", 1), local("00:00", 1), local("00:00", 10))
    assert found == ["02/03 05:30", "06/03 05:30", "09/03 05:30"]


def test_the_first_day_airs_only_if_the_rule_says_so() -> None:
    assert days("FREQ=WEEKLY;BYDAY=MO", local("05:30", 1), local("00:00", 1), local("00:00", 3)) == ["02/03 05:30"]


def test_hourly_turnout_calls() -> None:
    rule = "FREQ=DAILY;BYHOUR=7,8,9;COUNT=4"
    assert days(rule, local("08:00", 14), local("00:00", 14), local("00:00", 17)) == [
        "14/03 08:00", "14/03 09:00", "15/03 07:00", "15/03 08:00",
    ]  # fmt: skip
    found = days("FREQ=HOURLY;INTERVAL=6", local("05:00", 1), local("00:00", 15), local("00:00", 16))
    assert found == ["15/03 05:00", "15/03 11:00", "15/03 17:00", "15/03 23:00"]


def test_the_last_sunday_of_a_month() -> None:
    assert days("FREQ=MONTHLY;BYDAY=-1SU", local("05:30", 1), local("00:00", 1), local("00:00", 31)) == ["29/03 05:30"]


def test_half_past_five_stays_half_past_five_when_the_clock_changes() -> None:
    first = datetime(2026, 3, 28, 5, 30, tzinfo=BERLIN)
    found = occurrences("FREQ=DAILY", first, BERLIN, NONE, first, first + timedelta(days=3))
    assert [instant.isoformat()[8:16] for instant in found] == ["28T04:30", "29T03:30", "30T03:30"]


def test_a_skipped_time_comes_as_much_later() -> None:
    first = datetime(2026, 3, 28, 2, 30, tzinfo=BERLIN)
    found = occurrences("FREQ=DAILY", first, BERLIN, NONE, first, first + timedelta(days=3))
    shown = [instant.astimezone(BERLIN).strftime("%d %H:%M") for instant in found]
    assert shown == ["28 02:30", "29 03:30", "30 02:30"]


def test_a_skipped_and_a_real_time_that_fall_together_are_one_occurrence() -> None:
    first = datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN)
    found = occurrences("FREQ=HOURLY", first, BERLIN, NONE, first, first + timedelta(hours=4))
    assert [instant.astimezone(BERLIN).strftime("%H:%M") for instant in found] == ["01:30", "03:30", "04:30"]


def test_a_repeated_time_comes_at_its_first_showing() -> None:
    first = datetime(2026, 10, 24, 2, 30, tzinfo=BERLIN)
    found = occurrences("FREQ=DAILY", first, BERLIN, NONE, first, first + timedelta(days=2))
    assert [instant.isoformat()[8:16] for instant in found] == ["24T00:30", "25T00:30"]


def test_a_window_that_begins_or_ends_in_a_changed_hour_loses_nothing() -> None:
    spring = datetime(2026, 3, 29, 3, 15, tzinfo=BERLIN)
    first = datetime(2026, 3, 1, 2, 30, tzinfo=BERLIN)
    found = occurrences("FREQ=DAILY", first, BERLIN, NONE, spring, spring + timedelta(hours=1))
    assert [instant.isoformat()[8:16] for instant in found] == ["29T01:30"]
    autumn = datetime(2026, 10, 25, 2, 15, fold=1, tzinfo=BERLIN)
    found = occurrences("FREQ=DAILY", first, BERLIN, NONE, autumn.astimezone(UTC) - timedelta(hours=2), autumn)
    assert [instant.isoformat()[8:16] for instant in found] == ["25T00:30"]


@pytest.mark.parametrize(("week_start", "expected"), [("MO", "3 8 17 22"), ("SU", "3 15 17 29")])
def test_every_second_week_depends_on_where_weeks_begin(week_start: str, expected: str) -> None:
    rule = f"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST={week_start}"
    found = days(rule, local("05:30", 3), local("00:00", 1), local("00:00", 31))
    assert [int(day[:2]) for day in found] == [int(day) for day in expected.split()]


def test_a_count_is_used_up_for_ever() -> None:
    assert days("FREQ=DAILY;COUNT=3", local("05:30", 1), local("00:00", 10), local("00:00", 20)) == []


def test_a_rule_reads_back_as_data() -> None:
    daily = validate("FREQ=DAILY;UNTIL=20260315", local("05:30", 1), HANOI, frozenset({date(2026, 3, 8)}))
    assert (daily.frequency, daily.interval, daily.times) == (Frequency.DAILY, 1, (time(5, 30),))
    assert (daily.first_day, daily.last_day, daily.exceptions) == (
        date(2026, 3, 1), date(2026, 3, 15), (date(2026, 3, 8),),
    )  # fmt: skip
    weekly = describe("FREQ=WEEKLY;BYDAY=TU,TH;INTERVAL=2;COUNT=3", local("16:30", 1), HANOI)
    assert (weekly.weekdays, weekly.interval, weekly.count) == (((1, 0), (3, 0)), 2, 3)
    assert (weekly.first_day, weekly.last_day) == (date(2026, 3, 10), date(2026, 3, 24))
    assert describe("FREQ=WEEKLY", local("16:30", 1), HANOI).weekdays == ((6, 0),)
    assert describe("FREQ=HOURLY", local("16:30", 1), HANOI).times == ()
    assert describe("FREQ=DAILY;BYHOUR=7,9", local("07:00", 1), HANOI).times == (time(7), time(9))
    once = validate(None, local("05:30"), HANOI)
    assert (once.frequency, once.first_day, once.last_day) == (Frequency.ONCE, date(2026, 3, 15), date(2026, 3, 15))


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("", "syntax"),
        ("FREQ=FOO", "syntax"),
        ("FREQ=ONCE", "syntax"),
        ("INTERVAL=2", "syntax"),
        ("FREQ=DAILY;", "syntax"),
        ("FREQ=DAILY;FREQ=DAILY", "syntax"),
        ("FREQ=DAILY;INTERVAL=0", "syntax"),
        ("FREQ=DAILY;COUNT=0", "syntax"),
        ("FREQ=DAILY;COUNT=٣x", "syntax"),
        ("FREQ=DAILY;BYHOUR=24", "syntax"),
        ("FREQ=DAILY;UNTIL=20260230", "syntax"),
        ("FREQ=WEEKLY;BYDAY=XX", "syntax"),
        ("FREQ=MONTHLY;BYDAY=6MO", "syntax"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "syntax"),
        ("FREQ=DAILY\nEXDATE:20260302", "syntax"),
        ("FREQ=SECONDLY", "too_often"),
        ("FREQ=MINUTELY;INTERVAL=30", "too_often"),
        ("FREQ=HOURLY;BYMINUTE=0,30", "too_often"),
        ("FREQ=DAILY;BYHOUR=5,6,7,8,9;BYMINUTE=0,10,20,30,40", "too_often"),
        ("FREQ=DAILY;BYSECOND=1", "unsupported"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1", "unsupported"),
        ("FREQ=WEEKLY;BYDAY=2MO", "unsupported"),
        ("FREQ=MONTHLY;BYDAY=1MO,TU", "unsupported"),
        ("FREQ=YEARLY;BYDAY=1MO", "unsupported"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=MO", "unsupported"),
        ("FREQ=HOURLY;INTERVAL=5;BYHOUR=3", "unsupported"),
        ("FREQ=DAILY;INTERVAL=401", "too_long"),
        ("FREQ=DAILY;COUNT=10001", "too_long"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20260401", "ends_twice"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "never_fires"),
        ("FREQ=YEARLY;BYMONTH=4,6;BYMONTHDAY=31", "never_fires"),
        ("FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31;BYMONTH=5", "never_fires"),
        ("FREQ=DAILY;UNTIL=20260101", "never_fires"),
        ("FREQ=DAILY;BYHOUR=4;UNTIL=20260301", "never_fires"),
        ("FREQ=DAILY;UNTIL=20260302", "never_fires"),
    ],
)
def test_a_rule_that_no_programme_may_have_is_refused_at_once(rule: str, code: str) -> None:
    started = stopwatch.process_time()
    with pytest.raises(BadRecurrence) as refused:
        validate(rule, local("05:30", 1), HANOI, frozenset({date(2026, 3, 1), date(2026, 3, 2)}))
    assert refused.value.code == code
    assert refused.value.params["rule"] == rule
    assert stopwatch.process_time() - started < 2


def test_an_end_can_be_demanded() -> None:
    with pytest.raises(BadRecurrence, match="no_end"):
        validate("FREQ=DAILY", local("05:30"), HANOI, end_needed=True)
    assert validate("FREQ=DAILY;COUNT=2", local("05:30"), HANOI, end_needed=True).last_day == date(2026, 3, 16)


def test_a_count_that_is_not_reached_in_a_lifetime_is_read_back_without_a_last_day() -> None:
    started = stopwatch.process_time()
    rare = validate("FREQ=HOURLY;BYMONTH=7;BYMONTHDAY=1;BYDAY=SU;BYHOUR=6;COUNT=10000", local("05:30"), HANOI)
    assert (rare.count, rare.last_day) == (10_000, None)
    assert stopwatch.process_time() - started < 2


def test_naive_instants_are_refused() -> None:
    naive = datetime(2026, 3, 15, 5, 30)  # noqa: DTZ001 - the point of the test
    with pytest.raises(NaiveInstant):
        validate("FREQ=DAILY", naive, HANOI)
    with pytest.raises(NaiveInstant):
        occurrences(None, naive, HANOI, NONE, local("00:00"), local("00:00", 16))
    with pytest.raises(NaiveInstant):
        occurrences("FREQ=DAILY", local("05:30"), HANOI, NONE, naive, local("00:00", 16))


rules = st.one_of(
    st.builds(
        "FREQ={};INTERVAL={}".format, st.sampled_from(["HOURLY", "DAILY", "WEEKLY", "MONTHLY"]), st.integers(1, 5)
    ),
    st.sampled_from(
        [
            "FREQ=DAILY;BYHOUR=0,2,3,23;BYMINUTE=15,45",
            "FREQ=WEEKLY;BYDAY=SU,MO;INTERVAL=2;WKST=SU",
            "FREQ=DAILY;BYDAY=SA,SU",
            "FREQ=MONTHLY;BYDAY=-1SU",
            "FREQ=DAILY;COUNT=40",
        ]
    ),
)
changes = st.sampled_from(CLOCK_CHANGES)
quarters = st.integers(-40 * 96, 0)


@settings(max_examples=200, deadline=None)
@given(rules, changes, quarters, st.integers(0, 8 * 24))
def test_in_every_zone_occurrences_are_distinct_ordered_and_never_before_the_first(
    rule: str, change: tuple[str, datetime], quarter: int, hours: int,
) -> None:
    zone, first, around = _around(change, quarter)
    start, end = around, around + timedelta(hours=hours)
    found = occurrences(rule, first, zone, NONE, start, end)
    assert found == sorted(set(found))
    assert all(start <= instant < end and instant >= first for instant in found)
    assert all(instant.tzinfo is UTC for instant in found)


@settings(max_examples=200, deadline=None)
@given(rules, changes, quarters, st.integers(0, 8 * 24))
def test_rolling_windows_lose_and_double_nothing(
    rule: str, change: tuple[str, datetime], quarter: int, cut: int,
) -> None:
    zone, first, around = _around(change, quarter)
    start, end = around, around + timedelta(days=8)
    middle = start + timedelta(hours=cut)
    whole = occurrences(rule, first, zone, NONE, start, end)
    parts = [occurrences(rule, first, zone, NONE, *window) for window in ((start, middle), (middle, end))]
    assert whole == parts[0] + parts[1]
    long_view = occurrences(rule, first, zone, NONE, first - timedelta(days=1), end)
    assert whole == [instant for instant in long_view if instant >= start]


@settings(max_examples=200, deadline=None)
@given(changes, quarters)
def test_a_daily_rule_comes_every_day_at_its_wall_time_unless_the_clock_skips_it(
    change: tuple[str, datetime], quarter: int,
) -> None:
    zone, first, around = _around(change, quarter)
    shown = first.astimezone(zone).time()
    start = max(first, around)
    found = occurrences("FREQ=DAILY", first, zone, NONE, start, start + timedelta(days=8))
    walls = [instant.astimezone(zone) for instant in found]
    for at in walls:
        skipped = datetime.combine(at.date(), shown, tzinfo=zone)
        real = skipped.astimezone(UTC).astimezone(zone).time() == shown
        assert at.time() == shown or not real
    assert all(later.date() - sooner.date() == timedelta(days=1) for sooner, later in pairwise(walls))
    assert len(walls) in (7, 8, 9)


def _around(change: tuple[str, datetime], quarter: int) -> tuple[ZoneInfo, datetime, datetime]:
    name, changes_at = change
    return ZoneInfo(name), changes_at + timedelta(minutes=15 * quarter), changes_at - timedelta(days=4)
