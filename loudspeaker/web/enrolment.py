"""Poles to come: their printed cards, a table of many at once, and each one's controller with its credentials."""

from collections.abc import Sequence
from typing import Annotated

import segno
from fastapi import APIRouter, File, Form, Response, UploadFile

from firmware_bridge.contract.documents import CommandKind
from loudspeaker.conductor import commands, enrolling
from loudspeaker.conductor.handouts import Card, Handout
from loudspeaker.conductor.tls import fingerprint
from loudspeaker.errors import ForbiddenError, InvalidError
from loudspeaker.nodes import enrolment, sheet
from loudspeaker.nodes.enrolment import HOURS, EnrolmentState
from loudspeaker.nodes.service import node_to_manage
from loudspeaker.nodes.sheet import Sheet
from loudspeaker.nodes.zones import MANAGERS
from loudspeaker.users.access import Actor
from loudspeaker.web.content_words import Tone
from loudspeaker.web.i18n import marked
from loudspeaker.web.page import ActingDesk, Desk, ReadingDesk

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]

ENROLMENTS: dict[EnrolmentState, tuple[Tone, str]] = {
    EnrolmentState.NONE: ("idle", marked("no controller, no card")),
    EnrolmentState.WAITING: ("warn", marked("waits for its controller")),
    EnrolmentState.EXPIRED: ("fault", marked("its card has expired")),
    EnrolmentState.ENROLLED: ("good", marked("installed")),
    EnrolmentState.REVOKED: ("fault", marked("cut off")),
}
TERMS = (24, HOURS, 24 * 7, 24 * 30)
"""Hours to choose from."""
SHOWN_ROWS = 200
ENROL = "sudo loudspeaker-node enrol --token -"
START = "sudo systemctl start loudspeaker-node"


@router.get("/nodes/cards")
def cards_page(desk: ReadingDesk, word: str = "", size: str = "a4") -> Response:
    """The cards that this person made within the last hour, to be printed."""
    cards = desk.house.handouts.see(word, desk.actor.user.id, desk.now)
    return desk.show("node_cards.html", "nodes", cards=[(one, _qr(one.token), _lines(one.token)) for one in cards],
                     word=word, size="a6" if size == "a6" else "a4", server=desk.house.public_url, enrol=ENROL,
                     start=START)


@router.get("/nodes/import")
def import_page(desk: ReadingDesk) -> Response:
    """Where a table of poles is brought."""
    _must_manage(desk.actor)
    return desk.show("node_import.html", "nodes", found=None, text="", hours=HOURS, terms=TERMS, most=SHOWN_ROWS)


@router.get("/nodes/import/template.csv")
def template(desk: ReadingDesk) -> Response:
    """An example to fill in."""
    return Response("\ufeff" + sheet.TEMPLATE, media_type="text/csv; charset=utf-8", headers={
        "Content-Disposition": 'attachment; filename="cum-loa.csv"'})


@router.post("/nodes/import")
def preview(desk: ActingDesk, file: Annotated[UploadFile | None, File()] = None, text: Text = "") -> Response:
    """Everything that is wrong with the table, or what would be added. Changes nothing."""
    raw = file.file.read(sheet.MAX_BYTES + 1) if file is not None else b""
    brought = sheet.text_of(raw) if raw else text
    return _preview(desk, brought)


@router.post("/nodes/import/create")
def create(desk: ActingDesk, text: Text = "", hours: Text = str(HOURS)) -> Response:
    """Add every pole of the table, or none."""
    with desk.trying():
        found = sheet.read(text, enrolling.known_places(desk.session, desk.actor))
        if found.mistakes:
            return _preview(desk, text)
        made = enrolling.expect_nodes(desk.session, desk.house, desk.actor, found.rows, _hours(hours))
        return desk.to(hand_out(desk, made), "%(n)s loudspeakers were added. Print their cards now.", n=len(made))
    return _preview(desk, text)


