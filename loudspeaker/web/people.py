"""People: accounts, roles at places, personal links, and listing approvers' keys."""

from datetime import datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import segno
from fastapi import APIRouter, Form, Response

from loudspeaker.conductor import trust
from loudspeaker.conductor.people import person_page
from loudspeaker.errors import InvalidError
from loudspeaker.places.service import places_seen_by
from loudspeaker.users import service, tokens
from loudspeaker.users.models import Role
from loudspeaker.web.content_words import LANGUAGE_WORDS
from loudspeaker.web.page import ActingDesk, Desk, ReadingDesk
from loudspeaker.web.words import ROLE_WORDS

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]


@router.get("/people/new")
def new_person_page(desk: ReadingDesk) -> Response:
    """The form of an account that is to be made."""
    return _new_form(desk, {})


@router.post("/people/new")
def take_new_person(desk: ActingDesk, name: Text = "", role: Text = Role.EDITOR, place_id: Text = "",
                    login: Text = "", password: Text = "", phone: Text = "") -> Response:
    """Make an account with its first role."""
    with desk.trying():
        user = service.create_user(desk.session, desk.actor, desk.now, name, _role(role), place_id, login or None,
                                   password or None, phone)
        return desk.to(f"/people/{user.id}", "The account of %(name)s was made.", name=user.name)
    return _new_form(desk, {"name": name, "role": role, "place_id": place_id, "login": login, "phone": phone})


@router.get("/people/{user_id}")
def one_person_page(desk: ReadingDesk, user_id: str) -> Response:
    """One account with its roles, links and keys."""
    return _person(desk, user_id)


@router.post("/people/{user_id}")
def take_person(desk: ActingDesk, user_id: str, name: Text = "", phone: Text = "", password: Text = "",
                active: Text = "", languages: Annotated[list[str] | None, Form()] = None) -> Response:
    """Change an account."""
    with desk.trying():
        service.change_user(desk.session, desk.actor, desk.now, user_id, name=name, phone=phone, languages=languages,
                            active=bool(active) if user_id != desk.actor.user.id else None,
                            password=password or None)
        return desk.to(f"/people/{user_id}", "The account was changed.")
    return _person(desk, user_id)


@router.post("/people/{user_id}/roles")
def take_role(desk: ActingDesk, user_id: str, role: Text = "", place_id: Text = "", until: Text = "") -> Response:
    """Grant a role at a place, to the end of a day where one is given (delegation)."""
    with desk.trying():
        service.grant_role(desk.session, desk.actor, desk.now, user_id, place_id, _role(role), _end_of(desk, until))
        return desk.to(f"/people/{user_id}", "The role was granted.")
    return _person(desk, user_id)


@router.post("/people/{user_id}/roles/{grant_id}/end")
def end_role(desk: ActingDesk, user_id: str, grant_id: str) -> Response:
    """Take a role away."""
    with desk.trying():
        service.revoke_grant(desk.session, desk.actor, desk.now, grant_id)
        return desk.to(f"/people/{user_id}", "The role was taken away.")
    return _person(desk, user_id)


@router.post("/people/{user_id}/links")
def make_link(desk: ActingDesk, user_id: str) -> Response:
    """A personal link, shown once as text and QR code."""
    with desk.trying():
        _, secret = tokens.make_link(desk.session, desk.actor, desk.now, user_id)
        base = desk.house.settings.public_url or str(desk.request.base_url)
        address = f"{base.rstrip('/')}/l/{secret}"
        return _person(desk, user_id, link=address, qr=segno.make(address, error="m").svg_data_uri(scale=5))
    return _person(desk, user_id)


@router.post("/people/{user_id}/links/{link_id}/revoke")
def revoke_link(desk: ActingDesk, user_id: str, link_id: str) -> Response:
    """End a personal link."""
    with desk.trying():
        tokens.revoke_link(desk.session, desk.actor, desk.now, link_id)
        return desk.to(f"/people/{user_id}", "The link no longer lets anybody in.")
    return _person(desk, user_id)


@router.post("/people/{user_id}/keys/{key_id}/list")
def list_key(desk: ActingDesk, user_id: str, key_id: str, place_id: Text = "") -> Response:
    """Ask that an approver's key count at a place."""
    with desk.trying():
        trust.propose_key(desk.session, desk.house, desk.actor, key_id, place_id)
        return desk.to("/trust", "The key waits on the list below for the signature of a place authority.")
    return _person(desk, user_id)


@router.post("/people/{user_id}/keys/{key_id}/revoke")
def revoke_key(desk: ActingDesk, user_id: str, key_id: str, reason: Text = "") -> Response:
    """Let a key count no more."""
    with desk.trying():
        trust.revoke_key(desk.session, desk.house, desk.actor, key_id, reason)
        return desk.to("/trust", "The server heeds this signing key no more. Now a place authority signs the list, "
                       "for the loudspeakers.")
    return _person(desk, user_id)


def _person(desk: Desk, user_id: str, link: str = "", qr: str = "") -> Response:
    return desk.show("person.html", "people", page=person_page(desk.session, desk.actor, user_id, desk.now),
                     places=places_seen_by(desk.session, desk.actor), role_words=ROLE_WORDS, link=link, qr=qr,
                     language_words=LANGUAGE_WORDS)


def _new_form(desk: Desk, typed: dict[str, str]) -> Response:
    return desk.show("person_form.html", "people", typed=typed, role_words=ROLE_WORDS,
                     places=places_seen_by(desk.session, desk.actor))


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError as error:
        raise InvalidError("Choose a role.", field="role") from error


def _end_of(desk: Desk, day: str) -> datetime | None:
    if not day:
        return None
    try:
        given = datetime.fromisoformat(day).date()
    except ValueError as error:
        raise InvalidError("Give the last day as a date.", field="until") from error
    return datetime.combine(given + timedelta(days=1), time(), ZoneInfo(desk.house.settings.zone))
