"""One's own account: name, password, where one is signed in, tokens for programs."""

from typing import Annotated

from fastapi import APIRouter, Form, Response

from loudspeaker.api.deps import CurrentSignedIn
from loudspeaker.errors import InvalidError
from loudspeaker.users import service, signin, tokens
from loudspeaker.users.models import Role
from loudspeaker.web.content_words import LANGUAGE_WORDS
from loudspeaker.web.page import ActingDesk, Desk, ReadingDesk

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]


@router.get("/account")
def account_page(desk: ReadingDesk, signed_in: CurrentSignedIn) -> Response:
    """Everything about the own account."""
    return _page(desk, signed_in.session_id)


@router.post("/account")
def take_account(desk: ActingDesk, signed_in: CurrentSignedIn, name: Text = "", phone: Text = "",
                 languages: Annotated[list[str] | None, Form()] = None) -> Response:
    """Change the own name, telephone and languages."""
    with desk.trying():
        service.change_user(desk.session, desk.actor, desk.now, desk.actor.user.id, name=name, phone=phone,
                            languages=languages)
        return desk.to("/account", "The account was changed.")
    return _page(desk, signed_in.session_id)


@router.post("/account/password")
def take_password(desk: ActingDesk, signed_in: CurrentSignedIn, current: Text = "", new: Text = "",
                  again: Text = "") -> Response:
    """Change the own password; other browsers are signed out."""
    with desk.trying():
        if new != again:
            raise InvalidError("The two new passwords differ.", field="again")
        service.change_password(desk.session, desk.actor, desk.now, current, new, signed_in.session_id)
        return desk.to("/account", "The password was changed. Other browsers are signed out.")
    return _page(desk, signed_in.session_id)


@router.post("/account/sessions/{session_id}/end")
def end_session(desk: ActingDesk, signed_in: CurrentSignedIn, session_id: str) -> Response:
    """Sign another browser out."""
    with desk.trying():
        signin.end(desk.session, desk.actor, desk.now, session_id)
        return desk.to("/account", "That browser is signed out.")
    return _page(desk, signed_in.session_id)


@router.post("/account/tokens")
def make_token(desk: ActingDesk, signed_in: CurrentSignedIn, name: Text = "") -> Response:
    """A token for the API, shown once."""
    with desk.trying():
        _, secret = tokens.make_token(desk.session, desk.actor, desk.now, name)
        return _page(desk, signed_in.session_id, secret)
    return _page(desk, signed_in.session_id)


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(desk: ActingDesk, signed_in: CurrentSignedIn, token_id: str) -> Response:
    """End a token."""
    with desk.trying():
        tokens.revoke_token(desk.session, desk.actor, desk.now, token_id)
        return desk.to("/account", "The token no longer counts.")
    return _page(desk, signed_in.session_id)


def _page(desk: Desk, here: str | None, secret: str = "") -> Response:
    user = desk.actor.user
    return desk.show("account.html", None, user=user, language_words=LANGUAGE_WORDS, secret=secret, here=here,
                     sessions=signin.sessions_of(desk.session, user.id, desk.now),
                     tokens=tokens.tokens_of(desk.session, user.id),
                     approves=bool(desk.actor.paths(Role.APPROVER)))
