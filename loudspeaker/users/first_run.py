"""The first run: while nobody administers this installation, a code printed by the server lets one person begin."""

import secrets

from sqlmodel import Session, col, select

from loudspeaker.users.models import Grant, Role, User

CODE_GROUPS = 3
_DIGITS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def has_administrator(session: Session) -> bool:
    """Whether an active person administers any place."""
    return session.exec(select(Grant.id).join(User, col(User.id) == col(Grant.user_id))
                        .where(Grant.role == Role.ADMINISTRATOR, col(User.active)).limit(1)).first() is not None


def setup_code(session: Session) -> str | None:
    """A fresh one-time code of 59 bits, `ABCD-EFGH-JKMN`; None once somebody administers."""
    if has_administrator(session):
        return None
    return "-".join("".join(secrets.choice(_DIGITS) for _ in range(4)) for _ in range(CODE_GROUPS))
