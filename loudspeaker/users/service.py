"""Accounts and the roles granted to them at places."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_
from sqlmodel import Session, col, select

from loudspeaker.audit.service import record
from loudspeaker.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from loudspeaker.places.models import Place
from loudspeaker.users import passwords, signin
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Grant, PersonalLink, Role, User
from loudspeaker.users.signin import normal_login

LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,62}[a-z0-9]")
LANGUAGES = ("vi", "en")
SPOKEN = re.compile(r"[a-z]{2,3}")
MOST_SPOKEN = 20
WITHOUT_PASSWORD = frozenset({Role.VILLAGE_HEAD, Role.PRECINCT_TEAM})


def create_user(session: Session, actor: Actor, now: datetime, name: str, role: Role, place_id: str,
                login: str | None = None, password: str | None = None, phone: str = "", language: str = "vi") -> User:
    """A new account with its first role. Village heads and precinct teams need neither login nor password.

    Raises ForbiddenError, NotFoundError, InvalidError (field name, login, password or language).
    """
    place = _place(session, place_id)
    actor.must(place, Role.ADMINISTRATOR)
    if role not in WITHOUT_PASSWORD and not (login and password):
        raise InvalidError("This role needs a login and a password.", field="login" if not login else "password")
    user = add_user(session, now, name, login, password, phone, language, by=actor.user.id)
    add_grant(session, now, user, place, role, by=actor.user.id)
    return user


def add_user(session: Session, now: datetime, name: str, login: str | None, password: str | None, phone: str = "",
             language: str = "vi", by: str | None = None) -> User:
    """A new account without a role, made by `by` (None: the system). Raises InvalidError."""
    if not name.strip():
        raise InvalidError("Please give the person's name.", field="name")
    if language not in LANGUAGES:
        raise InvalidError("This language is not one of the interface's.", field="language")
    wanted = _free_login(session, login) if login else None
    if password is not None:
        passwords.check_new(password, wanted or "")
    user = User(login=wanted, name=name.strip()[:200], phone=phone.strip()[:40], language=language, created_at=now,
                password_hash=passwords.HASHER.hash(password) if password else None,
                password_changed_at=now if password else None)
    session.add(user)
    session.flush()
    record(session, now, by, "user.created", f"user:{user.id}", login=wanted, name=user.name)
    return user


def change_user(session: Session, actor: Actor, now: datetime, user_id: str, *, name: str | None = None,
                phone: str | None = None, language: str | None = None,
                languages: Sequence[str] | None = None, active: bool | None = None,
                password: str | None = None) -> User:
    """Change an account; what is None stays. Its owner may change name, phone and languages, an administrator all.

    A new password by an administrator, and switching off, sign the person out everywhere.
    """
    user = user_to_see(session, actor, user_id)
    if password is not None and user.id == actor.user.id:
        raise ForbiddenError("Your own password is changed with the current one.")
    if active is not None or user.id != actor.user.id:
        _must_administer(session, actor, user)
    if name is not None and not name.strip():
        raise InvalidError("Please give the person's name.", field="name")
    if language is not None and language not in LANGUAGES:
        raise InvalidError("This language is not one of the interface's.", field="language")
    given: dict[str, Any] = {"name": name.strip()[:200] if name else None, "phone": phone, "language": language,
                             "languages": _checked_spoken(languages), "active": active}
    changes = {key: value for key, value in given.items() if value is not None and value != getattr(user, key)}
    if changes.get("active") is False:
        for grant in _grants(session, user.id):
            _keep_an_administrator(session, now, grant)
    for key, value in changes.items():
        setattr(user, key, value)
    if password is not None:
        passwords.check_new(password, user.login or "")
        user.password_hash, user.password_changed_at = passwords.HASHER.hash(password), now
    if password is not None or changes.get("active") is False:
        signin.end_all(session, user.id)
    session.add(user)
    session.flush()
    record(session, now, actor.user.id, "user.changed", f"user:{user.id}", **changes, password=password is not None)
    return user


def change_password(session: Session, actor: Actor, now: datetime, current: str, new: str,
                    keep: str | None = None) -> None:
    """The actor's own password; other browsers than `keep` (a session id) are signed out. Raises InvalidError."""
    user = session.get_one(User, actor.user.id)
    if actor.how != "session" or not passwords.matches(user.password_hash, current):
        raise InvalidError("The current password is not right.", field="current")
    passwords.check_new(new, user.login or "")
    user.password_hash, user.password_changed_at = passwords.HASHER.hash(new), now
    session.add(user)
    signin.end_all(session, user.id, keep)
    record(session, now, user.id, "password.changed", f"user:{user.id}")


def grant_role(session: Session, actor: Actor, now: datetime, user_id: str, place_id: str, role: Role,
               valid_until: datetime | None = None) -> Grant:
    """Let a person be `role` at a place and below. Only an administrator of that place may."""
    place = _place(session, place_id)
    actor.must(place, Role.ADMINISTRATOR)
    user = session.get(User, user_id)
    if user is None:
        raise NotFoundError
    if valid_until is not None and valid_until <= now:
        raise InvalidError("The last day is already over.", field="valid_until")
    return add_grant(session, now, user, place, role, valid_until, actor.user.id)


