"""People: accounts, roles at places, and personal links."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from loudspeaker.api.deps import CurrentActor, HouseDep, Now, Reading, Work
from loudspeaker.api.schemas import In, Instant, Out
from loudspeaker.places import tree
from loudspeaker.places.models import Place
from loudspeaker.users import service, tokens
from loudspeaker.users.models import Grant, Role, User

router = APIRouter(prefix="/api/v1/users", tags=["users"])

Name = Annotated[str, Field(min_length=1, max_length=200)]
LINK_PATH = "/l/"
"""Where a personal link leads: `<public address>/l/<secret>`."""


class GrantOut(Out):
    """A role at a place."""

    id: str
    role: Role
    place_id: str
    place_name: str
    valid_until: Instant | None


class UserOut(Out):
    """A person."""

    id: str
    login: str | None
    name: str
    phone: str
    language: str
    languages: list[str]
    active: bool
    has_password: bool
    created_at: Instant
    roles: list[GrantOut]


class NewUser(In):
    """A person with the first role."""

    name: Name
    role: Role
    place_id: str
    login: Annotated[str, Field(max_length=64)] | None = None
    password: Annotated[str, Field(max_length=256)] | None = None
    phone: Annotated[str, Field(max_length=40)] = ""
    language: str = "vi"


class UserChange(In):
    """What is left out stays."""

    name: Name | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None
    language: str | None = None
    languages: list[str] | None = None
    active: bool | None = None
    password: Annotated[str, Field(max_length=256)] | None = None


class NewGrant(In):
    """A role at a place, until an instant for a delegation."""

    role: Role
    place_id: str
    valid_until: Instant | None = None


class LinkOut(Out):
    """A personal link that is not revoked."""

    id: str
    created_at: Instant
    used_at: Instant | None


class NewLink(LinkOut):
    """A new link with its address, which is shown this once."""

    url: str


@router.get("")
def users(session: Reading, actor: CurrentActor) -> list[UserOut]:
    """The people with roles in places that I administer or inspect, and myself."""
    found = service.users_seen_by(session, actor)
    roles = service.grants_of(session, [one.id for one in found])
    return [_out(one, roles.get(one.id, [])) for one in found]


@router.post("", status_code=201)
def create(session: Work, actor: CurrentActor, now: Now, given: NewUser) -> UserOut:
    """A new person; an administrator of the place may."""
    user = service.create_user(session, actor, now, **given.model_dump())
    return _out(user, service.grants_of(session, [user.id]).get(user.id, []))


@router.get("/{user_id}")
def user(session: Reading, actor: CurrentActor, user_id: str) -> UserOut:
    """One person."""
    found = service.user_to_see(session, actor, user_id)
    return _out(found, service.grants_of(session, [found.id]).get(found.id, []))


@router.patch("/{user_id}")
def change(session: Work, actor: CurrentActor, now: Now, user_id: str, given: UserChange) -> UserOut:
    """Change a person; `active: false` and a new password sign them out everywhere."""
    found = service.change_user(session, actor, now, user_id, **given.model_dump())
    return _out(found, service.grants_of(session, [found.id]).get(found.id, []))


@router.post("/{user_id}/roles", status_code=201)
def grant(session: Work, actor: CurrentActor, now: Now, user_id: str, given: NewGrant) -> GrantOut:
    """Give a role at a place; only an administrator of that place may."""
    made = service.grant_role(session, actor, now, user_id, given.place_id, given.role, given.valid_until)
    return _grant_out(made, tree.get(session, made.place_id))


@router.delete("/{user_id}/roles/{grant_id}", status_code=204)
def revoke(session: Work, actor: CurrentActor, now: Now, user_id: str, grant_id: str) -> None:
    """Take a role away; the last administrator of a place stays."""
    service.revoke_grant(session, actor, now, grant_id)


@router.get("/{user_id}/links")
def links(session: Reading, actor: CurrentActor, user_id: str) -> list[LinkOut]:
    """A person's links that are not revoked."""
    service.must_administer(session, actor, user_id)
    return [LinkOut.model_validate(one) for one in service.links_of(session, user_id)]


@router.post("/{user_id}/links", status_code=201)
def make_link(session: Work, house: HouseDep, actor: CurrentActor, now: Now, user_id: str) -> NewLink:
    """A link that lets a person in without a password."""
    link, secret = tokens.make_link(session, actor, now, user_id)
    return NewLink(id=link.id, created_at=link.created_at, used_at=None, url=f"{house.public_url}{LINK_PATH}{secret}")


@router.delete("/{user_id}/links/{link_id}", status_code=204)
def revoke_link(session: Work, actor: CurrentActor, now: Now, user_id: str, link_id: str) -> None:
    """End a link."""
    tokens.revoke_link(session, actor, now, link_id)


def _out(user: User, roles: list[tuple[Grant, Place]]) -> UserOut:
    return UserOut(id=user.id, login=user.login, name=user.name, phone=user.phone, language=user.language,
                   languages=user.languages, active=user.active, has_password=user.password_hash is not None,
                   created_at=user.created_at, roles=[_grant_out(grant, place) for grant, place in roles])


def _grant_out(grant: Grant, place: Place) -> GrantOut:
    return GrantOut(id=grant.id, role=Role(grant.role), place_id=place.id, place_name=place.name,
                    valid_until=grant.valid_until)
