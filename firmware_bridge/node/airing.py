"""A broadcast as the node plays it: recordings in a row, their planned offsets, and what was heard of them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from firmware_bridge.contract.documents import AirClass, OrderBroadcast, OrderItem, RunningOrder

PLAYED_SHARE = 0.98
"""`played` means at least this share of the planned sound (protocol, Playing)."""
LAST_RESORT = "vi"
UNKNOWN_MS = 1
"""A recording whose length nobody told: it cannot air, but its broadcast must still end."""


def millis(count: float) -> timedelta:
    """A length of `count` milliseconds."""
    return timedelta(milliseconds=count)


def to_millis(length: timedelta) -> int:
    """Whole milliseconds of `length`, rounded down."""
    return length // timedelta(milliseconds=1)


@dataclass(frozen=True)
class Line:
    """One recording of a broadcast: its sound, then `gap_ms` of silence."""

    item: str
    recording: str
    duration_ms: int
    gap_ms: int = 0


@dataclass(frozen=True)
class Span:
    """Sound of one line, without a break: from `from_ms` to `to_ms` of it, beginning at `at`."""

    line: int
    at: datetime
    from_ms: int
    to_ms: int


@dataclass(frozen=True)
class Airing:
    """One dated broadcast: `lines` in planned order; a `play_now` has no plan and starts whenever it gets the node."""

    id: str
    air_class: AirClass
    start: datetime
    latest_start: datetime
    lines: tuple[Line, ...]
    volume: int = 100
    play_now: bool = False

    @cached_property
    def offsets_ms(self) -> tuple[int, ...]:
        """Planned position of every line, in milliseconds from the start."""
        positions, at = [], 0
        for line in self.lines:
            positions.append(at)
            at += line.duration_ms + line.gap_ms
        return tuple(positions)

    @cached_property
    def end(self) -> datetime:
        """The planned end: when the last line has sounded."""
        return self.start + millis(self.offsets_ms[-1] + self.lines[-1].duration_ms)

    @cached_property
    def closes(self) -> datetime:
        """After this instant it cannot start any more."""
        return self.latest_start if self.play_now else min(self.latest_start, self.end - millis(1))

    @property
    def sound_ms(self) -> int:
        """Planned sound, without the silences."""
        return sum(line.duration_ms for line in self.lines)

    @property
    def rank(self) -> tuple[int, datetime, str]:
        """Who is next when the node is free: class (highest first), start, id."""
        return -self.air_class, self.start, self.id

    def position(self, at: datetime) -> tuple[int, datetime, int] | None:
        """Where the neighbours are at `at`: (line, when it sounds, from which millisecond); None after the end."""
        if self.play_now:
            return 0, at, 0
        passed = to_millis(at - self.start)
        for index, (offset, line) in enumerate(zip(self.offsets_ms, self.lines, strict=True)):
            if passed < offset + line.duration_ms:
                from_ms = max(0, passed - offset)
                return index, self.start + millis(offset + from_ms), from_ms
        return None


def heard_ms(spans: Iterable[Span]) -> int:
    """Milliseconds that sounded at least once."""
    covered, line, reached = 0, -1, 0
    for span in sorted(spans, key=lambda one: (one.line, one.from_ms)):
        if span.line != line:
            line, reached = span.line, 0
        covered += max(0, span.to_ms - max(reached, span.from_ms))
        reached = max(reached, span.to_ms)
    return covered


def state_of(heard: int, planned: int) -> str:
    """`played`, `partial` or `missed`."""
    if heard >= PLAYED_SHARE * planned:
        return "played"
    return "partial" if heard > 0 else "missed"


def choose(item: OrderItem, order: RunningOrder, every: bool, here: Collection[str] = ()) -> tuple[str, ...]:
    """The recordings to air of an item: all languages in the village's order, or the first that is `here`.

    Vietnamese is the last resort; when none is here, the first that is listed.
    """
    wanted = (*order.languages, LAST_RESORT, *sorted(item.recordings))
    listed = tuple(dict.fromkeys(item.recordings[one] for one in wanted if one in item.recordings))
    if every:
        own = tuple(dict.fromkeys(item.recordings[one] for one in order.languages if one in item.recordings))
        return own or listed[:1]
    return next(((one,) for one in listed if one in here), listed[:1])


def lines_of(
    broadcast: OrderBroadcast, order: RunningOrder, durations: Mapping[str, int], here: Collection[str] = ()
) -> tuple[Line, ...]:
    """The lines of a broadcast. `durations` in milliseconds by recording; one not in it (revoked) lasts 1 ms."""
    return tuple(
        Line(item.id, recording, durations.get(recording, UNKNOWN_MS), item.gap_ms)
        for item in broadcast.items
        for recording in choose(item, order, broadcast.languages == "all", here))


def from_order(order: RunningOrder, durations: Mapping[str, int]) -> tuple[Airing, ...]:
    """All airings of an order."""
    found = (
        Airing(one.id, one.air_class, one.start, one.latest_start, lines_of(one, order, durations), one.volume)
        for one in order.broadcasts)
    return tuple(one for one in found if one.lines)
