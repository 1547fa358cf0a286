"""The form of a programme: what a person typed, as a draft; and a draft, as what a person would type."""

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from loudspeaker.errors import InvalidError
from loudspeaker.programmes.draft import DraftItem, ProgrammeDraft
from loudspeaker.programmes.models import TargetKind
from loudspeaker.programmes.poles import Target
from schedules.hours import at_wall
from schedules.recurrence import Frequency
from schedules.recurrence_rule import WEEKDAYS, Rule, parsed

DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})(?:[/.-](\d{4}))?|(\d{4})-(\d{2})-(\d{2})")
TIME = re.compile(r"(\d{1,2})(?:[:.hg](\d{2})?(?::(\d{2}))?)?", re.IGNORECASE)
ONCE, DAILY, WEEKLY, OTHER = "once", "daily", "weekly", "other"


class PlanForm(BaseModel):
    """What was typed, as it came. `item` are recording ids joined by commas, `gap` seconds of silence after each."""

    action: str = "check"
    revision: int = 0
    place_id: str = ""
    title: str = ""
    item: list[str] = []
    gap: list[str] = []
    target: list[str] = []
    repeat: str = ONCE
    first_day: str = ""
    at: str = ""
    last_day: str = ""
    weekday: list[str] = []
    left_out: str = ""
    rrule: str = ""
    air_class: str = "0"
    volume: str = "80"
    late: str = "5"
    languages: str = "first"
    next_free: str = ""
    confirmation: str = ""

    @property
    def rows(self) -> list[tuple[str, str]]:
        """The chosen items with their silences, without empty rows."""
        gaps = [*self.gap, *["1"] * len(self.item)]
        return [(one, gap) for one, gap in zip(self.item, gaps, strict=False) if one]

    def taken(self, zone: ZoneInfo) -> "PlanForm":
        """The same plan, beginning at the free time that was offered. Raises InvalidError."""
        try:
            start = datetime.fromisoformat(self.next_free).astimezone(zone)
        except (ValueError, OverflowError) as error:
            raise InvalidError("This time has passed. Choose a later one.", field="at") from error
        return self.model_copy(update={"first_day": f"{start:%d/%m/%Y}", "at": clock(start.time())})

    def draft(self, zone: ZoneInfo, languages: Mapping[str, str], start: datetime | None = None) -> ProgrammeDraft:
        """As the conductor takes it; `languages` by recording id. With `start` it airs once. Raises InvalidError."""
        dated: dict[str, Any] = {"first_start": start, "rrule": None} if start else self._dated(zone)
        return ProgrammeDraft(
            place_id=self.place_id, title=self.title, items=self._items(languages), targets=self._targets(),
            air_class=_whole(self.air_class, "air_class"), volume=_whole(self.volume, "volume"),
            languages=self.languages, zone=zone.key, latest_start_s=_whole(self.late, "latest_start_s") * 60, **dated)

    def _dated(self, zone: ZoneInfo) -> dict[str, Any]:
        first = _date(self.first_day, "first_day", None)
        wall = _time(self.at)
        left_out = [_date(one, "exdates", first) for one in re.split(r"[\s,;]+", self.left_out) if one]
        return {"first_start": at_wall(first, wall, zone), "rrule": self._rule(),
                "exdates": tuple(one.isoformat() for one in sorted(set(left_out)))}

    def _rule(self) -> str | None:
        if self.repeat == ONCE:
            return None
        if self.repeat == OTHER:
            return self.rrule or None
        parts = ["FREQ=DAILY"]
        if self.repeat == WEEKLY:
            days = [one for one in WEEKDAYS if one in self.weekday]
            if not days:
                raise InvalidError("Choose at least one day of the week.", field="rrule")
            parts = ["FREQ=WEEKLY", f"BYDAY={','.join(days)}"]
        if self.last_day:
            parts.append(f"UNTIL={_date(self.last_day, 'last_day', None):%Y%m%d}")
        return ";".join(parts)

    def _items(self, languages: Mapping[str, str]) -> tuple[DraftItem, ...]:
        return tuple(DraftItem({languages.get(id_, "vi"): id_ for id_ in one.split(",")},
                               round(_number(gap, "items") * 1000)) for one, gap in self.rows)

    def _targets(self) -> tuple[Target, ...]:
        pairs = [one.partition(":") for one in self.target]
        return tuple(Target(TargetKind(kind), id_) for kind, _, id_ in pairs if kind in tuple(TargetKind) and id_)


