"""Hours of the day on the wall of a place, and the stretches of real time that they make."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

EVERY_DAY = frozenset(range(7))
MIDNIGHT = time(0, 0)
DAY = timedelta(days=1)


class Stretch(NamedTuple):
    """Real time from `start` to `end`, both UTC, the end not included."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class TimeFrame:
    """Hours that are open on some weekdays (Monday is 0): wall times, the end not included, 00:00 as end is midnight.

    Raises ValueError if the end is not after the start or a weekday is not 0–6.
    """

    start: time
    end: time
    weekdays: frozenset[int] = EVERY_DAY

    def __post_init__(self) -> None:
        if self.end != MIDNIGHT and self.end <= self.start:
            raise ValueError(f"time frame {self.start:%H:%M}–{self.end:%H:%M} ends before it starts")
        if not self.weekdays <= EVERY_DAY:
            raise ValueError(f"weekdays are 0 to 6, got {sorted(self.weekdays)}")

    def meet(self, other: TimeFrame) -> TimeFrame | None:
        """The hours that both open; None if there are none."""
        weekdays = self.weekdays & other.weekdays
        start = max(self.start, other.start)
        end = min(self.end, other.end, key=_end_of_day_last)
        if not weekdays or (end != MIDNIGHT and end <= start):
            return None
        return TimeFrame(start, end, weekdays)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours of every day in which nothing but an emergency sounds; they may go over midnight (21:00–05:00)."""

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError("quiet hours must end at another time than they start")

    def within_a_day(self) -> tuple[tuple[time, time], ...]:
        """The same hours, cut at midnight (00:00 as end is the midnight that ends the day)."""
        if self.start < self.end or self.end == MIDNIGHT:
            return ((self.start, self.end),)
        return ((MIDNIGHT, self.end), (self.start, MIDNIGHT))


def at_wall(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """The instant at which a clock in `zone` first shows `wall` on `day`, UTC.

    A time that the clock repeats (DST ends) is its first showing. A time that it skips (DST begins) is read with the
    offset before the skip, so 02:30 becomes what the clock shows as 03:30 (RFC 5545, 3.3.5).
    """
    return datetime.combine(day, wall.replace(fold=0), tzinfo=zone).astimezone(UTC)


def stretch_of(day: date, start: time, end: time, zone: ZoneInfo) -> Stretch:
    """Real time between two wall times of one day; 00:00 as end is the midnight that ends it."""
    last = day + DAY if end == MIDNIGHT else day
    return Stretch(at_wall(day, start, zone), at_wall(last, end, zone))


@lru_cache(maxsize=4096)
def open_stretches(
    day: date, frames: tuple[TimeFrame, ...], quiet_hours: tuple[QuietHours, ...], zone: ZoneInfo
) -> tuple[Stretch, ...]:
    """When `frames` open on `day`, less the quiet hours: in order, without overlaps."""
    opened = merged(stretch_of(day, f.start, f.end, zone) for f in frames if day.weekday() in f.weekdays)
    return tuple(without(opened, quiet_stretches(day, quiet_hours, zone)))


@lru_cache(maxsize=4096)
def quiet_stretches(day: date, quiet_hours: tuple[QuietHours, ...], zone: ZoneInfo) -> tuple[Stretch, ...]:
    """The quiet hours of `day`: in order, without overlaps; the longer reading where the clock skips or repeats."""
    return tuple(
        merged(_longest_stretch(day, start, end, zone) for quiet in quiet_hours for start, end in quiet.within_a_day())
    )


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """In order; those that overlap or touch become one, empty ones vanish."""
    result: list[Stretch] = []
    for stretch in sorted(stretches):
        if stretch.start >= stretch.end:
            continue
        if result and stretch.start <= result[-1].end:
            result[-1] = Stretch(result[-1].start, max(result[-1].end, stretch.end))
        else:
            result.append(stretch)
    return result


def without(stretches: Sequence[Stretch], holes: Sequence[Stretch]) -> list[Stretch]:
    """What is left of `stretches` outside `holes`; both in order and without overlaps."""
    result: list[Stretch] = []
    for start, end in stretches:
        first = bisect_right(holes, start, key=lambda hole: hole.end)
        for hole in holes[first : bisect_left(holes, end, key=lambda hole: hole.start)]:
            if start < hole.start:
                result.append(Stretch(start, hole.start))
            start = hole.end
        if start < end:
            result.append(Stretch(start, end))
    return result


def common(one: Sequence[Stretch], other: Sequence[Stretch]) -> list[Stretch]:
    """What lies in both; both in order and without overlaps, and so is the result."""
    result: list[Stretch] = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, end = max(one[i].start, other[j].start), min(one[i].end, other[j].end)
        if start < end:
            result.append(Stretch(start, end))
        if one[i].end < other[j].end:
            i += 1
        else:
            j += 1
    return result


def days_between(start: datetime, end: datetime, zone: ZoneInfo) -> list[date]:
    """Every date that a calendar in `zone` shows from `start` to `end`, both included."""
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    return [first + DAY * number for number in range((last - first).days + 1)]


def _longest_stretch(day: date, start: time, end: time, zone: ZoneInfo) -> Stretch:
    last = day + DAY if end == MIDNIGHT else day
    starts = (datetime.combine(day, start.replace(fold=fold), tzinfo=zone).astimezone(UTC) for fold in (0, 1))
    ends = (datetime.combine(last, end.replace(fold=fold), tzinfo=zone).astimezone(UTC) for fold in (0, 1))
    return Stretch(min(starts), max(ends))


def _end_of_day_last(end: time) -> tuple[bool, time]:
    return end == MIDNIGHT, end
