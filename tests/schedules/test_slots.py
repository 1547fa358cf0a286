from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import (
    AirClass,
    Airing,
    Policy,
    SpecialEvent,
    TimeFrame,
    calendar,
    collisions,
    default_policy,
    forecast,
    must_end_by,
    next_free_slot,
    next_free_start,
    violations,
)
from schedules.policy import DatedPolicy
from tests.schedules.builders import EMERGENCY, airing, local

DEFAULT = default_policy("xa")
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def slot(
    new: Airing, existing_by_node: dict[str, list[Airing]], policy: DatedPolicy = DEFAULT, after: str = "00:00",
    days: int = 8,
) -> datetime | None:
    policies = dict.fromkeys(existing_by_node, policy)
    start = local(after)
    return next_free_slot(new, existing_by_node, policies, start, start + timedelta(days=days))


def test_an_empty_day_has_room_when_the_first_frame_opens() -> None:
    found = slot(airing("new", local("12:00"), 60), {"n1": []})
    assert found == local("05:00")


def test_the_slot_is_a_whole_minute_after_what_is_there() -> None:
    assert slot(airing("new", local("12:00"), 60), {"n1": [airing("a", local("05:00"), 61)]}) == local("05:02")


def test_all_nodes_must_have_room() -> None:
    existing = {"n1": [airing("a", local("05:00"), 600)], "n2": [airing("b", local("05:10"), 600)]}
    assert slot(airing("new", local("12:00"), 60), existing) == local("05:20")


def test_a_session_may_not_grow_too_long() -> None:
    existing = {"n1": [airing("a", local("05:00"), 40 * 60)]}
    found = slot(airing("new", local("12:00"), 10 * 60), existing)
    assert found == local("05:51")


def test_the_sessions_of_a_day_may_be_used_up() -> None:
    existing = {"n1": [airing(at, local(at), 44 * 60) for at in ("05:00", "05:45", "16:30")]}
    busy = {"n1": [*existing["n1"], airing("17:30", local("17:30"), 44 * 60)]}
    assert slot(airing("new", local("12:00"), 120), busy) == local("05:00", 16)


@pytest.mark.parametrize(("longest", "expected"), [(45, "05:05"), (40, "05:10")])
def test_with_no_session_left_a_broadcast_joins_the_next_one_as_early_as_its_length_allows(
    longest: int, expected: str,
) -> None:
    one_a_day = Policy("xa", DEFAULT.frames, (), timedelta(minutes=longest), 1)
    existing = {"n1": [airing("a", local("05:20"), 30 * 60)]}
    assert slot(airing("new", local("12:00"), 5 * 60), existing, one_a_day) == local(expected)


def test_a_new_day_brings_new_sessions_though_the_frame_goes_on() -> None:
    night_watch = Policy("xa", (TimeFrame(time(0), time(0)),), (), timedelta(minutes=45), 1)
    existing = {"n1": [airing("a", local("10:00"), 60)]}
    assert slot(airing("new", local("12:00"), 60), existing, night_watch, after="23:30") == local("00:00", 16)


def test_a_session_over_midnight_counts_on_the_day_on_which_it_begins() -> None:
    night_watch = Policy("xa", (TimeFrame(time(0), time(0)),), (), timedelta(minutes=45), 1)
    existing = {"n1": [airing("a", local("10:00"), 60), airing("b", local("00:03", 16), 60)]}
    assert slot(airing("new", local("12:00"), 300), existing, night_watch, after="23:50") == local("00:04", 16)


def test_an_emergency_only_needs_silence() -> None:
    emergency = airing("e", local("12:00"), 60, air_class=EMERGENCY)
    assert slot(emergency, {"n1": [airing("a", local("03:00"), 60)]}, after="03:00") == local("03:01")


def test_what_is_longer_than_any_frame_has_no_slot() -> None:
    assert slot(airing("new", local("12:00"), 46 * 60), {"n1": []}) is None


def test_a_special_event_gives_room_on_its_day() -> None:
    day = local("00:00", 17).date()
    event = SpecialEvent("xa", "Hội", day, day, (TimeFrame(time(9), time(12)),), timedelta(hours=3), 1)
    held = calendar([DEFAULT], [event], ("xa",))
    assert slot(airing("new", local("12:00"), 46 * 60), {"n1": []}, held) == local("09:00", 17)


steps = st.integers(0, 2 * 24 * 12 - 1)
minutes = st.integers(1, 40)
planned = st.lists(st.tuples(steps, minutes, st.sampled_from([AirClass.ORDINARY, AirClass.PRIORITY])), max_size=8)


def plans(name: str) -> st.SearchStrategy[list[Airing]]:
    return planned.map(
        lambda shapes: [
            airing(f"{name}{n}", local("00:00") + timedelta(minutes=5 * at), 60 * long, air_class=air_class)
            for n, (at, long, air_class) in enumerate(shapes)
        ]
    )


