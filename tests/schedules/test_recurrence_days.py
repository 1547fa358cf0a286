"""Rules against RFC 5545's table (3.3.10), applied to one day after another without a library."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schedules import BadRecurrence, Frequency, occurrences
from schedules.recurrence_rule import Rule, parsed
from tests.schedules.builders import HANOI, local

DAY = timedelta(days=1)


def is_in_period(rule: Rule, first: date, day: date) -> bool:
    months = (day.year - first.year) * 12 + day.month - first.month
    week_of_first = first - DAY * ((first.weekday() - rule.week_start) % 7)
    passed = {
        Frequency.DAILY: (day - first).days,
        Frequency.WEEKLY: (day - week_of_first).days // 7,
        Frequency.MONTHLY: months,
        Frequency.YEARLY: day.year - first.year,
    }
    return passed[rule.frequency] % rule.interval == 0


def recurs(rule: Rule, first: date, day: date) -> bool:
    monthdays, weekdays, months = rule.monthdays, rule.weekdays, rule.months
    if not monthdays and not weekdays:
        if rule.frequency is Frequency.WEEKLY:
            weekdays = ((first.weekday(), 0),)
        elif rule.frequency in (Frequency.MONTHLY, Frequency.YEARLY):
            monthdays = (first.day,)
            months = months or ((first.month,) if rule.frequency is Frequency.YEARLY else ())
    length = monthrange(day.year, day.month)[1]
    ordinals = {0, (day.day + 6) // 7, -((length - day.day + 7) // 7)}
    return (
        is_in_period(rule, first, day)
        and (not months or day.month in months)
        and (not monthdays or day.day in monthdays or day.day - length - 1 in monthdays)
        and (not weekdays or any((day.weekday(), ordinal) in weekdays for ordinal in ordinals))
    )


def several(values: Sequence[object]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(
        lambda chosen: ",".join(map(str, chosen))
    )


def part(name: str, values: Sequence[object]) -> st.SearchStrategy[str]:
    return st.one_of(st.just(""), several(values).map(lambda chosen: f";{name}={chosen}"))


weekdays = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
rules = st.tuples(
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]).map("FREQ={}".format),
    st.sampled_from(["", ";INTERVAL=2", ";INTERVAL=3", ";INTERVAL=2;WKST=SU"]),
    part("BYMONTH", [2, 3, 4, 7, 12]),
    part("BYMONTHDAY", [1, 2, 15, 28, 29, 31, -1, -30]),
    st.one_of(part("BYDAY", weekdays), part("BYDAY", ["1MO", "-1SU", "2FR", "5TU"])),
).map("".join)


@settings(max_examples=80, deadline=None)
@given(rules, st.integers(1, 31), st.integers(0, 500))
def test_a_rule_means_what_the_standard_says(rule: str, first_day: int, days_later: int) -> None:
    first = local("05:30", first_day)
    try:
        read = parsed(rule)
    except BadRecurrence:
        assume(False)
    start = first.replace(hour=0, minute=0) + DAY * days_later
    found = occurrences(rule, first, HANOI, frozenset(), start, start + DAY * 400)
    days = (start.date() + DAY * number for number in range(400))
    expected = [day for day in days if day >= first.date() and recurs(read, first.date(), day)]
    assert [instant.astimezone(HANOI).date() for instant in found] == expected
