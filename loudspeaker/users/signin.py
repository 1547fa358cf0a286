"""Signed-in browsers: beginning, listing and ending sessions. Judging a password is `conductor.sign_in`'s."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, select

from loudspeaker.audit.service import record
from loudspeaker.errors import NotFoundError
from loudspeaker.users.access import Actor
from loudspeaker.users.models import SignInSession, User
from loudspeaker.users.secrets import digest, new_secret


@dataclass(frozen=True)
class NewSession:
    """What a browser is given once: the cookie, and the CSRF token of its pages."""

    user: User
    cookie: str
    csrf: str
    expires_at: datetime


def user_of(session: Session, login: str) -> User | None:
    """The active account with this login; letter case does not count."""
    found = session.exec(select(User).where(User.login == normal_login(login))).first()
    return found if found and found.active else None


def normal_login(login: str) -> str:
    """A login as it is stored: lower case, without blanks around it."""
    return login.strip().casefold()


def begin(session: Session, user: User, now: datetime, hours: int, agent: str = "", address: str = "") -> NewSession:
    """Sign `user` in for `hours`; sessions that are over are cleared away."""
    session.exec(delete(SignInSession).where(col(SignInSession.expires_at) <= now))
    made = NewSession(user, new_secret(), new_secret(), now + timedelta(hours=hours))
    session.add(SignInSession(id=digest(made.cookie), user_id=user.id, csrf=made.csrf, created_at=now, seen_at=now,
                              expires_at=made.expires_at, agent=agent[:200], address=address[:64]))
    record(session, now, user.id, "session.started", f"user:{user.id}", address=address[:64])
    return made


def sessions_of(session: Session, user_id: str, now: datetime) -> Sequence[SignInSession]:
    """The browsers in which a person is signed in, newest first."""
    return session.exec(select(SignInSession)
                        .where(SignInSession.user_id == user_id, SignInSession.expires_at > now)
                        .order_by(col(SignInSession.created_at).desc())).all()


def end(session: Session, actor: Actor, now: datetime, session_id: str) -> None:
    """Sign one of the actor's own browsers out. Raises NotFoundError."""
    row = session.get(SignInSession, session_id)
    if row is None or row.user_id != actor.user.id:
        raise NotFoundError
    session.delete(row)
    record(session, now, actor.user.id, "session.ended", f"user:{actor.user.id}")


def end_all(session: Session, user_id: str, keep: str | None = None) -> None:
    """Sign a person out of every browser but `keep` (a session id)."""
    session.exec(delete(SignInSession).where(col(SignInSession.user_id) == user_id,
                                             col(SignInSession.id) != (keep or "")))
