"""The server reckons with what the pole will choose: same recordings, same order, same lengths."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract.documents import AirClass, NeededRecording, OrderBroadcast, OrderItem, RunningOrder
from firmware_bridge.node.airing import lines_of
from loudspeaker.broadcasts.airings import lengths, longest, planned_ms, spoken
from tests.loudspeaker.builders import START

LANGUAGES = ("vi", "hmn", "tai", "ium", "tyz")
OWN = st.lists(st.sampled_from(LANGUAGES), min_size=1, max_size=4)


@st.composite
def items(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Items of a broadcast, each recording with bytes of its own."""
    made = []
    for number in range(draw(st.integers(1, 3))):
        there = draw(st.lists(st.sampled_from(LANGUAGES), min_size=1, max_size=4, unique=True))
        made.append({"id": str(number + 1), "title": "Tin", "gap_ms": draw(st.integers(0, 5000)), "recordings": {
            language: {"sha256": f"{number}{LANGUAGES.index(language)}" * 32, "bytes": 9,
                       "duration_ms": draw(st.integers(1, 90_000))} for language in there}})
    return made


@given(items(), OWN, st.sampled_from(["first", "all"]))
def test_the_pole_plays_what_the_server_planned(made: list[dict[str, Any]], own: list[str], rule: str) -> None:
    broadcast = OrderBroadcast(
        id="b", start=START, latest_start=START, air_class=AirClass.ORDINARY, volume=80,
        languages="all" if rule == "all" else "first",
        items=tuple(OrderItem(id=one["id"], gap_ms=one["gap_ms"], recordings={
            language: recording["sha256"] for language, recording in one["recordings"].items()}) for one in made))
    needed = {one["recordings"][language]["sha256"]: NeededRecording(**one["recordings"][language])
              for one in made for language in spoken(one["recordings"], own, rule)}
    order = RunningOrder(site="s", node="n", epoch=1, version=1, issued=START, expires=START, place_path=("p",),
                         groups=(), languages=tuple(own), broadcasts=(broadcast,), recordings=tuple(needed.values()))
    lines = lines_of(broadcast, order, {one.sha256: one.duration_ms for one in order.recordings}, needed)
    planned = lengths(made, own, rule)
    assert [(one.item, one.duration_ms, one.gap_ms) for one in lines] == [
        (one.item_id, one.duration_ms, one.gap_ms) for one in planned]
    assert planned_ms(made, own, rule) == sum(one.duration_ms for one in lines)


@given(items(), st.lists(OWN, max_size=4))
def test_a_broadcast_ends_when_its_slowest_village_has_heard_it(made: list[dict[str, Any]],
                                                                villages: list[list[str]]) -> None:
    ends = [sum(one.duration_ms + one.gap_ms for one in lengths(made, own, "all"))
            - lengths(made, own, "all")[-1].gap_ms for own in villages]
    assert longest(made, villages, "all") == timedelta(milliseconds=max(ends, default=0))


def test_vietnamese_is_the_last_resort() -> None:
    assert spoken({"vi": 1, "hmn": 2}, ["tai"], "first") == ("vi",)
    assert spoken({"hmn": 2}, ["tai"], "first") == ("hmn",)
    assert spoken({"vi": 1, "hmn": 2, "tai": 3}, ["tai", "vi"], "all") == ("tai", "vi")
