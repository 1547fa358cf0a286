"""The playing rules by themselves: the worked examples of docs/playing-rules.md, and the edges between them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from firmware_bridge.contract.documents import AirClass
from firmware_bridge.node.air import Air, Bar, Ended, Missed, Waiting
from firmware_bridge.node.airing import Airing, Line, heard_ms, millis, state_of
from firmware_bridge.node.playing import advance, limit_of

FIVE = datetime(2026, 3, 14, 22, 0, tzinfo=UTC)
"""05:00 in Việt Nam."""


@dataclass
class OpenGate:
    """Everything may air; `until` by id, `barred` recordings."""

    until: dict[str, datetime] = field(default_factory=dict)
    barred: dict[str, Bar] = field(default_factory=dict)

    def bar_airing(self, airing: Airing, at: datetime) -> Bar | None:
        return None

    def bar_line(self, airing: Airing, line: Line, at: datetime) -> Bar | None:
        return self.barred.get(line.recording)

    def limit(self, airing: Airing) -> tuple[datetime, str]:
        return limit_of(airing, self.until.get(airing.id)), "no_room"

    def lines(self, airing: Airing) -> tuple[Line, ...]:
        return airing.lines


Outcome = tuple[str, list[Any]]


def at(clock: str) -> datetime:
    hours, minutes, seconds = (float(part) for part in clock.split(":"))
    return FIVE + timedelta(hours=hours - 5, minutes=minutes, seconds=seconds)


def airing(name: str, start: str, *lengths_s: float, latest: str = "06:00:00", gap_s: float = 0,
           air_class: AirClass = AirClass.ORDINARY) -> Airing:
    lines = tuple(Line(f"{name}{number}", f"{name}{number}", round(length * 1000), round(gap_s * 1000))
                  for number, length in enumerate(lengths_s, 1))
    return Airing(name, air_class, at(start), at(latest), lines)


def play(*airings: Airing, gate: OpenGate | None = None) -> dict[str, Outcome]:
    """State and segments (recording, seconds after 05:00, from, to) of each broadcast."""
    air = Air(FIVE - timedelta(minutes=1), tuple(Waiting(one) for one in airings))
    _, events = advance(air, FIVE + timedelta(hours=2), gate or OpenGate())
    found: dict[str, Outcome] = {}
    for event in events:
        if isinstance(event, Ended):
            on = event.on
            found[on.airing.id] = (state_of(heard_ms(on.heard), on.airing.sound_ms), [
                (on.airing.lines[one.line].recording, (one.at - FIVE).total_seconds(), one.from_ms, one.to_ms)
                for one in on.heard])
        elif isinstance(event, Missed):
            assert event.airing.id not in found
            found[event.airing.id] = ("missed", [])
    return found


A = airing("a", "05:00:00", 60, 60, gap_s=5)
PRIORITY = AirClass.PRIORITY


def test_interrupted_resumed_whole() -> None:
    found = play(A, airing("p", "05:01:30", 45, air_class=PRIORITY))
    assert found["a"] == ("played", [("a1", 0, 0, 60_000), ("a2", 65, 0, 25_000), ("a2", 135, 0, 60_000)])
    assert found["p"] == ("played", [("p1", 90, 0, 45_000)])


def test_interrupted_too_long() -> None:
    found = play(A, airing("p", "05:01:30", 240, air_class=PRIORITY))
    assert found["a"] == ("partial", [("a1", 0, 0, 60_000), ("a2", 65, 0, 25_000)])


def test_what_follows_an_item_that_does_not_fit_is_lost_however_short() -> None:
    found = play(airing("a", "05:00:00", 60, 60, 1, gap_s=5), airing("p", "05:01:30", 240, air_class=PRIORITY))
    assert found["a"][0] == "partial"
    assert [one[0] for one in found["a"][1]] == ["a1", "a2"]


def test_interrupted_in_a_silence() -> None:
    assert play(A, airing("p", "05:01:02", 10, air_class=PRIORITY))["a"][1][1] == ("a2", 72, 0, 60_000)
    assert play(A, airing("p", "05:01:02", 2, air_class=PRIORITY))["a"][1][1] == ("a2", 65, 0, 60_000)


def test_waiting_and_joining() -> None:
    first = airing("q", "05:00:00", 40, air_class=PRIORITY)
    joined = play(first, airing("a", "05:00:00", 60, 60, gap_s=5, latest="05:01:00"))
    assert joined["a"] == ("partial", [("a1", 40, 40_000, 60_000), ("a2", 65, 0, 60_000)])
    assert play(first, airing("a", "05:00:00", 60, 60, gap_s=5, latest="05:00:30"))["a"] == ("missed", [])


def test_an_equal_class_waits_and_joins() -> None:
    found = play(A, airing("b", "05:01:00", 90, latest="05:03:00"))
    assert found["b"] == ("partial", [("b1", 125, 65_000, 90_000)])


def test_an_item_may_end_exactly_at_the_limit_and_not_a_millisecond_later() -> None:
    lone = airing("a", "05:00:00", 60)
    limit_s = 60 + 120
    fits = play(lone, airing("p", "05:00:10", limit_s - 60 - 10, air_class=PRIORITY))
    assert fits["a"] == ("played", [("a1", 0, 0, 10_000), ("a1", 120, 0, 60_000)])
    lost = play(lone, airing("p", "05:00:10", limit_s - 60 - 10 + 0.001, air_class=PRIORITY))
    assert lost["a"] == ("partial", [("a1", 0, 0, 10_000)])


def test_the_frames_end_is_a_limit() -> None:
    found = play(A, gate=OpenGate(until={"a": at("05:02:04.999")}))
    assert found["a"] == ("partial", [("a1", 0, 0, 60_000)])
    assert play(A, gate=OpenGate(until={"a": at("05:02:05")}))["a"][0] == "played"


def test_a_broadcast_that_cannot_fit_interrupts_nobody() -> None:
    found = play(A, airing("p", "05:00:10", 30, air_class=PRIORITY), gate=OpenGate(until={"p": at("05:00:20")}))
    assert found["a"][1][0] == ("a1", 0, 0, 60_000)
    assert found["p"] == ("missed", [])


def test_an_unreadable_item_ends_at_once_and_the_next_follows_after_its_silence() -> None:
    found = play(A, gate=OpenGate(barred={"a1": Bar("revoked", final=True)}))
    assert found["a"] == ("partial", [("a2", 5, 0, 60_000)])


def test_what_may_still_come_is_waited_for_until_the_latest_start_and_then_done_without() -> None:
    waiting = airing("a", "05:00:00", 60, 60, gap_s=5, latest="05:00:20")
    found = play(waiting, gate=OpenGate(barred={"a1": Bar("not_stored")}))
    assert found["a"] == ("partial", [("a2", 25, 0, 60_000)])
    assert play(waiting, gate=OpenGate(barred={"a1": Bar("not_stored"), "a2": Bar("not_stored")}))["a"][0] == "missed"


def test_walking_in_small_steps_or_one_long_one_is_the_same() -> None:
    plan = (A, airing("p", "05:01:30", 45, air_class=PRIORITY), airing("b", "05:01:00", 90, latest="05:04:00"))
    whole = play(*plan)
    air = Air(FIVE - timedelta(minutes=1), tuple(Waiting(one) for one in plan))
    heard: dict[str, int] = {}
    for step in range(0, 10 * 60 * 1000, 370):
        air, events = advance(air, FIVE + millis(step), OpenGate())
        heard |= {one.on.airing.id: len(one.on.heard) for one in events if isinstance(one, Ended)}
    assert heard == {name: len(segments) for name, (state, segments) in whole.items() if state != "missed"}
