from __future__ import annotations

from datetime import date, time, timedelta
from itertools import pairwise

from hypothesis import given

from schedules import (
    Airing,
    Policy,
    SpecialEvent,
    TimeFrame,
    calendar,
    default_policy,
    must_end_by,
    sessions,
    violations,
)
from schedules.policy import DatedPolicy
from tests.schedules.builders import EMERGENCY, PRIORITY, airing, airings, local, wall

DEFAULT = default_policy("xa")


def codes(
    held: DatedPolicy, broadcasts: list[Airing], concerning: set[str] | None = None,
) -> list[tuple[str, str]]:
    return [(violation.broadcast_id, violation.code) for violation in violations(held, broadcasts, concerning)]


def test_gaps_of_ten_minutes_make_one_session_and_longer_ones_two() -> None:
    one = [airing("a", local("05:00"), 60), airing("b", local("05:11"), 60)]
    assert [(wall(s.start), wall(s.end)) for s in sessions(one)] == [("05:00:00", "05:12:00")]
    two = [airing("a", local("05:00"), 60), airing("b", local("05:11:01"), 60)]
    assert len(sessions(two)) == 2


def test_a_session_lasts_as_long_as_its_longest_broadcast() -> None:
    (session,) = sessions([airing("a", local("05:00"), 1200), airing("p", local("05:05"), 60, air_class=PRIORITY)])
    assert (wall(session.end), session.length) == ("05:20:00", timedelta(minutes=20))


def test_an_emergency_belongs_to_no_session() -> None:
    assert sessions([airing("e", local("05:00"), 60, air_class=EMERGENCY)]) == []


def test_what_fits_the_policy_violates_nothing() -> None:
    assert codes(DEFAULT, [airing("a", local("05:00"), 600), airing("b", local("16:30"), 2700)]) == []


def test_a_broadcast_outside_the_frames_names_the_nearest_one() -> None:
    (violation,) = violations(DEFAULT, [airing("a", local("07:00"), 600)])
    assert violation.code == "outside_frame"
    assert violation.span
    assert (wall(violation.span.start), wall(violation.span.end)) == ("05:00:00", "06:30:00")


def test_a_broadcast_over_the_end_of_its_frame_is_outside() -> None:
    assert codes(DEFAULT, [airing("a", local("06:25"), 301)]) == [("a", "outside_frame")]
    assert codes(DEFAULT, [airing("a", local("06:25"), 300)]) == []


def test_a_relay_at_a_quarter_past_three_is_in_the_quiet_hours() -> None:
    (violation,) = violations(DEFAULT, [airing("a", local("03:15"), 600)])
    assert violation.code == "quiet_hours"
    assert violation.span
    assert (wall(violation.span.start), wall(violation.span.end)) == ("21:00:00", "05:00:00")


def test_a_session_of_more_than_45_minutes_is_too_long() -> None:
    broadcasts = [airing("a", local("05:00"), 1500), airing("b", local("05:30"), 901)]
    (violation,) = violations(DEFAULT, broadcasts)
    assert (violation.code, violation.actual, violation.limit) == ("session_too_long", 2701, 2700)
    assert codes(DEFAULT, [airing("a", local("05:00"), 2700)]) == []


def test_the_fourth_session_of_a_day_is_one_too_many() -> None:
    four = [airing(name, local(at), 60) for name, at in zip("abcd", ("05:00", "05:30", "16:30", "17:00"), strict=True)]
    (violation,) = violations(DEFAULT, four)
    assert (violation.broadcast_id, violation.code) == ("d", "too_many_sessions")
    assert (violation.actual, violation.limit) == (4, 3)


def test_a_new_session_early_on_a_full_day_is_what_is_too_many() -> None:
    four = [airing(name, local(at), 60) for name, at in zip("abcd", ("05:00", "05:30", "16:30", "17:00"), strict=True)]
    assert codes(DEFAULT, four, {"a"}) == [("a", "too_many_sessions")]


def test_old_violations_are_not_held_against_a_new_broadcast() -> None:
    assert codes(DEFAULT, [airing("old", local("03:00"), 60), airing("new", local("05:00"), 60)], {"new"}) == []


def test_an_emergency_is_exempt_from_hours_and_sessions_but_not_from_the_volume_cap() -> None:
    quiet = Policy("xa", DEFAULT.frames, DEFAULT.quiet_hours, DEFAULT.longest_session, 3, volume_cap=60)
    emergency = airing("e", local("03:15"), 4000, air_class=EMERGENCY, volume=61)
    (violation,) = violations(quiet, [emergency])
    assert (violation.code, violation.actual, violation.limit) == ("over_volume_cap", 61, 60)
    assert codes(quiet, [airing("e", local("03:15"), 4000, air_class=EMERGENCY, volume=60)]) == []


def test_on_the_day_of_a_special_event_its_numbers_count() -> None:
    hourly = [airing(f"h{hour}", local(f"{hour:02}:00"), 60) for hour in range(7, 20)]
    event = SpecialEvent(
        "xa", "Bầu cử", date(2026, 3, 15), date(2026, 3, 15), (TimeFrame(time(5), time(21)),), timedelta(minutes=1), 13
    )
    assert codes(calendar([DEFAULT], [event], ("xa",)), hourly) == []
    assert {code for _, code in codes(DEFAULT, hourly)} == {"outside_frame", "too_many_sessions"}
    next_day = [airing("a", local("07:00", 16), 60)]
    assert codes(calendar([DEFAULT], [event], ("xa",)), next_day) == [("a", "outside_frame")]


def test_a_broadcast_may_sound_to_the_end_of_its_frame_or_of_its_sessions_allowance() -> None:
    ends = must_end_by(
        DEFAULT,
        [
            airing("a", local("05:00"), 60),
            airing("b", local("05:10"), 60),
            airing("c", local("06:20"), 60),
            airing("out", local("07:00"), 60),
            airing("e", local("05:00"), 60, air_class=EMERGENCY),
        ],
    )
    assert {name: wall(end) for name, end in ends.items()} == {
        "a": "05:45:00", "b": "05:45:00", "c": "06:30:00", "out": "07:00:00",
    }  # fmt: skip


@given(airings(within=3000, longest_item=600))
def test_sessions_hold_every_ruled_broadcast_once_and_lie_more_than_ten_minutes_apart(broadcasts: list[Airing]) -> None:
    found = sessions(broadcasts)
    held = [a.broadcast_id for session in found for a in session.airings]
    assert sorted(held) == sorted(b.broadcast_id for b in broadcasts if b.air_class is not EMERGENCY)
    for one, other in pairwise(found):
        assert other.start - one.end > timedelta(minutes=10)
