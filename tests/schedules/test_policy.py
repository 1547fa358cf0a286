from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import (
    DEFAULTS,
    MixedZones,
    Policy,
    QuietHours,
    SpecialEvent,
    TimeFrame,
    calendar,
    default_policy,
    effective,
    open_between,
)
from schedules.policy import DatedPolicy
from tests.schedules.builders import CLOCK_CHANGES, HANOI, local, wall

MORNING = TimeFrame(time(5, 0), time(6, 30))
NIGHT = QuietHours(time(21, 0), time(5, 0))
ELECTION_DAY = date(2026, 3, 15)
COMMUNE, VILLAGE = default_policy("xa"), default_policy("thon")
PATH = ("tinh", "xa", "thon")
ELECTION = SpecialEvent(
    "xa", "Bầu cử", ELECTION_DAY, ELECTION_DAY, (TimeFrame(time(5, 0), time(21, 0)),), timedelta(minutes=20), 30
)


def policy(
    *frames: TimeFrame, quiet: tuple[QuietHours, ...] = (), longest: int = 45, a_day: int = 3, cap: int = 100,
) -> Policy:
    return Policy("thon", frames, quiet, timedelta(minutes=longest), a_day, cap)


def opened(held: DatedPolicy, day: int = 15) -> list[tuple[str, str]]:
    stretches = open_between(held, local("12:00", day), local("12:00", day))
    return [(wall(start)[:5], wall(end)[:5]) for start, end in stretches]


def test_every_default_of_a_policy_has_its_source() -> None:
    default = default_policy("xa")
    assert DEFAULTS.keys() == {"frames", "quiet_hours", "longest_session", "sessions_per_day", "volume_cap"}
    for rule, entry in DEFAULTS.items():
        assert getattr(default, rule) == entry.value
        assert entry.source.endswith(".")


def test_the_defaults_open_morning_and_evening() -> None:
    assert opened(COMMUNE) == [("05:00", "06:30"), ("16:30", "18:30")]


def test_quiet_hours_close_what_a_frame_opens() -> None:
    assert opened(policy(TimeFrame(time(4, 0), time(22, 0)), quiet=(NIGHT,))) == [("05:00", "21:00")]


def test_a_frame_may_last_to_midnight_and_go_on_the_next_day() -> None:
    held = policy(TimeFrame(time(22, 0), time(0, 0)), TimeFrame(time(0, 0), time(1, 0)))
    stretches = open_between(held, local("12:00", 15), local("12:00", 16))
    assert [(wall(s), wall(e)) for s, e in stretches][1] == ("22:00:00", "01:00:00")


def test_weekdays_of_a_frame_are_those_of_the_place() -> None:
    monday = policy(TimeFrame(time(5, 0), time(6, 0), frozenset({0})))
    assert opened(monday, 15) == []
    assert opened(monday, 16) == [("05:00", "06:00")]


def test_policies_of_one_node_only_tighten_one_another() -> None:
    village = policy(
        TimeFrame(time(5, 30), time(7, 0), frozenset(range(5))),
        quiet=(QuietHours(time(12, 0), time(14, 0)),),
        longest=50,
        a_day=2,
        cap=80,
    )
    both = effective([COMMUNE, village])
    assert both.frames == (TimeFrame(time(5, 30), time(6, 30), frozenset(range(5))),)
    assert both.quiet_hours == (NIGHT, QuietHours(time(12, 0), time(14, 0)))
    assert (both.longest_session, both.sessions_per_day, both.volume_cap) == (timedelta(minutes=45), 2, 80)
    assert both.place_id == "thon"


def test_policies_with_nothing_in_common_leave_silence() -> None:
    assert opened(effective([policy(MORNING), policy(TimeFrame(time(16, 30), time(18, 30)))])) == []


def test_policies_in_several_zones_are_refused() -> None:
    elsewhere = default_policy("khac", zone="Europe/Berlin")
    with pytest.raises(MixedZones) as refused:
        effective([COMMUNE, elsewhere])
    assert refused.value.params["zones"] == ["Asia/Ho_Chi_Minh", "Europe/Berlin"]


def test_a_special_event_opens_its_day_for_its_place_and_below_and_no_other() -> None:
    held = calendar([COMMUNE, VILLAGE], [ELECTION], PATH)
    assert opened(held) == [("05:00", "21:00")]
    assert opened(held, 16) == opened(held, 14) == [("05:00", "06:30"), ("16:30", "18:30")]
    assert (held.on(ELECTION_DAY).sessions_per_day, held.on(ELECTION_DAY).longest_session) == (
        30, timedelta(minutes=20),
    )  # fmt: skip


def test_events_and_policies_of_other_places_are_passed_over() -> None:
    elsewhere = SpecialEvent("xa2", "Hội", ELECTION_DAY, ELECTION_DAY, (MORNING,), timedelta(minutes=5), 1)
    held = calendar([COMMUNE, default_policy("xa2")], [elsewhere], PATH)
    assert held.on(ELECTION_DAY) == COMMUNE