def add_grant(session: Session, now: datetime, user: User, place: Place, role: Role,
              valid_until: datetime | None = None, by: str | None = None) -> Grant:
    """Grant, or change the date of what is granted already; by `by` (None: the system)."""
    grant = session.exec(select(Grant).where(Grant.user_id == user.id, Grant.place_id == place.id,
                                             Grant.role == role)).first()
    grant = grant or Grant(user_id=user.id, place_id=place.id, role=role, granted_by=by, granted_at=now)
    grant.valid_until = valid_until
    session.add(grant)
    session.flush()
    record(session, now, by, "role.granted", f"user:{user.id}", place.id, role=role,
           until=valid_until.isoformat() if valid_until else None)
    return grant


def revoke_grant(session: Session, actor: Actor, now: datetime, grant_id: str) -> None:
    """Take a role away. Raises ConflictError (`last_administrator`) where nobody would be left to administer."""
    grant = session.get(Grant, grant_id)
    if grant is None:
        raise NotFoundError
    actor.must(_place(session, grant.place_id), Role.ADMINISTRATOR)
    _keep_an_administrator(session, now, grant)
    session.delete(grant)
    session.flush()
    record(session, now, actor.user.id, "role.revoked", f"user:{grant.user_id}", grant.place_id, role=grant.role)


def users_seen_by(session: Session, actor: Actor) -> Sequence[User]:
    """People with a role at or below the places that the actor administers or inspects, by name; and the actor."""
    paths = actor.paths(Role.ADMINISTRATOR, Role.AUDITOR)
    below = [col(Place.path).startswith(path) for path in paths]
    seen = (select(Grant.user_id).join(Place, col(Place.id) == col(Grant.place_id)).where(or_(*below))
            if below else select(Grant.user_id).where(Grant.user_id == actor.user.id))
    return session.exec(select(User).where(or_(col(User.id).in_(seen), col(User.id) == actor.user.id))
                        .order_by(col(User.name), col(User.id))).all()


def grants_of(session: Session, user_ids: Iterable[str]) -> dict[str, list[tuple[Grant, Place]]]:
    """The roles of several people with their places."""
    found: dict[str, list[tuple[Grant, Place]]] = {}
    for grant, place in session.exec(select(Grant, Place).join(Place, col(Place.id) == col(Grant.place_id))
                                     .where(col(Grant.user_id).in_(list(user_ids))).order_by(col(Place.path))):
        found.setdefault(grant.user_id, []).append((grant, place))
    return found


def user_to_see(session: Session, actor: Actor, user_id: str) -> User:
    """An account that the actor may look at: the own, or one with a role below theirs. Raises NotFoundError."""
    user = session.get(User, user_id)
    if user is None or (user.id != actor.user.id and user.id not in {one.id for one in users_seen_by(session, actor)}):
        raise NotFoundError
    return user


def must_administer(session: Session, actor: Actor, user_id: str) -> User:
    """The account, when the actor administers every place where it holds a role. Else NotFoundError, ForbiddenError."""
    user = user_to_see(session, actor, user_id)
    _must_administer(session, actor, user)
    return user


def links_of(session: Session, user_id: str) -> Sequence[PersonalLink]:
    """A person's links that are not revoked, newest first."""
    return session.exec(select(PersonalLink).where(PersonalLink.user_id == user_id,
                                                   col(PersonalLink.revoked_at).is_(None))
                        .order_by(col(PersonalLink.created_at).desc())).all()


def _checked_spoken(languages: Sequence[str] | None) -> list[str] | None:
    if languages is None:
        return None
    wanted = list(dict.fromkeys(languages))
    if not 0 < len(wanted) <= MOST_SPOKEN or any(not SPOKEN.fullmatch(one) for one in wanted):
        raise InvalidError("Choose the languages that this person speaks.", field="languages")
    return wanted


def _must_administer(session: Session, actor: Actor, user: User) -> None:
    # an administrator below must not gain the account of one above
    for grant in _grants(session, user.id):
        actor.must(_place(session, grant.place_id), Role.ADMINISTRATOR)
    if not actor.paths(Role.ADMINISTRATOR):
        raise ForbiddenError


def _keep_an_administrator(session: Session, now: datetime, leaving: Grant) -> None:
    if leaving.role != Role.ADMINISTRATOR:
        return
    above = _place(session, leaving.place_id).path_ids
    others = session.exec(select(Grant).join(User, col(User.id) == col(Grant.user_id)).where(
        Grant.role == Role.ADMINISTRATOR, col(Grant.place_id).in_(above), Grant.user_id != leaving.user_id,
        col(User.active)))
    if not any(one.valid_until is None or one.valid_until > now for one in others):
        raise ConflictError("This is the last administrator of the place.", code="last_administrator",
                            advice="Make somebody else administrator first.")


def _grants(session: Session, user_id: str) -> Sequence[Grant]:
    return session.exec(select(Grant).where(Grant.user_id == user_id)).all()


def _free_login(session: Session, login: str) -> str:
    wanted = normal_login(login)
    if not LOGIN.fullmatch(wanted):
        raise InvalidError("A login is 3 to 64 of the letters a to z, digits, and . _ @ -", field="login")
    if session.exec(select(User.id).where(User.login == wanted)).first() is not None:
        raise InvalidError("This login is taken.", field="login", advice="Choose another one.")
    return wanted


def _place(session: Session, place_id: str) -> Place:
    place = session.get(Place, place_id)
    if place is None:
        raise NotFoundError
    return place
