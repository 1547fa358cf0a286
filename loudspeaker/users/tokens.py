"""What is shown once: personal tokens for the API, and personal links for people without a password."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from loudspeaker.audit.service import record
from loudspeaker.errors import ForbiddenError, InvalidError, NotFoundError
from loudspeaker.users.access import Actor
from loudspeaker.users.models import ApiToken, PersonalLink
from loudspeaker.users.secrets import digest, new_secret
from loudspeaker.users.service import must_administer


def make_token(session: Session, actor: Actor, now: datetime, name: str) -> tuple[ApiToken, str]:
    """A token for the actor's own programs, and its text, which is never to be had again."""
    if actor.how != "session":
        raise ForbiddenError("Tokens are made by a person who is signed in.")
    if not name.strip():
        raise InvalidError("Please say what the token is for.", field="name")
    secret = new_secret()
    token = ApiToken(user_id=actor.user.id, name=name.strip()[:100], token_hash=digest(secret), created_at=now)
    session.add(token)
    session.flush()
    record(session, now, actor.user.id, "token.made", f"token:{token.id}", name=token.name)
    return token, secret


def tokens_of(session: Session, user_id: str) -> Sequence[ApiToken]:
    """A person's tokens that are not revoked, newest first."""
    return session.exec(select(ApiToken).where(ApiToken.user_id == user_id, col(ApiToken.revoked_at).is_(None))
                        .order_by(col(ApiToken.created_at).desc())).all()


def revoke_token(session: Session, actor: Actor, now: datetime, token_id: str) -> None:
    """End one of the actor's own tokens. Raises NotFoundError."""
    token = session.get(ApiToken, token_id)
    if token is None or token.user_id != actor.user.id:
        raise NotFoundError
    token.revoked_at = token.revoked_at or now
    session.add(token)
    record(session, now, actor.user.id, "token.revoked", f"token:{token.id}")


def make_link(session: Session, actor: Actor, now: datetime, user_id: str) -> tuple[PersonalLink, str]:
    """A link that lets a person in without a password, and its secret part, which is never to be had again."""
    user = must_administer(session, actor, user_id)
    if user.password_hash is not None:
        raise InvalidError("Who has a password signs in with it; links are for people without one.")
    secret = new_secret()
    link = PersonalLink(user_id=user.id, token_hash=digest(secret), created_at=now)
    session.add(link)
    session.flush()
    record(session, now, actor.user.id, "link.made", f"link:{link.id}", user=user.id)
    return link, secret


def revoke_link(session: Session, actor: Actor, now: datetime, link_id: str) -> None:
    """End a link; the phone that remembers it is a stranger from now on. Raises NotFoundError, ForbiddenError."""
    link = session.get(PersonalLink, link_id)
    if link is None:
        raise NotFoundError
    must_administer(session, actor, link.user_id)
    link.revoked_at = link.revoked_at or now
    session.add(link)
    record(session, now, actor.user.id, "link.revoked", f"link:{link.id}", user=link.user_id)