@router.get("/nodes/{node_id}/controller")
def controller_page(desk: ReadingDesk, node_id: str) -> Response:
    """The pole's controller: has it come, its card, its credentials."""
    return _controller(desk, node_id)


@router.post("/nodes/{node_id}/controller/token")
def new_token(desk: ActingDesk, node_id: str, hours: Text = str(HOURS)) -> Response:
    """Another card; an earlier one counts no more."""
    with desk.trying():
        card = enrolling.new_token(desk.session, desk.house, desk.actor, node_id, _hours(hours))
        return desk.to(hand_out(desk, [card]), "A new card was made. An earlier one no longer counts.")
    return _controller(desk, node_id)


@router.post("/nodes/{node_id}/controller/cancel")
def cancel(desk: ActingDesk, node_id: str) -> Response:
    """Let no controller come with the card."""
    with desk.trying():
        enrolment.cancel_token(desk.session, desk.actor, desk.now, node_id)
        return desk.to(f"/nodes/{node_id}/controller", "The card no longer counts.")
    return _controller(desk, node_id)


@router.post("/nodes/{node_id}/controller/replace")
def replace(desk: ActingDesk, node_id: str) -> Response:
    """Let the pole fetch new credentials."""
    with desk.trying():
        enrolment.ask_renewal(desk.session, desk.actor, desk.now, node_id)
        commands.ask(desk.session, desk.actor, desk.now, desk.house, f"node:{node_id}", CommandKind.SYNC)
        return desk.to(f"/nodes/{node_id}/controller", "The loudspeaker was told to fetch new credentials. It goes on "
                       "airing; the former ones end once the new ones are in use.")
    return _controller(desk, node_id)


@router.post("/nodes/{node_id}/controller/revoke")
def revoke(desk: ActingDesk, node_id: str) -> Response:
    """Cut the pole off until a controller enrols anew."""
    with desk.trying():
        enrolling.revoke(desk.session, desk.house, desk.actor, node_id)
        return desk.to(f"/nodes/{node_id}/controller", "The controller is cut off. Make a card to install it, or "
                       "another one, again.", "warn")
    return _controller(desk, node_id)


def hand_out(desk: Desk, cards: Sequence[Card]) -> str:
    """Keep cards for printing; the address of their page."""
    return f"/nodes/cards?word={desk.house.handouts.put(Handout(desk.actor.user.id, tuple(cards)), desk.now)}"


def _controller(desk: Desk, node_id: str) -> Response:
    node = node_to_manage(desk.session, desk.actor, node_id)
    newest = enrolment.newest_token(desk.session, node.id)
    authority = desk.house.tls.authority_pem if desk.house.tls else None
    return desk.show("node_controller.html", "nodes", node=node, newest=newest, terms=TERMS, hours=HOURS,
                     state=enrolment.state_of(node, newest, desk.now), states=ENROLMENTS,
                     authority=fingerprint(authority) if authority else None)


def _preview(desk: Desk, text: str | None) -> Response:
    _must_manage(desk.actor)
    if text is None:
        found = Sheet([], [sheet.UNREADABLE])
    else:
        found = sheet.read(text, enrolling.known_places(desk.session, desk.actor))
    if found.mistakes:
        desk.status = 422
    return desk.show("node_import.html", "nodes", found=found, text=text or "", hours=HOURS, terms=TERMS,
                     most=SHOWN_ROWS)


def _must_manage(actor: Actor) -> None:
    if not actor.paths(*MANAGERS):
        raise ForbiddenError


def _hours(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise InvalidError("A token holds for 1 hour to 30 days.", field="hours") from error


def _qr(token: str) -> str:
    found: str = segno.make(token, error="m").svg_data_uri(scale=4, border=2)
    return found


def _lines(token: str) -> list[str]:
    """Four groups a line, as they are typed."""
    groups = token.split("-")
    return [" ".join(groups[at:at + 4]) for at in range(0, len(groups), 4)]
