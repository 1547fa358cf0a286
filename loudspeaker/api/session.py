"""Signing in and out, who I am, where I am signed in, my password; and the first run."""

import base64
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from loudspeaker.api.cookies import forget_session, remember_session
from loudspeaker.api.deps import CurrentActor, CurrentSignedIn, HouseDep, Now, Reading, Work
from loudspeaker.api.schemas import In, Instant, Out
from loudspeaker.conductor.setup import FirstRun, root_to_sign, set_up
from loudspeaker.conductor.sign_in import sign_in
from loudspeaker.errors import ForbiddenError
from loudspeaker.places.models import PlaceKind
from loudspeaker.users import service, signin
from loudspeaker.users.access import Actor, actor_for
from loudspeaker.users.models import Role

router = APIRouter(prefix="/api/v1", tags=["session"])

Secret = Annotated[str, Field(min_length=1, max_length=256)]


class SignIn(In):
    """A login and its password."""

    login: Annotated[str, Field(max_length=100)]
    password: Secret


class HeldRoleOut(Out):
    """A role and where it is held."""

    role: Role
    place_id: str


class Me(Out):
    """The person asking; `csrf` goes with unsafe requests as X-CSRF-Token (empty for tokens)."""

    id: str
    login: str | None
    name: str
    language: str
    roles: list[HeldRoleOut]
    csrf: str
    how: str


class BrowserOut(Out):
    """A browser in which I am signed in."""

    id: str
    created_at: Instant
    expires_at: Instant
    agent: str
    address: str
    current: bool = False


class NewPassword(In):
    """The password in force, and the one to come."""

    current: Secret
    new: Secret


class SetUp(In):
    """The first run: the printed code, the commune with its villages (one per line), and the administrator."""

    code: Annotated[str, Field(max_length=40)]
    commune: Annotated[str, Field(min_length=1, max_length=120)]
    identifier: Annotated[str, Field(max_length=64)] = ""
    phone: Annotated[str, Field(max_length=40)] = ""
    kind: PlaceKind = PlaceKind.COMMUNE
    villages: str = ""
    name: Annotated[str, Field(min_length=1, max_length=200)]
    login: Annotated[str, Field(min_length=1, max_length=100)]
    password: Secret
    root: str = ""
    authority: str = ""


class FirstKeys(In):
    """Public halves of the root key and the place authority's key, as just made."""

    root_key: Annotated[str, Field(max_length=64)]
    authority_key: Annotated[str, Field(max_length=64)]


class Statement(Out):
    """The exact bytes to sign (base64), and their type."""

    payload_type: str
    payload: str


class SetUpDone(Out):
    """What the first run made."""

    place_id: str
    user_id: str


@router.post("/session")
def begin(request: Request, response: Response, house: HouseDep, given: SignIn, session: Reading) -> Me:
    """Sign in; the answer sets the session's cookie."""
    begun = sign_in(house, given.login, given.password, address_of(request), request.headers.get("user-agent", ""))
    remember_session(response, house.settings, begun)
    return _me(actor_for(session, begun.user, house.now()), begun.csrf)


@router.get("/session")
def who_am_i(signed_in: CurrentSignedIn) -> Me:
    """Who is asking, with which roles."""
    return _me(signed_in.actor, signed_in.csrf or "")


@router.delete("/session", status_code=204)
def end(response: Response, session: Work, signed_in: CurrentSignedIn, now: Now) -> None:
    """Sign this browser out."""
    if signed_in.session_id:
        signin.end(session, signed_in.actor, now, signed_in.session_id)
    forget_session(response)


@router.get("/me/sessions")
def browsers(session: Reading, signed_in: CurrentSignedIn, now: Now) -> list[BrowserOut]:
    """The browsers in which I am signed in, newest first."""
    found = signin.sessions_of(session, signed_in.actor.user.id, now)
    return [BrowserOut.model_validate(one).model_copy(update={"current": one.id == signed_in.session_id})
            for one in found]


@router.delete("/me/sessions/{session_id}", status_code=204)
def end_other(session: Work, actor: CurrentActor, now: Now, session_id: str) -> None:
    """Sign another browser of mine out."""
    signin.end(session, actor, now, session_id)


@router.put("/me/password", status_code=204)
def change_password(session: Work, signed_in: CurrentSignedIn, now: Now, given: NewPassword) -> None:
    """A new password; all my other browsers are signed out."""
    service.change_password(session, signed_in.actor, now, given.current, given.new, signed_in.session_id)


@router.post("/setup", status_code=201)
def first_run(request: Request, house: HouseDep, given: SetUp) -> SetUpDone:
    """Make the commune and its administrator, once, with the code that the server printed."""
    wanted = FirstRun(**given.model_dump(exclude={"code"}))
    place, user = set_up(house, given.code, wanted, address_of(request))
    return SetUpDone(place_id=place.id, user_id=user.id)


@router.post("/setup/root")
def first_root(house: HouseDep, given: FirstKeys) -> Statement:
    """The first trust root, to be signed where its keys were made; says nothing that is secret, changes nothing."""
    if house.setup_code is None:
        raise ForbiddenError
    root = root_to_sign(house, given.root_key, given.authority_key)
    return Statement(payload_type=root.TYPE, payload=base64.b64encode(root.to_bytes()).decode())


def address_of(request: Request) -> str:
    """The network address that asks."""
    return request.client.host if request.client else ""


def _me(actor: Actor, csrf: str) -> Me:
    user = actor.user
    return Me(id=user.id, login=user.login, name=user.name, language=user.language, how=actor.how, csrf=csrf,
              roles=[HeldRoleOut(role=held.role, place_id=held.place_id) for held in actor.roles])
