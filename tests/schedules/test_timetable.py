from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import AirClass, Airing, ItemLength, NaiveInstant, PlaybackState, default_policy, forecast, must_end_by
from schedules.timetable import NO_LIMITS
from tests.schedules.builders import EMERGENCY, NOON, PRIORITY, airing, airings, heard, local
from tests.schedules.second_by_second import second_by_second

BULLETIN = airing("a", local("05:00"), 60, 60, gap=5)
SHORT_GRACE = timedelta(seconds=12)
limits = st.dictionaries(
    st.sampled_from([f"b{number}" for number in range(6)]),
    st.integers(0, 150).map(lambda seconds: NOON + timedelta(seconds=seconds)),
)


def states(*broadcasts: Airing, must_end_by: Mapping[str, datetime] = NO_LIMITS) -> dict[str, PlaybackState]:
    return {playback.broadcast_id: playback.expected_state for playback in forecast(broadcasts, must_end_by)}


def test_a_broadcast_alone_is_played_as_planned() -> None:
    (playback,) = forecast([BULLETIN])
    assert heard(playback) == [("a1", "05:00:00", 0, 60_000), ("a2", "05:01:05", 0, 60_000)]
    assert [item.offset_ms for item in playback.items] == [0, 65_000]
    assert (playback.heard_ms, playback.expected_state) == (120_000, "played")


def test_an_interrupted_item_starts_again_and_its_seconds_count_once() -> None:
    priority = airing("p", local("05:01:30"), 45, air_class=PRIORITY)
    ours, other = forecast([BULLETIN, priority])
    assert heard(ours) == [("a1", "05:00:00", 0, 60_000), ("a2", "05:01:05", 0, 25_000), ("a2", "05:02:15", 0, 60_000)]
    assert heard(other) == [("p1", "05:01:30", 0, 45_000)]
    assert (ours.heard_ms, ours.expected_state, other.expected_state) == (120_000, "played", "played")


def test_an_item_that_no_longer_fits_is_lost_and_those_after_it_too() -> None:
    with_a_short_last_item = airing("a", local("05:00"), 60, 60, 1, gap=5)
    ours, _ = forecast([with_a_short_last_item, airing("p", local("05:01:30"), 240, air_class=PRIORITY)])
    assert heard(ours)[-1] == ("a2", "05:01:05", 0, 25_000)
    assert (ours.heard_ms, ours.lost_ms, ours.expected_state) == (85_000, 36_000, "partial")


@pytest.mark.parametrize(("seconds", "resumed"), [(10, "05:01:12"), (2, "05:01:05")])
def test_after_an_interruption_in_a_silence_the_next_item_comes_when_due_or_at_once(seconds: int, resumed: str) -> None:
    ours, _ = forecast([BULLETIN, airing("p", local("05:01:02"), seconds, air_class=PRIORITY)])
    assert heard(ours) == [("a1", "05:00:00", 0, 60_000), ("a2", resumed, 0, 60_000)]


def test_a_late_start_joins_where_the_neighbours_are_and_is_missed_after_its_latest_start() -> None:
    priority = airing("q", local("05:00"), 40, air_class=PRIORITY)
    joined, _ = forecast([BULLETIN, priority])
    assert heard(joined) == [("a1", "05:00:40", 40_000, 60_000), ("a2", "05:01:05", 0, 60_000)]
    assert joined.expected_state == "partial"
    impatient = airing("a", local("05:00"), 60, 60, gap=5, late=30)
    assert states(impatient, priority)["a"] == "missed"


def test_an_equal_class_waits_and_joins() -> None:
    _, waiting = forecast([BULLETIN, airing("b", local("05:01"), 90, late=120)])
    assert heard(waiting) == [("b1", "05:02:05", 65_000, 90_000)]


def test_at_one_instant_class_goes_before_start_and_start_before_id() -> None:
    long_ago = airing("z", local("04:59"), 30, late=600)
    broadcasts = [airing("b", local("05:00"), 60), airing("a", local("05:00"), 60), long_ago]
    assert states(*broadcasts, airing("e", local("05:00"), 5, air_class=EMERGENCY)) == {
        "z": "played", "a": "partial", "b": "missed", "e": "played",
    }  # fmt: skip


