"""The forecast of the server and the agent on the pole obey the same rules: for every timetable they hear the same."""

from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.contract.documents import AirClass
from firmware_bridge.contract.documents import Policy as SignedPolicy
from firmware_bridge.contract.documents import QuietHours as SignedQuiet
from firmware_bridge.contract.documents import TimeFrame as SignedFrame
from firmware_bridge.node.rules import Plan, judge
from schedules import timetable
from schedules.airings import Airing, ItemLength
from schedules.checks import Session, must_end_by, sessions
from schedules.hours import QuietHours, TimeFrame
from schedules.policy import Policy, effective
from tests.firmware_bridge.builders import (
    COMMUNE,
    NOON,
    SITE,
    VILLAGE,
    Commune,
    approved,
    broadcast,
    by_server,
    order,
    sha,
)
from tests.firmware_bridge.node.pole import Pole

Listed = tuple[int, AirClass, list[str], int, int]
LENGTHS = (1_000, 2_500, 5_000, 20_000, 45_000, 60_000, 90_000)
TRACKS = {sha(f"track {length}"): length for length in LENGTHS}

BROADCASTS = st.lists(
    st.tuples(
        st.integers(0, 40).map(lambda step: step * 5),
        st.sampled_from(list(AirClass)),
        st.lists(st.sampled_from(list(TRACKS)), min_size=1, max_size=3),
        st.sampled_from((0, 500, 5_000)),
        st.sampled_from((0, 10, 60, 300))),
    min_size=1, max_size=6)


def airing(name: str, start_s: int, air_class: AirClass, tracks: list[str], gap_ms: int, latest_s: int) -> Airing:
    start = NOON + timedelta(seconds=30 + start_s)
    items = tuple(ItemLength(f"{name}-{number}", TRACKS[one], gap_ms) for number, one in enumerate(tracks))
    return Airing(name, start, start + timedelta(seconds=latest_s), timetable.AirClass(air_class), items)


def on_the_pole(listed: list[Listed], commune: Commune) -> Pole:
    pole = Pole(commune).ready()
    for track, length in TRACKS.items():
        pole.store(track, approved(track, duration_ms=length, air_class=AirClass.EMERGENCY))
    pole.receive(by_server(order(
        *(broadcast(f"b{number}", NOON + timedelta(seconds=30 + start), *tracks, latest_s=latest, air_class=air_class,
                    gap_ms=gap)
          for number, (start, air_class, tracks, gap, latest) in enumerate(listed)), lengths=TRACKS)))
    pole.run_for(1500)
    return pole


def segments_of(pole: Pole, name: str) -> dict[str, list[tuple[str, int, int]]]:
    (end,) = pole.ends(name)
    found: dict[str, list[tuple[str, int, int]]] = {}
    segments: Any = end.data.get("segments", [])
    for one in segments:
        found.setdefault(one["item"], []).append((one["at"], one["from_ms"], one["to_ms"]))
    return found


def stamp(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@given(BROADCASTS, st.sampled_from((0, 90, 150)), st.sampled_from((1, 2, 3, 60)))
@settings(max_examples=100, deadline=None)
def test_the_pole_lets_be_heard_what_the_server_forecasts(
    listed: list[Listed], opens_s: int, session_minutes: int,
) -> None:
    opened = (NOON + timedelta(hours=7, minutes=-1)).time()
    closes = (NOON + timedelta(hours=7, minutes=2 + opens_s // 60)).time()
    commune = Commune(frames=((f"{opened:%H:%M}", f"{closes:%H:%M}"),), longest_session_minutes=session_minutes)
    policy = Policy(COMMUNE, (TimeFrame(opened, closes),), (), timedelta(minutes=session_minutes), 1000)
    airings = [airing(f"b{number}", *each) for number, each in enumerate(listed)]
    pole = on_the_pole(listed, commune)
    for playback in timetable.forecast(airings, must_end_by(policy, airings)):
        (end,) = pole.ends(playback.broadcast_id)
        told = "missed" if end.kind == "play_missed" else end.data["state"]
        expected = {item.item_id: [(stamp(at), from_ms, to_ms) for at, from_ms, to_ms in item.segments]
                    for item in playback.items if item.segments}
        assert segments_of(pole, playback.broadcast_id) == expected, end
        assert told == playback.expected_state, end


CLOCKS = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
HOURS = st.tuples(CLOCKS, CLOCKS | st.just("24:00")).filter(lambda pair: pair[0] < pair[1])
QUIET = st.tuples(CLOCKS, CLOCKS).filter(lambda pair: pair[0] != pair[1])
WEEKDAYS = st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days)))
POLICIES = st.tuples(st.lists(st.tuples(HOURS, WEEKDAYS), max_size=3), st.lists(QUIET, max_size=2),
                     st.integers(1, 600), st.integers(1, 3))


def wall(clock: str) -> time:
    return time(0, 0) if clock == "24:00" else time.fromisoformat(clock)


@given(st.lists(POLICIES, min_size=1, max_size=2),
       st.lists(st.tuples(st.integers(0, 14 * 24 * 60), st.integers(1, 240)), min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_the_pole_judges_frames_quiet_hours_and_sessions_as_the_server_does(
    drawn: list[Any], planned: list[tuple[int, int]]
) -> None:
    places = (COMMUNE, VILLAGE)
    signed = [SignedPolicy(
        site=SITE, place=place, version=1, issued=NOON,
        frames=tuple(SignedFrame(start=start, end=end, weekdays=days) for (start, end), days in frames),
        quiet_hours=tuple(SignedQuiet(start=start, end=end) for start, end in quiet),
        longest_session_minutes=longest, sessions_per_day=most, volume_cap=100,
    ) for place, (frames, quiet, longest, most) in zip(places, drawn, strict=False)]
    held = effective([Policy(
        place, tuple(TimeFrame(wall(start), wall(end), frozenset(days)) for (start, end), days in frames),
        tuple(QuietHours(wall(start), wall(end)) for start, end in quiet), timedelta(minutes=longest), most,
    ) for place, (frames, quiet, longest, most) in zip(places, drawn, strict=False)])
    airings = [airing(f"b{number:02}", minutes * 60, AirClass.ORDINARY, [sha("track 60000")] * length, 0, 60)
               for number, (minutes, length) in enumerate(planned)]
    verdicts = judge([Plan(one.broadcast_id, AirClass.ORDINARY, one.start, one.end) for one in airings], signed)
    until = must_end_by(held, airings)
    too_many = {one.broadcast_id for found in sessions_beyond(held, airings) for one in found.airings}
    for one in airings:
        verdict = verdicts[one.broadcast_id]
        assert (verdict.reason == "too_many_sessions") == (one.broadcast_id in too_many)
        if one.broadcast_id in too_many:
            continue
        assert (verdict.reason is None) == (until[one.broadcast_id] > one.start)
        assert verdict.reason is not None or verdict.until == until[one.broadcast_id]


def sessions_beyond(policy: Policy, airings: list[Airing]) -> list[Session]:
    """The sessions of each day after as many as are allowed."""
    counted: Counter[date] = Counter()
    found = []
    for session in sessions(airings):
        day = session.start.astimezone(ZoneInfo(policy.zone)).date()
        counted[day] += 1
        if counted[day] > policy.sessions_per_day:
            found.append(session)
    return found
