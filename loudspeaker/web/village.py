"""The village head's pages on a phone: the personal link, the village today, and reporting a fault."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, File, Form, Header, Request, Response, UploadFile
from fastapi.responses import JSONResponse, RedirectResponse
from sqlmodel import Session

from loudspeaker.api.cookies import remember_link
from loudspeaker.api.deps import HouseDep, MaybeSignedIn, Now, Reading, Work
from loudspeaker.api.errors import status_of
from loudspeaker.conductor.reporting import take_report
from loudspeaker.conductor.village_pages import (
    VILLAGERS,
    Ticket,
    any_phone,
    own_ticket,
    phone_of,
    public_ticket,
    village,
)
from loudspeaker.database import new_id
from loudspeaker.errors import InvalidError, LoudspeakerError, NotFoundError
from loudspeaker.faults.models import FaultKind
from loudspeaker.faults.photos import LARGEST_BYTES
from loudspeaker.faults.service import REPORTERS, Report
from loudspeaker.nodes.models import Node
from loudspeaker.nodes.service import node_by_sticker
from loudspeaker.places import tree
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import PlaybackState
from loudspeaker.users.access import STAFF, Actor
from loudspeaker.users.credentials import SignedIn, by_link
from loudspeaker.web.entry import must_be_ours
from loudspeaker.web.fault_words import FAULT_WORDS
from loudspeaker.web.i18n import marked
from loudspeaker.web.page import render, sentences, translator_of

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]
Photo = Annotated[UploadFile | None, File()]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=64)]

KINDS = (FaultKind.NO_SOUND, FaultKind.NOISE, FaultKind.WRONG_CONTENT, FaultKind.DAMAGE)
TICKET_WORDS = {"open": marked("Sent. Nobody has taken it yet."), "taken": marked("A technician has taken it."),
                "closed": marked("Done.")}
AIRING_WORDS = {
    PlaybackState.PLAYING: marked("on air"), PlaybackState.PLAYED: marked("played"),
    PlaybackState.PARTIAL: marked("played in part"), PlaybackState.MISSED: marked("not played"),
    PlaybackState.UNKNOWN: marked("not known"), PlaybackState.AWAITING: marked("waiting for the node to report")}


@dataclass(frozen=True)
class Sent:
    """What came with a report."""

    kind: str
    note: str
    key: str
    photo: UploadFile | None


@router.get("/l/{token}")
def personal_link(token: str, request: Request, house: HouseDep, session: Reading, now: Now) -> Response:
    """A personal link: the phone remembers it, and goes to the village's page."""
    found = by_link(session, token, now)
    if found is None:
        return _closed(request, session, marked("This link is no longer valid."))
    response = RedirectResponse("/village", 303)
    remember_link(response, house.settings, token)
    return response


@router.get("/village")
def village_page(request: Request, house: HouseDep, session: Reading, now: Now, found: MaybeSignedIn) -> Response:
    """The village today."""
    if found is None:
        return _closed(request, session, marked("This phone is not known here."))
    if not found.actor.paths(*VILLAGERS):
        return _elsewhere(request, session, found.actor)
    page = village(session, found.actor, now, ZoneInfo(house.settings.zone))
    return render(request, "village.html", page=page, phone=page.phone, person=found.actor.user.name, now=now,
                  fault_words=FAULT_WORDS, ticket_words=TICKET_WORDS, airing_words=AIRING_WORDS)


@router.get("/village/report")
def report_page(request: Request, session: Reading, house: HouseDep, now: Now, found: MaybeSignedIn,
                node: str = "") -> Response:
    """The form for one of the village's loudspeakers, or the choice among them."""
    if found is None:
        return _closed(request, session, marked("This phone is not known here."))
    if not found.actor.paths(*VILLAGERS):
        return _elsewhere(request, session, found.actor)
    page = village(session, found.actor, now, ZoneInfo(house.settings.zone))
    nodes = [one for one, _ in page.nodes]
    chosen = next((one for one in nodes if one.id == node), nodes[0] if len(nodes) == 1 else None)
    if chosen is None and nodes and node != "none":
        return render(request, "report_choose.html", nodes=nodes, places=page.places, phone=page.phone)
    return _form(request, session, found, chosen, page.places[0], "/village/report")


@router.post("/village/report")
def take_village_report(request: Request, session: Work, house: HouseDep, now: Now, found: MaybeSignedIn,
                        node: Text = "", place: Text = "", kind: Text = "", note: Text = "",
                        idempotency_key: Text = "", photo: Photo = None, key: Key = None) -> Response:
    """A report of a village head."""
    if found is None:
        return _closed(request, session, marked("This phone is not known here."))
    about, where = session.get(Node, node) if node else None, tree.get(session, place) if place else None
    if node and about is None:
        raise NotFoundError
    sent = Sent(kind, note, key or idempotency_key, photo)
    return _take(request, session, house, now, found, about, where, sent, "/village/report")


