"""The forecast of the server and the agent on the pole obey the same rules: for every timetable they hear the same."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.contract.documents import AirClass
from schedules import timetable
from schedules.airings import Airing, ItemLength
from schedules.checks import must_end_by
from schedules.hours import TimeFrame
from schedules.policy import Policy
from tests.firmware_bridge.builders import COMMUNE, NOON, Commune, approved, broadcast, by_server, order, sha
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
