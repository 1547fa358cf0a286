"""Instants: aware, UTC, whole milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class NaiveInstant(ValueError):
    """A datetime without a time zone was given where an instant is needed."""

    code = "naive_instant"

    def __init__(self, name: str, value: datetime) -> None:
        super().__init__(f"{name} needs a time zone, got {value.isoformat()}")
        self.params = {"name": name, "value": value.isoformat()}


def aware(name: str, value: datetime) -> datetime:
    """Return `value` in UTC; raise NaiveInstant if it has no time zone."""
    if value.utcoffset() is None:
        raise NaiveInstant(name, value)
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def whole_milliseconds(instant: datetime) -> datetime:
    """Cut to the millisecond below."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def epoch_ms(instant: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return (instant - EPOCH) // MILLISECOND


def instant_at(milliseconds: int) -> datetime:
    """Inverse of `epoch_ms`, UTC."""
    return EPOCH + timedelta(milliseconds=milliseconds)