policies = st.builds(
    lambda hours, length, longest, a_day: Policy(
        "xa",
        tuple(TimeFrame(time(hour), time(min(23, hour + length))) for hour in hours),
        DEFAULT.quiet_hours,
        timedelta(minutes=longest),
        a_day,
    ),
    st.sets(st.integers(4, 22), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(10, 60),
    st.integers(0, 3),
)


@settings(max_examples=100, deadline=None)
@given(plans("a"), plans("b"), policies, policies, minutes, st.integers(0, 24 * 60))
def test_the_slot_is_the_earliest_that_collides_with_nothing_and_violates_nothing(
    a: list[Airing], b: list[Airing], one: Policy, other: Policy, long: int, after: int,
) -> None:
    new = airing("new", local("12:00"), 60 * long)
    existing, held = {"n1": a, "n2": b}, {"n1": one, "n2": other}
    start = local("00:00") + timedelta(minutes=after)
    end = start + timedelta(hours=8)
    found = next_free_slot(new, existing, held, start, end, 5 * MINUTE)
    first = start + timedelta(minutes=-after % 5)
    tried = (first + 5 * MINUTE * number for number in range(8 * 12 + 1))
    assert found == next((at for at in tried if at < end and is_free(new.moved_to(at), existing, held)), None)


def is_free(new: Airing, existing: dict[str, list[Airing]], held: dict[str, Policy]) -> bool:
    return not collisions([new], existing) and not any(
        violations(held[node], [*airings, new], {new.broadcast_id}) for node, airings in existing.items()
    )


def daily(name: str, start: str, *seconds: float, days: range = range(15, 20)) -> list[Airing]:
    return [airing(f"{name}{day}", local(start, day), *seconds) for day in days]


def start_of_all(
    series: list[Airing], existing_by_node: dict[str, list[Airing]], policy: DatedPolicy = DEFAULT,
    after: str = "00:00",
) -> datetime | None:
    policies = dict.fromkeys(existing_by_node, policy)
    return next_free_start(series, existing_by_node, policies, local(after), local(after) + timedelta(days=1))


def test_a_daily_programme_gets_the_time_that_is_free_on_all_its_days() -> None:
    existing = {"n1": [airing("a", local("05:00", 17), 600)], "n2": [airing("b", local("05:10", 19), 600)]}
    assert start_of_all(daily("new", "12:00", 60), existing) == local("05:20")


def test_a_programme_that_violates_by_itself_has_no_other_time() -> None:
    four_a_day = sorted(
        (one for start in ("05:00", "05:30", "16:30", "17:00") for one in daily(start, start, 60)),
        key=lambda one: one.start,
    )
    assert start_of_all(four_a_day, {"n1": []}) is None
    generous = Policy("xa", DEFAULT.frames, DEFAULT.quiet_hours, DEFAULT.longest_session, 4)
    assert start_of_all(four_a_day, {"n1": [airing("a", local("05:00", 17), 119)]}, generous) == local("05:02")


@settings(max_examples=60, deadline=None)
@given(plans("a"), plans("b"), policies, policies, minutes, st.integers(0, 24 * 12))
def test_the_start_of_a_series_is_the_earliest_at_which_every_day_is_free(
    a: list[Airing], b: list[Airing], one: Policy, other: Policy, long: int, after: int,
) -> None:
    series = daily("new", "12:00", 60 * long, days=range(15, 17))
    existing, held = {"n1": a, "n2": b}, {"n1": one, "n2": other}
    start = local("00:00") + timedelta(minutes=5 * after)
    end = start + timedelta(hours=6)
    found = next_free_start(series, existing, held, start, end, 5 * MINUTE)
    tried = (start + 5 * MINUTE * number for number in range(6 * 12))
    free = (at for at in tried if all(is_free(s.moved_to(at + n * DAY), existing, held) for n, s in enumerate(series)))
    assert found == next(free, None)


def commune(nodes: int = 90, days: int = 8, a_day: int = 30, shared: bool = False) -> dict[str, list[Airing]]:
    """Thirty broadcasts of two minutes a day at every node, each node a little later than the one before."""
    return {
        f"n{node}": [
            airing(
                f"n{0 if shared else node}-{day}-{number}",
                local("05:00", 10 + day) + timedelta(minutes=12 * number, seconds=0 if shared else node),
                60,
                50,
                gap=5,
            )
            for day in range(days)
            for number in range(a_day)
        ]
        for node in range(nodes)
    }


def seconds_of_work(work: Callable[[], object]) -> float:
    started = process_time()
    work()
    return process_time() - started


def test_ninety_nodes_and_eight_days_are_forecast_and_searched_at_once() -> None:
    everywhere = commune()
    building = seconds_of_work(commune)
    busy = Policy("xa", (TimeFrame(time(5), time(21)),), (), timedelta(hours=16), 30)
    policies = dict.fromkeys(everywhere, busy)
    new = airing("new", local("05:00", 10), 9 * 60 + 30)

    def all_forecasts() -> None:
        for airings in everywhere.values():
            forecast(airings, must_end_by(busy, airings))

    def search() -> datetime | None:
        return next_free_slot(new, everywhere, policies, local("00:00", 10), local("00:00", 18))

    assert search() == local("10:52", 10)
    assert seconds_of_work(all_forecasts) < 6 * building
    assert seconds_of_work(search) < 2 * building
    month = [new.moved_to(new.start + day * DAY) for day in range(6)]
    start = next_free_start(month, everywhere, policies, local("00:00", 10), local("00:00", 11))
    assert start == local("10:52", 10)