def typed(draft: ProgrammeDraft, revision: int = 0) -> PlanForm:
    """What a person would have typed for this draft."""
    first = draft.first_start.astimezone(ZoneInfo(draft.zone))
    return PlanForm(
        revision=revision, place_id=draft.place_id, title=draft.title,
        item=[",".join(one.recordings.values()) for one in draft.items],
        gap=[f"{one.gap_ms / 1000:g}" for one in draft.items],
        target=[f"{one.kind}:{one.id}" for one in draft.targets], first_day=f"{first:%d/%m/%Y}",
        at=clock(first.time()), left_out=", ".join(f"{date.fromisoformat(one):%d/%m/%Y}" for one in draft.exdates),
        air_class=str(int(draft.air_class)), volume=str(draft.volume), late=f"{draft.latest_start_s / 60:g}",
        languages=draft.languages, rrule=draft.rrule or "", **_repeat(draft.rrule, first))


def clock(wall: time) -> str:
    """`05:30`, with seconds where there are some."""
    return f"{wall:%H:%M:%S}" if wall.second else f"{wall:%H:%M}"


def next_day(now: datetime, zone: ZoneInfo) -> str:
    """Tomorrow, as the form shows days."""
    return f"{now.astimezone(zone) + timedelta(days=1):%d/%m/%Y}"


def _repeat(rrule: str | None, first: datetime) -> dict[str, Any]:
    if rrule is None:
        return {"repeat": ONCE}
    rule = parsed(rrule)
    if not _is_plain(rule):
        return {"repeat": OTHER}
    last = {"last_day": f"{rule.until:%d/%m/%Y}"} if rule.until else {}
    if rule.frequency is Frequency.DAILY and not rule.weekdays:
        return {"repeat": DAILY, **last}
    days = [day for day, _ in rule.weekdays] or [first.weekday()]
    return {"repeat": WEEKLY, "weekday": [WEEKDAYS[day] for day in days], **last}


def _is_plain(rule: Rule) -> bool:
    """Whether the form can say it."""
    return (rule.frequency in (Frequency.DAILY, Frequency.WEEKLY) and rule.interval == 1 and rule.count is None
            and not (rule.months or rule.monthdays or rule.hours or rule.minutes)
            and not any(ordinal for _, ordinal in rule.weekdays)
            and (rule.until is None or (rule.until.tzinfo is None and rule.until.hour == 23)))


def _date(text: str, field: str, near: date | None) -> date:
    """`15/03/2026`, `15/03` (of the year of `near`), or ISO."""
    found = DATE.fullmatch(text.strip())
    try:
        if found and found[4]:
            return date(int(found[4]), int(found[5]), int(found[6]))
        if found and (found[3] or near):
            return date(int(found[3] or (near.year if near else 0)), int(found[2]), int(found[1]))
    except ValueError as error:
        raise InvalidError("This is no date. Write it as 15/03/2026.", field=field) from error
    raise InvalidError("This is no date. Write it as 15/03/2026.", field=field)


def _time(text: str) -> time:
    """`05:30`, `5h30` or `05:30:10`."""
    found = TIME.fullmatch(text.strip())
    try:
        if found:
            return time(int(found[1]), int(found[2] or 0), int(found[3] or 0))
    except ValueError as error:
        raise InvalidError("This is no time of day. Write it as 05:30.", field="at") from error
    raise InvalidError("This is no time of day. Write it as 05:30.", field="at")


def _whole(text: str, field: str) -> int:
    return round(_number(text, field))


def _number(text: str, field: str) -> float:
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError as error:
        raise InvalidError("Give a number.", field=field) from error
    if not isfinite(number):
        raise InvalidError("Give a number.", field=field)
    return number

