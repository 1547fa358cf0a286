"""When a programme recurs: rules of RFC 5545 on the wall clock of a place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import takewhile
from typing import Literal
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, HOURLY, MONTHLY, WEEKLY, YEARLY, rrule, weekday

from schedules.hours import DAY, at_wall
from schedules.instants import aware
from schedules.recurrence_rule import MOST_A_DAY, BadRecurrence, Frequency, Rule, parsed

__all__ = ["MOST_A_DAY", "BadRecurrence", "Frequency", "Recurrence", "describe", "occurrences", "validate"]

PATIENCE = timedelta(days=3660)
"""A rule that does not recur within ten years is taken never to."""

_PERIODS: Mapping[Frequency, Literal[0, 1, 2, 3, 4]] = {
    Frequency.HOURLY: HOURLY,
    Frequency.DAILY: DAILY,
    Frequency.WEEKLY: WEEKLY,
    Frequency.MONTHLY: MONTHLY,
    Frequency.YEARLY: YEARLY,
}
_WHOLE_DAYS = {Frequency.HOURLY: 1, Frequency.DAILY: 1, Frequency.WEEKLY: 7}


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A rule as data for reading back: “05:30 every day, 01/03–15/03”.

    `weekdays` are (weekday, ordinal) as in Rule; `times` are wall times, empty if it is hourly all day; `last_day` is
    the last day on which it may recur, None if it has no end (or COUNT is not reached within ten years).
    """

    frequency: Frequency
    interval: int
    times: tuple[time, ...]
    first_day: date
    last_day: date | None
    weekdays: tuple[tuple[int, int], ...] = ()
    monthdays: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    count: int | None = None
    exceptions: tuple[date, ...] = ()


def occurrences(
    rule: str | None,
    first: datetime,
    zone: ZoneInfo,
    exdates: frozenset[date],
    horizon_from: datetime,
    horizon_to: datetime,
) -> list[datetime]:
    """Every occurrence from `horizon_from` up to but without `horizon_to`: UTC, in order, each once.

    `rule` (None: once, at `first`) is reckoned in whole seconds on the wall clock of `zone`: 05:30 stays 05:30 when the
    clock changes. A time that the clock skips that day comes as much later (02:30 as 03:30), one that it repeats comes
    at its first showing. `first` recurs only if the rule says so; nothing comes before it. `exdates` are days of `zone`
    that are left out; they do not lengthen a COUNT. Raises NaiveInstant, and BadRecurrence if the rule cannot be read.
    """
    start, end = aware("horizon_from", horizon_from), aware("horizon_to", horizon_to)
    if rule is None:
        instant = aware("first", first)
        return [instant] if start <= instant < end and first.astimezone(zone).date() not in exdates else []
    walls = _walls(parsed(rule), _wall(first, zone), zone, _wall(start, zone) - DAY, _wall(end, zone) + DAY)
    instants = {at_wall(wall.date(), wall.time(), zone) for wall in walls if wall.date() not in exdates}
    earliest = max(start, aware("first", first).replace(microsecond=0))
    return sorted(instant for instant in instants if earliest <= instant < end)


def validate(
    rule: str | None,
    first: datetime,
    zone: ZoneInfo,
    exdates: frozenset[date] = frozenset(),
    end_needed: bool = False,
) -> Recurrence:
    """Read the rule back, or raise BadRecurrence saying why no programme may have it."""
    if rule is None:
        if _wall(first, zone).date() in exdates:
            raise BadRecurrence("never_fires", rule)
        return describe(rule, first, zone, exdates)
    read = parsed(rule)
    if end_needed and not read.ends:
        raise BadRecurrence("no_end", rule)
    wall = _wall(first, zone)
    if next((at for at in _walls(read, wall, zone, wall, wall + PATIENCE) if at.date() not in exdates), None) is None:
        raise BadRecurrence("never_fires", rule)
    return describe(rule, first, zone, exdates)


def describe(
    rule: str | None, first: datetime, zone: ZoneInfo, exdates: frozenset[date] = frozenset()
) -> Recurrence:
    """The rule as data for reading back. Raises NaiveInstant, and BadRecurrence if the rule cannot be read."""
    wall = _wall(first, zone)
    if rule is None:
        return Recurrence(Frequency.ONCE, 1, (wall.time(),), wall.date(), wall.date())
    read = parsed(rule)
    walls = _walls(read, wall, zone, wall, wall + PATIENCE)
    weekly_by_first = read.frequency is Frequency.WEEKLY and not read.weekdays
    return Recurrence(
        read.frequency,
        read.interval,
        _times(read, wall),
        first_day=next((at.date() for at in walls if at.date() not in exdates), wall.date()),
        last_day=_last_day(read, wall, zone),
        weekdays=((wall.weekday(), 0),) if weekly_by_first else read.weekdays,
        monthdays=read.monthdays,
        months=read.months,
        count=read.count,
        exceptions=tuple(sorted(exdates)),
    )


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return aware("instant", instant).astimezone(zone).replace(tzinfo=None, fold=0)


def _walls(rule: Rule, first: datetime, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Wall times from `start` to `end` at which the rule recurs, in order."""
    moved = _nearer(rule, first, start)
    until = min(end, _until_wall(rule, zone)) if rule.until else end
    recurring = rrule(
        _PERIODS[rule.frequency],
        dtstart=moved,
        interval=rule.interval,
        wkst=rule.week_start,
        count=rule.count,
        bymonth=rule.months or None,
        bymonthday=rule.monthdays or None,
        byweekday=[weekday(day, number or None) for day, number in rule.weekdays] or None,
        byhour=rule.hours or None,
        byminute=rule.minutes or None,
    )
    return (at for at in takewhile(lambda at: at <= until, recurring) if at >= start)


def _nearer(rule: Rule, first: datetime, start: datetime) -> datetime:
    """`first` moved ahead by whole periods, not past `start`, so that years gone by are not counted through."""
    if rule.count is not None or rule.frequency not in _WHOLE_DAYS:
        return first
    period = timedelta(days=_WHOLE_DAYS[rule.frequency] * rule.interval)
    return first + max(0, (start - first) // period) * period


def _until_wall(rule: Rule, zone: ZoneInfo) -> datetime:
    if rule.until is None:
        return datetime.max  # noqa: DTZ901 - a wall time
    return rule.until if rule.until.tzinfo is None else _wall(rule.until, zone)


def _last_day(rule: Rule, first: datetime, zone: ZoneInfo) -> date | None:
    if rule.count is not None:
        walls = list(_walls(rule, first, zone, first, first + PATIENCE))
        return walls[-1].date() if len(walls) == rule.count else None
    return _until_wall(rule, zone).date() if rule.until else None


def _times(rule: Rule, first: datetime) -> tuple[time, ...]:
    if rule.frequency is Frequency.HOURLY and not rule.hours:
        return ()
    hours, minutes = rule.hours or (first.hour,), rule.minutes or (first.minute,)
    return tuple(time(hour, minute, first.second) for hour in hours for minute in minutes)
