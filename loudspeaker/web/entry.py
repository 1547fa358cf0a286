"""The pages before anybody is signed in: signing in and out."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response

from loudspeaker.api.deps import SESSION_COOKIE, CurrentSignedIn, HouseDep, MaybeSignedIn, Now, Work
from loudspeaker.api.errors import status_of
from loudspeaker.conductor.sign_in import sign_in
from loudspeaker.errors import ForbiddenError, LoudspeakerError
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
    response.set_cookie(SESSION_COOKIE, begun.cookie, max_age=house.settings.session_hours * 3600, httponly=True,
                        samesite="lax", secure=house.settings.secure_cookies)
    return response


@router.post("/sign-out")
def sign_out(request: Request, session: Work, now: Now, signed_in: CurrentSignedIn) -> Response:
    """End this browser's session."""
    if signed_in.session_id:
        signin.end(session, signed_in.actor, now, signed_in.session_id)
    response = redirect("/sign-in", request, "good", "You are signed out.")
    response.delete_cookie(SESSION_COOKIE)
    return response


def must_be_ours(request: Request) -> None:
    """Refuse a form that another site sends before there is a session whose token could be asked for."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ForbiddenError("This form was sent by another site.", code="csrf")
