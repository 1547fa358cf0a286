"""A plan read back in words: “05:30 every day, 01/03–15/03, 12 nodes, 7 minutes”."""

from datetime import date, datetime, timedelta

from loudspeaker.web.i18n import Translator, marked
from schedules.recurrence import Frequency, Recurrence

WEEKDAY_WORDS = (marked("Mon"), marked("Tue"), marked("Wed"), marked("Thu"), marked("Fri"), marked("Sat"),
                 marked("Sun"))
EVERY_WORDS = {
    Frequency.HOURLY: (marked("every hour"), marked("every %(n)s hours")),
    Frequency.DAILY: (marked("every day"), marked("every %(n)s days")),
    Frequency.WEEKLY: (marked("every week"), marked("every %(n)s weeks")),
    Frequency.MONTHLY: (marked("every month"), marked("every %(n)s months")),
    Frequency.YEARLY: (marked("every year"), marked("every %(n)s years")),
}
SHORT = timedelta(minutes=10)
"""Below this a length is told with its seconds."""


def read_back(t: Translator, plan: Recurrence, nodes: int, length: timedelta) -> str:
    """When, in which days, at how many nodes, and how long each time."""
    parts = [when(t, plan)]
    if nodes:
        parts.append(t.ngettext("%(n)s node", "%(n)s nodes", nodes))
    if length:
        parts.append(t.duration(length if length < SHORT else timedelta(minutes=-(-length // timedelta(minutes=1)))))
    return ", ".join(parts)


def when(t: Translator, plan: Recurrence) -> str:
    """The time, how it recurs, from when to when, and what is left out."""
    times = ", ".join(f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}" for at in plan.times)
    if plan.frequency is Frequency.ONCE:
        return f"{times} {t.date(plan.first_day)}"
    parts = [f"{times} {_how_often(t, plan)}".strip(), _span(t, plan)]
    if plan.exceptions:
        left_out = ", ".join(f"{one:%d/%m}" for one in plan.exceptions[:5])
        more = " …" if len(plan.exceptions) > 5 else ""
        parts.append(t.gettext("not on %(days)s", days=left_out + more))
    return ", ".join(parts)


def _how_often(t: Translator, plan: Recurrence) -> str:
    every = _every(t, plan)
    days = ", ".join(t.gettext(WEEKDAY_WORDS[day]) for day, _ in plan.weekdays)
    on_days = t.gettext("on %(days)s", days=days) if days else ""
    if plan.frequency is Frequency.DAILY and days:
        return on_days
    if plan.frequency is Frequency.WEEKLY:
        return on_days if plan.interval == 1 else f"{every}, {on_days}"
    if plan.frequency is Frequency.MONTHLY:
        monthdays = ", ".join(str(day) for day in plan.monthdays) or str(plan.first_day.day)
        return f"{every}, " + (on_days or t.gettext("on the days %(days)s", days=monthdays))
    return every


def _every(t: Translator, plan: Recurrence) -> str:
    one, many = EVERY_WORDS[plan.frequency]
    return t.gettext(one) if plan.interval == 1 else t.gettext(many, n=t.number(plan.interval))


def _span(t: Translator, plan: Recurrence) -> str:
    first, last = plan.first_day, plan.last_day
    if last is None:
        return t.gettext("from %(day)s on", day=f"{first:%d/%m/%Y}")
    return f"{first:%d/%m}–{last:%d/%m}" if first.year == last.year else f"{first:%d/%m/%Y}–{last:%d/%m/%Y}"


def to_next(t: Translator, instant: datetime, now: datetime) -> str:
    """`05:30 today`, `05:30 tomorrow`, else `05:30 Chủ nhật 15/03/2026`."""
    day, today = _local(t, instant), _local(t, now)
    words = {0: t.gettext("today"), 1: t.gettext("tomorrow")}.get((day - today).days) or t.date(instant)
    return f"{t.clock(instant)} {words}"


def _local(t: Translator, instant: datetime) -> date:
    return instant.astimezone(t.zone).date()