def test_an_emergency_interrupts_what_interrupts() -> None:
    broadcasts = [
        airing("a", local("05:00"), 100),
        airing("p", local("05:00:10"), 30, air_class=PRIORITY),
        airing("e", local("05:00:20"), 5, air_class=EMERGENCY),
    ]
    ordinary, priority, emergency = forecast(broadcasts)
    assert heard(emergency) == [("e1", "05:00:20", 0, 5_000)]
    assert heard(priority) == [("p1", "05:00:10", 0, 10_000), ("p1", "05:00:25", 0, 30_000)]
    assert heard(ordinary) == [("a1", "05:00:00", 0, 10_000), ("a1", "05:00:55", 0, 100_000)]


def test_the_end_of_one_comes_before_the_start_of_a_higher_one() -> None:
    ours, _ = forecast([airing("a", local("05:00"), 60), airing("p", local("05:01"), 10, air_class=PRIORITY)])
    assert heard(ours) == [("a1", "05:00:00", 0, 60_000)]


def test_an_item_that_ends_as_a_higher_class_begins_is_done() -> None:
    ours, _ = forecast([airing("a", local("05:00"), 60, 30), airing("p", local("05:01"), 10, air_class=PRIORITY)])
    assert heard(ours) == [("a1", "05:00:00", 0, 60_000), ("a2", "05:01:10", 0, 30_000)]
    resumed, *_ = forecast(
        [
            airing("a", local("05:00"), 60),
            airing("p", local("05:00:10"), 10, air_class=PRIORITY),
            airing("q", local("05:01:20"), 10, air_class=PRIORITY),
        ]
    )
    assert heard(resumed) == [("a1", "05:00:00", 0, 10_000), ("a1", "05:00:20", 0, 60_000)]


def test_nothing_sounds_over_the_end_of_the_frame() -> None:
    broadcast = airing("a", local("06:28"), 60, 50, gap=5)
    priority = airing("p", local("06:29"), 20, air_class=PRIORITY)
    allowed = must_end_by(default_policy("xa"), [broadcast, priority])
    ours, _ = forecast([broadcast, priority], allowed)
    assert heard(ours) == [("a1", "06:28:00", 0, 60_000)]
    assert ours.expected_state == "partial"
    without_limits, _ = forecast([broadcast, priority])
    assert without_limits.expected_state == "played"


def test_what_starts_outside_every_frame_is_missed_and_disturbs_nobody() -> None:
    at_night = airing("p", local("04:59:30"), 60, air_class=PRIORITY)
    relay = airing("a", local("04:59"), 60, late=90)
    for broadcasts in ([at_night], [at_night, relay]):
        allowed = must_end_by(default_policy("xa"), broadcasts)
        assert set(states(*broadcasts, must_end_by=allowed).values()) == {"missed"}


def test_a_higher_class_that_cannot_be_heard_does_not_interrupt() -> None:
    outside = airing("p", local("06:29:50"), 20, air_class=PRIORITY)
    inside = airing("a", local("06:29"), 60)
    allowed = must_end_by(default_policy("xa"), [inside, outside])
    assert states(inside, outside, must_end_by=allowed) == {"a": "played", "p": "missed"}


def test_an_emergency_is_heard_at_any_hour() -> None:
    emergency = airing("e", local("03:15"), 30, air_class=EMERGENCY)
    assert states(emergency, must_end_by=must_end_by(default_policy("xa"), [emergency])) == {"e": "played"}


def test_two_percent_may_be_lost() -> None:
    blip = airing("e", local("05:00"), 2, air_class=EMERGENCY)
    assert states(airing("a", local("05:00"), 100), blip)["a"] == "played"
    assert states(airing("a", local("05:00"), 99), blip)["a"] == "partial"


