"""Signing in: the try is counted and kept before the password is judged, and judged outside any transaction."""

from sqlmodel import Session

from loudspeaker.conductor.house import House
from loudspeaker.errors import SignInNeededError
from loudspeaker.users import guessing, passwords, signin
from loudspeaker.users.models import User
from loudspeaker.users.signin import NewSession


def sign_in(house: House, login: str, password: str, address: str = "", agent: str = "") -> NewSession:
    """A new session for who knows the password. Raises SignInNeededError (`wrong_password`), TooManyError."""
    now, by_account = house.now(), guessing.account(login)
    limits = {by_account: guessing.MOST_BY_ACCOUNT, guessing.address(address): guessing.MOST_BY_ADDRESS}
    with house.database.work() as session:
        tries = guessing.count_try(session, now, limits)
        user = signin.user_of(session, login)
    if not passwords.matches(user.password_hash if user else None, password) or user is None:
        raise SignInNeededError("The login or the password is not right.", code="wrong_password",
                                advice="Check both and try again; an administrator can set a new password.")
    with house.database.work() as session:
        guessing.forgive(session, tries, by_account)
        _renew_hash(session, user, password)
        return signin.begin(session, user, now, house.settings.session_hours, agent, address)


def _renew_hash(session: Session, user: User, password: str) -> None:
    row = session.get_one(User, user.id)
    if row.password_hash and passwords.outdated(row.password_hash):
        row.password_hash = passwords.HASHER.hash(password)
        session.add(row)
