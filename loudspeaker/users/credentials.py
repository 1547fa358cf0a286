"""Who is behind a cookie, a bearer token or a personal link. Reads only."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from loudspeaker.users.access import Actor, actor_for
from loudspeaker.users.models import ApiToken, PersonalLink, SignInSession, User
from loudspeaker.users.secrets import csrf_of, digest


@dataclass(frozen=True)
class SignedIn:
    """A person and the CSRF token that their unsafe requests must carry; None where no cookie is involved."""

    actor: Actor
    csrf: str | None
    session_id: str | None = None


def by_session(session: Session, cookie: str, now: datetime) -> SignedIn | None:
    """The person whose browser holds `cookie`, unless signed out, expired or switched off."""
    row = session.get(SignInSession, digest(cookie))
    if row is None or row.expires_at <= now:
        return None
    user = _active(session, row.user_id)
    return SignedIn(actor_for(session, user, now, "session"), row.csrf, row.id) if user else None


def by_token(session: Session, token: str, now: datetime) -> SignedIn | None:
    """The owner of a personal API token that is not revoked."""
    row = session.exec(select(ApiToken).where(ApiToken.token_hash == digest(token),
                                              col(ApiToken.revoked_at).is_(None))).first()
    user = _active(session, row.user_id) if row else None
    return SignedIn(actor_for(session, user, now, "token"), None) if user else None


def by_link(session: Session, token: str, now: datetime) -> SignedIn | None:
    """The village head whose phone remembers the personal link `token`, unless it is revoked."""
    row = session.exec(select(PersonalLink).where(PersonalLink.token_hash == digest(token),
                                                  col(PersonalLink.revoked_at).is_(None))).first()
    user = _active(session, row.user_id) if row else None
    return SignedIn(actor_for(session, user, now, "link"), csrf_of(token)) if user else None


def _active(session: Session, user_id: str) -> User | None:
    user = session.get(User, user_id)
    return user if user and user.active else None
