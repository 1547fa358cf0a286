"""Reading what people type into forms: numbers with a comma, lists, days."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from loudspeaker.errors import InvalidError
from schedules.hours import at_wall


def degrees(text: str, field: str, most: float) -> float | None:
    """A coordinate of at most ±`most`; None when nothing was typed. Raises InvalidError."""
    if not text.strip():
        return None
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError as error:
        raise InvalidError("A coordinate is a number such as 21.7041.", field=field) from error
    if not -most <= value <= most:
        raise InvalidError("A coordinate is a number such as 21.7041.", field=field)
    return value


def words_of(text: str) -> list[str]:
    """Words parted by spaces or commas."""
    return text.replace(",", " ").split()


def megabytes(text: str) -> int | None:
    """A whole number; None when nothing was typed. Raises InvalidError."""
    if not text.strip():
        return None
    if not text.strip().isdecimal():
        raise InvalidError("The limit is a number of megabytes a day.", field="mb_a_day")
    return int(text.strip()[:12])


def spans(text: str) -> list[list[str]]:
    """Hours as `22:00-04:30, 12:00-13:00`. What is none is for the service to refuse."""
    return [[part.strip() for part in one.replace("–", "-").split("-")] for one in text.split(",") if one.strip()]


def day_of(text: str) -> date | None:
    """A day as a date field sends it; None when it is empty or none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def begin_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day there."""
    return at_wall(day, time.min, zone)
