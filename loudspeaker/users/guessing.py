"""Slowing guesses down: a try is counted before it is judged, per account and per address."""

from datetime import datetime, timedelta

from sqlalchemy import func, or_
from sqlmodel import Session, col, delete, select

from loudspeaker.database import one_writer
from loudspeaker.errors import TooManyError
from loudspeaker.users.models import FailedTry

WINDOW = timedelta(minutes=15)
LOCK = 0x747279
KEPT = timedelta(days=1)
MOST_BY_ACCOUNT = 10
MOST_BY_ADDRESS = 30
"""A commune's office shares one address."""


def count_try(session: Session, now: datetime, limits: dict[str, int]) -> list[str]:
    """Count a try against each subject of `limits` (subject → most tries in a quarter of an hour); returns its ids.

    Raises TooManyError, counting nothing, when one of them is used up. Commit before judging the guess.
    """
    one_writer(session, LOCK)
    for subject, most in limits.items():
        made = session.exec(select(func.count()).select_from(FailedTry)
                            .where(FailedTry.subject == subject, FailedTry.at > now - WINDOW)).one()
        if made >= most:
            raise TooManyError(advice="Wait %(minutes)s minutes and try again.", minutes=int(WINDOW.seconds / 60))
    session.exec(delete(FailedTry).where(col(FailedTry.at) < now - KEPT))
    tries = [FailedTry(subject=subject, at=now) for subject in limits]
    session.add_all(tries)
    return [one.id for one in tries]


def forgive(session: Session, tries: list[str], subject: str) -> None:
    """The guess was right: forget it, and all earlier ones about `subject`."""
    session.exec(delete(FailedTry).where(or_(col(FailedTry.id).in_(tries), col(FailedTry.subject) == subject)))


def account(login: str) -> str:
    """The subject of an account, whether it exists or not."""
    return f"account:{login.casefold()[:100]}"


def address(host: str) -> str:
    """The subject of a network address."""
    return f"address:{host}"