@router.get("/village/reports/{fault_id}")
def own_report_page(fault_id: str, request: Request, session: Reading, found: MaybeSignedIn) -> Response:
    """A report of this person and what became of it."""
    if found is None:
        return _closed(request, session, marked("This phone is not known here."))
    ticket = own_ticket(session, found.actor, fault_id)
    back = "/village" if found.actor.paths(*VILLAGERS) else f"/s/{ticket.node.sticker}" if ticket.node else ""
    return _ticket(request, ticket, back)


@router.get("/s/{sticker}")
def sticker_page(sticker: str, request: Request, session: Reading, found: MaybeSignedIn) -> Response:
    """The form that the sticker on a pole opens: for its loudspeaker, with or without a personal link."""
    try:
        node = node_by_sticker(session, sticker)
    except NotFoundError:
        return _closed(request, session, marked("This loudspeaker is not in use any more."))
    return _form(request, session, found, node, tree.get(session, node.place_id), f"/s/{sticker}")


@router.post("/s/{sticker}")
def take_sticker_report(sticker: str, request: Request, session: Work, house: HouseDep, now: Now,
                        found: MaybeSignedIn, kind: Text = "", note: Text = "", idempotency_key: Text = "",
                        photo: Photo = None, key: Key = None) -> Response:
    """A report by the sticker; without a personal link it is public feedback."""
    must_be_ours(request)
    node = node_by_sticker(session, sticker)
    sent = Sent(kind, note, key or idempotency_key, photo)
    return _take(request, session, house, now, found, node, None, sent, f"/s/{sticker}")


@router.get("/s/{sticker}/{fault_id}")
def public_report_page(sticker: str, fault_id: str, request: Request, session: Reading) -> Response:
    """A public report and what became of it."""
    return _ticket(request, public_ticket(session, sticker, fault_id), f"/s/{sticker}")


def _take(request: Request, session: Session, house: HouseDep, now: Now, found: SignedIn | None, node: Node | None,
          place: Place | None, sent: Sent, action: str) -> Response:
    where = tree.get(session, node.place_id) if node else place
    person = _person_at(found, where)
    try:
        given = Report(_kind(sent.kind), node.id if node else None, where.id if where else None, sent.note,
                       sent.key or None)
        photo = sent.photo.file.read(LARGEST_BYTES + 1) if sent.photo else b""
        fault = take_report(session, house, person, now, given, photo)
    except LoudspeakerError as error:
        session.rollback()
        if _wants_json(request) or where is None:
            raise
        return _form(request, session, found, node, where, action, error, sent)
    location = f"/village/reports/{fault.id}" if person else f"{action}/{fault.id}"
    return JSONResponse({"location": location}) if _wants_json(request) else RedirectResponse(location, 303)


def _form(request: Request, session: Session, found: SignedIn | None, node: Node | None, place: Place, action: str,
          error: LoudspeakerError | None = None, sent: Sent | None = None) -> Response:
    hidden: Mapping[str, str] = {} if action.startswith("/s/") else {"node": node.id} if node else {"place": place.id}
    return render(
        request, "report.html", status_of(error) if error else 200, node=node, place=place, action=action,
        hidden=hidden, key=sent.key if sent and sent.key else new_id(),
        csrf=found.csrf or "" if found else "", phone=phone_of(session, place), public=not _person_at(found, place),
        error=sentences(translator_of(request), error) if error else "", note=sent.note if sent else "",
        chosen=sent.kind if sent else "")


def _ticket(request: Request, ticket: Ticket, back: str) -> Response:
    return render(request, "report_sent.html", ticket=ticket, back=back, phone=ticket.phone, fault_words=FAULT_WORDS,
                  ticket_words=TICKET_WORDS)


def _closed(request: Request, session: Session, words: str) -> Response:
    """A plain sentence and the telephone, where a link does not lead in."""
    return render(request, "link_closed.html", 403, title=words, phone=any_phone(session))


def _elsewhere(request: Request, session: Session, actor: Actor) -> Response:
    if {held.role for held in actor.roles} & STAFF:
        return RedirectResponse("/today", 303)
    return _closed(request, session, marked("Your account looks after no village."))


def _person_at(found: SignedIn | None, place: Place | None) -> Actor | None:
    """The person, where a report counts as theirs; else it is public feedback."""
    return found.actor if found and place and found.actor.may(place, REPORTERS) else None


def _kind(text: str) -> FaultKind:
    if text not in [kind.value for kind in KINDS]:
        raise InvalidError("Choose what is wrong.", field="kind")
    return FaultKind(text)


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")
