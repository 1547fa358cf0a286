"""Who may do what where: an actor with the roles granted at places, holding for everything below."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from loudspeaker.errors import ForbiddenError
from loudspeaker.places.models import Place
from loudspeaker.users.models import Grant, Role, User

STAFF = frozenset({Role.EDITOR, Role.APPROVER, Role.TECHNICIAN, Role.ADMINISTRATOR, Role.AUDITOR})
"""Roles that see the desk pages."""


@dataclass(frozen=True)
class HeldRole:
    """A role at the place whose path (ids joined and closed by `/`) is `path`."""

    role: Role
    place_id: str
    path: str


@dataclass(frozen=True)
class Actor:
    """A person acting now. `how` is `session`, `token` or `link`."""

    user: User
    roles: tuple[HeldRole, ...]
    how: str = "session"

    def roles_at(self, place: Place) -> frozenset[Role]:
        """Roles that hold at `place`, granted there or above."""
        return frozenset(held.role for held in self.roles if place.path.startswith(held.path))

    def may(self, place: Place, wanted: Iterable[Role]) -> bool:
        """True when one of `wanted` holds at `place`."""
        return not self.roles_at(place).isdisjoint(wanted)

    def must(self, place: Place, *wanted: Role) -> None:
        """Raises ForbiddenError unless one of `wanted` holds at `place`."""
        if not self.may(place, wanted):
            raise ForbiddenError

    def must_see(self, place: Place) -> None:
        """Raises ForbiddenError unless any staff role holds at `place`."""
        self.must(place, *STAFF)

    def paths(self, *wanted: Role) -> tuple[str, ...]:
        """Place paths at which one of `wanted` (or any staff role, where none is named) was granted; for queries."""
        asked = frozenset(wanted) or STAFF
        return tuple(sorted({held.path for held in self.roles if held.role in asked}))


def actor_for(session: Session, user: User, now: datetime, how: str = "session") -> Actor:
    """The actor that `user` is at `now`; grants past their date do not count."""
    rows = session.exec(select(Grant, Place).join(Place, col(Place.id) == col(Grant.place_id))
                        .where(Grant.user_id == user.id))
    held = tuple(HeldRole(Role(grant.role), place.id, place.path) for grant, place in rows
                 if grant.valid_until is None or grant.valid_until > now)
    return Actor(user, held, how)
