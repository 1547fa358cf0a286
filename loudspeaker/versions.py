"""Versions of what is signed and sent: they come from the clock, so that none is ever given twice.

Counting from the database alone would give a version to other content after a restore from an older copy.
"""

from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
"""Second 0, so that a version fits 31 bits until 2094."""


def next_version(last: int, now: datetime) -> int:
    """The version after `last`: the second of `now`, or one more than `last` where that is higher."""
    return max(last + 1, int((now - BEGINNING).total_seconds()))


def made_at(version: int) -> datetime:
    """About when a version was given."""
    return BEGINNING + timedelta(seconds=version)
