"""The recurrence rules that a programme may have: a part of RFC 5545 (3.3.10), read strictly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from enum import StrEnum
from functools import lru_cache

MOST_A_DAY = 24
"""A rule may recur this often on one day: hourly, as election day needs it. More is a flood."""

LONGEST_INTERVAL = 400
MOST_COUNT = 10_000
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
END_OF_DAY = time(23, 59, 59)


class BadRecurrence(ValueError):
    """A rule that no programme may have; `params` carry what a sentence needs.

    `code` is one of `syntax`, `unsupported` (a part that is not read, or not in this combination), `too_often` (more
    than hourly), `too_long` (INTERVAL or COUNT), `never_fires`, `no_end`, `ends_twice` (both COUNT and UNTIL).
    """

    def __init__(self, code: str, rule: str | None, **params: str | int) -> None:
        detail = ", ".join(f"{name} {value}" for name, value in params.items())
        super().__init__(f"{code}: {rule!r}" + (f" ({detail})" if detail else ""))
        self.code = code
        self.params: Mapping[str, str | int] = {"rule": rule or "", **params}


class Frequency(StrEnum):
    """The period in which a rule recurs."""

    ONCE = "once"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, read. An empty tuple means that the first occurrence decides, or that nothing is excluded.

    `weekdays` are (weekday, ordinal): Monday is 0; ordinal 0 is every one, −1 the last of the month. `until` is a wall
    time without zone, or UTC if the rule wrote a Z; a bare date stands for the end of that day.
    """

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    months: tuple[int, ...] = ()
    monthdays: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    week_start: int = 0

    @property
    def ends(self) -> bool:
        """Whether it has a COUNT or an UNTIL."""
        return self.count is not None or self.until is not None


@lru_cache(maxsize=1024)
def parsed(rule: str) -> Rule:
    """Read `rule`, with or without `RRULE:`. Raises BadRecurrence for what is not RFC 5545 or not supported.

    Supported: FREQ from HOURLY to YEARLY, INTERVAL, COUNT or UNTIL, BYMONTH, BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE, WKST.
    BYDAY counts either all its days within the month (1MO,-1FR) or none. With INTERVAL above 1 nothing that merely
    filters is (it could miss for ever): BYHOUR and BYDAY of HOURLY, BYDAY of DAILY, BYMONTH and BYMONTHDAY of either
    and of WEEKLY.
    """
    parts = _split(rule)
    name = parts.pop("FREQ", None)
    if name in ("SECONDLY", "MINUTELY"):
        raise BadRecurrence("too_often", rule, frequency=name, limit=MOST_A_DAY)
    if name not in _FREQUENCIES:
        raise BadRecurrence("syntax", rule, part="FREQ", value=name or "")
    unknown = sorted(parts.keys() - _READERS.keys())
    if unknown:
        raise BadRecurrence("unsupported", rule, part=unknown[0])
    fields: dict[str, object] = {}
    for part, text in parts.items():
        field, read = _READERS[part]
        try:
            fields[field] = read(text)
        except ValueError as error:
            raise BadRecurrence("syntax", rule, part=part, value=text) from error
    result = Rule(_FREQUENCIES[name], **fields)  # type: ignore[arg-type]  # each reader makes its field's type
    _refuse_floods(rule, result)
    _refuse_blind_filters(rule, result)
    _refuse_impossible_days(rule, result)
    return result


def _split(rule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rule.strip().upper().removeprefix("RRULE:").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value or name in parts:
            raise BadRecurrence("syntax", rule, part=name, value=value)
        parts[name] = value
    return parts


def _refuse_floods(text: str, rule: Rule) -> None:
    if rule.interval > LONGEST_INTERVAL:
        raise BadRecurrence("too_long", text, part="INTERVAL", limit=LONGEST_INTERVAL)
    if rule.count is not None and rule.until is not None:
        raise BadRecurrence("ends_twice", text)
    if rule.count is not None and rule.count > MOST_COUNT:
        raise BadRecurrence("too_long", text, part="COUNT", limit=MOST_COUNT)
    hourly = rule.frequency is Frequency.HOURLY
    a_day = max(1, len(rule.minutes)) * max(1, 24 if hourly else len(rule.hours))
    if a_day > MOST_A_DAY:
        raise BadRecurrence("too_often", text, actual=a_day, limit=MOST_A_DAY)


def _refuse_blind_filters(text: str, rule: Rule) -> None:
    ordinals = [bool(number) for _, number in rule.weekdays]
    by_month = rule.frequency is Frequency.MONTHLY or (rule.frequency is Frequency.YEARLY and rule.months)
    # dateutil takes “the first Monday and every Tuesday” for days that are both, so never
    if any(ordinals) and not (by_month and all(ordinals)):
        raise BadRecurrence("unsupported", text, part="BYDAY")
    filters: dict[Frequency, dict[str, tuple[object, ...]]] = {
        Frequency.HOURLY: {"BYHOUR": rule.hours, "BYDAY": rule.weekdays, **_dates(rule)},
        Frequency.DAILY: {"BYDAY": rule.weekdays, **_dates(rule)},
        Frequency.WEEKLY: _dates(rule),
    }
    blind = [part for part, values in filters.get(rule.frequency, {}).items() if values]
    if rule.interval > 1 and blind:
        raise BadRecurrence("unsupported", text, part=blind[0])


def _dates(rule: Rule) -> dict[str, tuple[object, ...]]:
    return {"BYMONTH": rule.months, "BYMONTHDAY": rule.monthdays}


def _refuse_impossible_days(text: str, rule: Rule) -> None:
    longest = max(DAYS_IN_MONTH[month - 1] for month in rule.months or range(1, 13))
    if rule.monthdays and min(abs(day) for day in rule.monthdays) > longest:
        raise BadRecurrence("never_fires", text, part="BYMONTHDAY")


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    return read


def _several(low: int, high: int) -> Callable[[str], tuple[int, ...]]:
    read_one = _whole(low, high)

    def read(text: str) -> tuple[int, ...]:
        values = sorted({read_one(value) for value in text.split(",")})
        if low < 0 and 0 in values:
            raise ValueError(text)
        return tuple(values)

    return read


def _weekday(text: str) -> int:
    return WEEKDAYS.index(text)


def _weekdays(text: str) -> tuple[tuple[int, int], ...]:
    values = set()
    for value in text.split(","):
        number = _whole(-5, 5)(value[:-2]) if value[:-2] else 0
        if value[:-2] and not number:
            raise ValueError(text)
        values.add((_weekday(value[-2:]), number))
    return tuple(sorted(values))


def _until(text: str) -> datetime:
    if re.fullmatch(r"[0-9]{8}", text):
        return datetime.combine(datetime.strptime(text, "%Y%m%d").date(), END_OF_DAY)  # noqa: DTZ007 - a wall date
    read = datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - a wall time unless it says Z
    return read.replace(tzinfo=UTC) if text.endswith("Z") else read


_FREQUENCIES = {frequency.upper(): frequency for frequency in Frequency if frequency is not Frequency.ONCE}
_READERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "INTERVAL": ("interval", _whole(1, 10**9)),
    "COUNT": ("count", _whole(1, 10**9)),
    "UNTIL": ("until", _until),
    "BYMONTH": ("months", _several(1, 12)),
    "BYMONTHDAY": ("monthdays", _several(-31, 31)),
    "BYDAY": ("weekdays", _weekdays),
    "BYHOUR": ("hours", _several(0, 23)),
    "BYMINUTE": ("minutes", _several(0, 59)),
    "WKST": ("week_start", _weekday),
}
