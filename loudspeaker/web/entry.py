"""The pages before anybody is signed in: the first run, signing in and out."""

from dataclasses import asdict
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response

from loudspeaker.api.cookies import forget_session, remember_session
from loudspeaker.api.deps import CurrentSignedIn, HouseDep, MaybeSignedIn, Now, Work
from loudspeaker.api.errors import status_of
from loudspeaker.conductor.house import House
from loudspeaker.conductor.setup import FirstRun, needs_keys, set_up
from loudspeaker.conductor.sign_in import sign_in
from loudspeaker.conductor.tls import fingerprint
from loudspeaker.errors import ForbiddenError, InvalidError, LoudspeakerError
from loudspeaker.users import signin
from loudspeaker.web.frame import Flash
from loudspeaker.web.page import flashes_of, redirect, render, sentences, translator_of

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in_page(request: Request, house: HouseDep, found: MaybeSignedIn, next_page: str = "/") -> Response:
    """The sign-in form; before the first administrator is made, the way to the first run."""
    if house.setup_code is not None:
        return redirect("/setup", request)
    if found is not None and found.session_id is not None:
        return redirect(next_page, request)
    return render(request, "sign_in.html", csrf="", login="", next_page=next_page, flashes=flashes_of(request))


@router.post("/sign-in")
def take_sign_in(request: Request, house: HouseDep, login: Annotated[str, Form()] = "",
                 password: Annotated[str, Form()] = "", next_page: Annotated[str, Form()] = "/") -> Response:
    """Begin a session and go on to where the person wanted to be."""
    must_be_ours(request)
    address = request.client.host if request.client else ""
    try:
        begun = sign_in(house, login, password, address, request.headers.get("user-agent", ""))
    except LoudspeakerError as error:
        told = (Flash("fault", sentences(translator_of(request), error)),)
        return render(request, "sign_in.html", status_of(error), csrf="", login=login, next_page=next_page,
                      flashes=told)
    response = redirect(next_page, request)
    remember_session(response, house.settings, begun)
    return response


@router.post("/sign-out")
def sign_out(request: Request, session: Work, now: Now, signed_in: CurrentSignedIn) -> Response:
    """End this browser's session."""
    if signed_in.session_id:
        signin.end(session, signed_in.actor, now, signed_in.session_id)
    response = redirect("/sign-in", request, "good", "You are signed out.")
    forget_session(response)
    return response


@router.get("/setup")
def setup_page(request: Request, house: HouseDep) -> Response:
    """The first run: the printed code makes the commune, its villages and the first administrator."""
    if house.setup_code is None:
        return redirect("/sign-in", request)
    return render(request, "setup.html", csrf="", typed={}, wrong={}, authority=_authority(house), **_keys(house))


@router.post("/setup")
def take_setup(request: Request, house: HouseDep, code: Annotated[str, Form()] = "",
               commune: Annotated[str, Form()] = "", identifier: Annotated[str, Form()] = "",
               villages: Annotated[str, Form()] = "", phone: Annotated[str, Form()] = "",
               name: Annotated[str, Form()] = "", login: Annotated[str, Form()] = "",
               password: Annotated[str, Form()] = "", again: Annotated[str, Form()] = "",
               root: Annotated[str, Form()] = "", authority: Annotated[str, Form()] = "") -> Response:
    """Make everything at once, or nothing; then sign the administrator in."""
    must_be_ours(request)
    address = request.client.host if request.client else ""
    wanted = FirstRun(commune, identifier, name, login, password, villages, phone, root=root, authority=authority)
    try:
        if password != again:
            raise InvalidError("The two passwords differ.", field="again")
        set_up(house, code, wanted, address)
        begun = sign_in(house, login, password, address, request.headers.get("user-agent", ""))
    except LoudspeakerError as error:
        t = translator_of(request)
        field = error.field if isinstance(error, InvalidError) else None
        return render(request, "setup.html", status_of(error), csrf="", typed={"code": code, **asdict(wanted)},
                      wrong={field: t.gettext(error.title, **error.params)} if field else {},
                      flashes=(Flash("fault", sentences(t, error)),), authority=_authority(house), **_keys(house))
    response = redirect("/", request, "good", "The commune is set up. Next: add the people, then the first pole.")
    remember_session(response, house.settings, begun)
    return response


def _keys(house: House) -> dict[str, Any]:
    """Whether the offline keys are to be made, and for which site."""
    with house.database.read() as session:
        return {"needs_keys": needs_keys(session), "site": house.site}


def _authority(house: House) -> str | None:
    """The fingerprint of the server's own authority, to be compared with what it printed."""
    pem = house.tls.authority_pem if house.tls else None
    return fingerprint(pem) if pem else None


def must_be_ours(request: Request) -> None:
    """Refuse a form that another site sends before there is a session whose token could be asked for."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ForbiddenError("This form was sent by another site.", code="csrf")