def test_a_village_event_does_not_open_what_the_commune_closes() -> None:
    village_event = SpecialEvent(
        "thon", "Hội làng", ELECTION_DAY, ELECTION_DAY, (TimeFrame(time(5, 0), time(21, 0)),), timedelta(hours=3), 9
    )
    held = calendar([COMMUNE, VILLAGE], [village_event], PATH)
    assert opened(held) == [("05:00", "06:30"), ("16:30", "18:30")]
    assert held.on(ELECTION_DAY).sessions_per_day == 3


def test_a_village_event_tightens_what_the_commune_opens_on_the_same_day() -> None:
    late = (TimeFrame(time(18), time(22)),)
    evening = SpecialEvent("thon", "Hội", ELECTION_DAY, ELECTION_DAY, late, timedelta(hours=1), 9)
    held = calendar([COMMUNE, VILLAGE], [ELECTION, evening], PATH)
    assert opened(held) == [("18:00", "21:00")]
    assert held.on(ELECTION_DAY).longest_session == timedelta(minutes=20)


def test_an_event_leaves_the_volume_cap_and_opens_no_quiet_hours_unless_it_says_so() -> None:
    quiet_village = policy(MORNING, cap=60)
    all_day = (TimeFrame(time(0, 0), time(0, 0)),)
    event = SpecialEvent("xa", "Bão", ELECTION_DAY, ELECTION_DAY, all_day, timedelta(hours=1), 9)
    assert opened(calendar([COMMUNE, quiet_village], [event], PATH)) == [("05:00", "21:00")]
    assert calendar([COMMUNE, quiet_village], [event], PATH).on(ELECTION_DAY).volume_cap == 60
    late = SpecialEvent("xa", "Kiểm phiếu", ELECTION_DAY, ELECTION_DAY, all_day, timedelta(hours=1), 9, quiet_hours=())
    assert opened(calendar([COMMUNE], [late], PATH)) == [("00:00", "00:00")]


@pytest.mark.parametrize(
    "make",
    [
        lambda: TimeFrame(time(6, 0), time(5, 0)),
        lambda: TimeFrame(time(5, 0), time(6, 0), frozenset({7})),
        lambda: QuietHours(time(5, 0), time(5, 0)),
        lambda: policy(MORNING, longest=0),
        lambda: policy(MORNING, a_day=-1),
        lambda: policy(MORNING, cap=101),
        lambda: SpecialEvent("xa", "x", date(2026, 3, 2), date(2026, 3, 1), (MORNING,), timedelta(hours=1), 1),
        lambda: effective([]),
    ],
)
def test_impossible_policies_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        make()


def test_frames_that_end_at_midnight_meet_those_that_end_before() -> None:
    evening, late = TimeFrame(time(18), time(22)), TimeFrame(time(20), time(0))
    assert late.meet(evening) == evening.meet(late) == TimeFrame(time(20), time(22))
    assert late.meet(late) == late


def test_quiet_hours_that_end_in_a_repeated_hour_last_to_its_second_showing() -> None:
    night = Policy(
        "x", (TimeFrame(time(0), time(6)),), (QuietHours(time(21), time(2, 30)),), timedelta(hours=1), 3,
        zone="Europe/Berlin",
    )  # fmt: skip
    second_half_past_two = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert [stretch.start for stretch in open_between(night, second_half_past_two, second_half_past_two)] == [
        second_half_past_two
    ]


times = st.integers(0, 95).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))
pairs = st.tuples(times, times).filter(lambda pair: pair[0] != pair[1])
frames = pairs.map(lambda pair: TimeFrame(min(pair), max(pair)))
quiets = pairs.map(lambda pair: QuietHours(*pair))
policies = st.builds(
    lambda frames, quiet: policy(*frames, quiet=tuple(quiet)),
    st.lists(frames, max_size=3),
    st.lists(quiets, max_size=2),
)


def in_frame(held: Policy, at: time) -> bool:
    return any(f.start <= at and (at < f.end or f.end == time(0)) for f in held.frames)


def is_quiet(held: Policy, at: time) -> bool:
    spans = [span for quiet in held.quiet_hours for span in quiet.within_a_day()]
    return any(start <= at and (at < end or end == time(0)) for start, end in spans)


@given(policies, policies, st.integers(0, 24 * 4 - 1))
def test_a_minute_is_open_just_when_every_policy_frames_it_and_none_keeps_it_quiet(
    one: Policy, other: Policy, quarter: int,
) -> None:
    instant = local("00:07") + timedelta(minutes=15 * quarter)
    at = instant.astimezone(HANOI).time()
    expected = all(in_frame(held, at) and not is_quiet(held, at) for held in (one, other))
    both = effective([one, other])
    assert expected == any(start <= instant < end for start, end in open_between(both, instant, instant))


@settings(max_examples=300)
@given(policies, st.sampled_from(CLOCK_CHANGES), st.integers(-5 * 60, 5 * 60))
def test_no_zone_and_no_change_of_the_clock_opens_a_quiet_minute(
    held: Policy, change: tuple[str, datetime], minutes: int,
) -> None:
    zone, changes_at = change
    abroad = Policy("x", held.frames, held.quiet_hours, timedelta(hours=1), 3, zone=zone)
    instant = changes_at + timedelta(minutes=minutes, seconds=30)
    if any(start <= instant < end for start, end in open_between(abroad, instant, instant)):
        assert not is_quiet(abroad, instant.astimezone(ZoneInfo(zone)).time())
