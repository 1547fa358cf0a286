"""What a node may fetch and when: the day's bytes, the hours, and what may pass over both. Pure.

The server sets it in the running order; the node keeps to it. A broadcast is never missed for a budget's sake: what is
needed before the next chance comes now, and the journal says so.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path

from firmware_bridge.contract.base import MalformedPayload, Payload
from firmware_bridge.contract.documents import Delivery, FetchHours

LEAD = timedelta(hours=1)
"""A recording is here this long before its broadcast, or it is fetched outside its hours."""
A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Leave:
    """When a recording may be fetched. `after` of None is now; `pressing` may exceed the day's bytes."""

    after: datetime | None = None
    pressing: bool = False
    outside: bool = False
    """It is fetched outside the hours, since the next would be too late."""


AT_ANY_TIME = Leave()


def leave_for(by: datetime, now: datetime, delivery: Delivery, zone: tzinfo, emergency: bool) -> Leave:
    """When a recording that is first needed at `by` may be fetched, as seen at `now`."""
    if emergency:
        return Leave(pressing=True, outside=next_opening(now, delivery, zone) is not None)
    opening = next_opening(now, delivery, zone)
    outside = opening is not None and by - LEAD < opening
    return Leave(None if outside else opening, by - LEAD < next_day(now, zone), outside)


def next_opening(now: datetime, delivery: Delivery, zone: tzinfo) -> datetime | None:
    """When fetching is allowed again; None while it is allowed."""
    if not delivery.hours:
        return None
    today = now.astimezone(zone).date()
    opens = []
    for day in (today - A_DAY, today, today + A_DAY):
        for hours in delivery.hours:
            start, end = _spans(hours, day, zone)
            if start <= now < end:
                return None
            if start > now:
                opens.append(start)
    return min(opens)


def next_day(now: datetime, zone: tzinfo) -> datetime:
    """When the day's bytes begin anew: midnight of the place."""
    return datetime.combine(local_day(now, zone) + A_DAY, time(), zone).astimezone(now.tzinfo)


def local_day(now: datetime, zone: tzinfo) -> date:
    """The place's date."""
    return now.astimezone(zone).date()


class Spent(Payload):
    """Bytes of recordings fetched on one day of the place."""

    day: str = ""
    bytes: int = 0


class Meter:
    """Counts what is fetched each day, in a small file over restarts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._spent = Spent.from_bytes(path.read_bytes())
        except (OSError, MalformedPayload):
            self._spent = Spent()

    @property
    def bytes(self) -> int:
        """Of the day last begun."""
        return self._spent.bytes

    def begin(self, day: str) -> None:
        """It is this day (`2026-03-15`). Empty is not known: the one before goes on."""
        if day and day != self._spent.day:
            self._spent = Spent(day=day)

    def add(self, count: int) -> None:
        """So many bytes came."""
        self._spent = self._spent.model_copy(update={"bytes": self._spent.bytes + count})

    def keep(self) -> None:
        """Write it down. Raises OSError."""
        self._path.write_bytes(self._spent.to_bytes())


def _spans(hours: FetchHours, day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    start, end = _at(day, hours.start, zone), _at(day, hours.end, zone)
    return start, end if end > start else _at(day + A_DAY, hours.end, zone)


def _at(day: date, clock: str, zone: tzinfo) -> datetime:
    if clock == "24:00":
        day, clock = day + A_DAY, "00:00"
    return datetime.combine(day, time.fromisoformat(clock), zone)