def test_naive_instants_and_impossible_broadcasts_are_refused() -> None:
    naive = datetime(2026, 3, 15, 5, 0)  # noqa: DTZ001 - the point of the test
    item = ItemLength("a", 1000)
    with pytest.raises(NaiveInstant, match="start needs a time zone"):
        Airing("a", naive, local("05:00"), AirClass.ORDINARY, (item,))
    with pytest.raises(ValueError, match="no items"):
        Airing("a", NOON, NOON, AirClass.ORDINARY, ())
    with pytest.raises(ValueError, match="latest start before its start"):
        Airing("a", NOON, NOON - timedelta(seconds=1), AirClass.ORDINARY, (item,))
    with pytest.raises(ValueError, match="volume"):
        Airing("a", NOON, NOON, AirClass.ORDINARY, (item,), volume=101)
    with pytest.raises(ValueError, match="duration_ms > 0"):
        ItemLength("a", 0)


def test_classes_are_spelled_as_in_the_protocol() -> None:
    assert [air_class.word for air_class in AirClass] == ["ordinary", "priority", "emergency"]
    assert AirClass.from_word("priority") is PRIORITY


@settings(max_examples=400, deadline=None)
@given(airings(), limits)
def test_the_forecast_is_what_a_node_does_that_knows_only_the_present(
    broadcasts: list[Airing], allowed: dict[str, datetime],
) -> None:
    expected = second_by_second(broadcasts, allowed, SHORT_GRACE, NOON, seconds=600)
    for playback in forecast(broadcasts, allowed, SHORT_GRACE):
        seconds = [
            (round((segment.at_utc - NOON).total_seconds()) + tick, number, segment.from_ms // 1000 + tick)
            for number, item in enumerate(playback.items)
            for segment in item.segments
            for tick in range((segment.to_ms - segment.from_ms) // 1000)
        ]
        assert sorted(seconds) == expected[playback.broadcast_id]


@settings(deadline=None)
@given(airings(), limits)
def test_no_two_things_sound_at_once_and_none_past_its_limit(
    broadcasts: list[Airing], allowed: dict[str, datetime],
) -> None:
    sounds = []
    by_id = {broadcast.broadcast_id: broadcast for broadcast in broadcasts}
    for playback in forecast(broadcasts, allowed, SHORT_GRACE):
        broadcast = by_id[playback.broadcast_id]
        limit = broadcast.end + SHORT_GRACE
        if broadcast.air_class is not EMERGENCY:
            limit = min(limit, allowed.get(playback.broadcast_id, limit))
        for item in playback.items:
            for segment in item.segments:
                assert 0 <= segment.from_ms < segment.to_ms <= item.duration_ms
                end = segment.at_utc + timedelta(milliseconds=segment.to_ms - segment.from_ms)
                assert broadcast.start <= segment.at_utc < end <= limit
                sounds.append((segment.at_utc, end))
    assert all(one[1] <= other[0] for one, other in pairwise(sorted(sounds)))


@settings(deadline=None)
@given(airings(), limits)
def test_what_is_heard_is_never_more_than_planned_and_decides_the_state(
    broadcasts: list[Airing], allowed: dict[str, datetime],
) -> None:
    for playback in forecast(broadcasts, allowed, SHORT_GRACE):
        assert 0 <= playback.heard_ms <= playback.planned_ms
        assert playback.heard_ms == sum(item.heard_ms for item in playback.items)
        share = playback.heard_ms / playback.planned_ms
        assert playback.expected_state == ("played" if share >= 0.98 else "partial" if share else "missed")


@settings(deadline=None)
@given(airings(), limits)
def test_an_emergency_is_heard_whole_at_its_instant_whatever_else_is_planned(
    broadcasts: list[Airing], allowed: dict[str, datetime],
) -> None:
    emergencies = [b for b in broadcasts if b.air_class is EMERGENCY]
    alone = [
        b for b in emergencies if not any(o is not b and o.start < b.end and b.start < o.end for o in emergencies)
    ]
    playbacks = {p.broadcast_id: p for p in forecast(broadcasts, allowed)}
    for emergency in alone:
        for item in playbacks[emergency.broadcast_id].items:
            at = emergency.start + timedelta(milliseconds=item.offset_ms)
            assert item.segments == ((at, 0, item.duration_ms),)


@given(st.randoms(), airings())
def test_the_order_in_which_broadcasts_are_given_does_not_matter(random: Random, broadcasts: list[Airing]) -> None:
    shuffled = list(broadcasts)
    random.shuffle(shuffled)
    assert forecast(shuffled) == forecast(broadcasts)
