"""Faults: the board, and one fault from being reported to being closed with a reason."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Response

from loudspeaker.conductor.fault_pages import fault_board, fault_page
from loudspeaker.database import after_commit
from loudspeaker.faults import service
from loudspeaker.faults.models import Fault, FaultKind
from loudspeaker.nodes.service import node_to_see
from loudspeaker.places.service import places_seen_by
from loudspeaker.web.fault_words import FAULT_SOURCES, FAULT_STATES, FAULT_WORDS
from loudspeaker.web.node_words import refusal_words
from loudspeaker.web.page import ActingDesk, Desk, ReadingDesk

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]


@router.get("/faults")
def board_page(desk: ReadingDesk, place: str = "", node: str = "") -> Response:
    """The board."""
    return _board(desk, "faults.html", place, node)


@router.get("/faults/live")
def board_live(desk: ReadingDesk, place: str = "", node: str = "") -> Response:
    """The columns, which are refreshed when something changes."""
    return _board(desk, "faults_live.html", place, node)


@router.get("/faults/{fault_id}")
def one_fault_page(desk: ReadingDesk, fault_id: str) -> Response:
    """One fault."""
    return _fault(desk, fault_id)


@router.post("/faults/{fault_id}/take")
def take(desk: ActingDesk, fault_id: str) -> Response:
    """Take it on oneself."""
    with desk.trying():
        service.take(desk.session, desk.actor, desk.now, fault_id)
        _announce(desk)
        return desk.to(f"/faults/{fault_id}", "The fault is yours now.")
    return _fault(desk, fault_id)


@router.post("/faults/{fault_id}/note")
def note(desk: ActingDesk, fault_id: str, text: Text = "") -> Response:
    """Write a line into its history."""
    with desk.trying():
        service.add_note(desk.session, desk.actor, desk.now, fault_id, text)
        _announce(desk)
        return desk.to(f"/faults/{fault_id}", "The line was added.")
    return _fault(desk, fault_id, text=text)


@router.post("/faults/{fault_id}/close")
def close(desk: ActingDesk, fault_id: str, reason: Text = "") -> Response:
    """Close it, with a reason."""
    with desk.trying():
        service.close(desk.session, desk.actor, desk.now, fault_id, reason)
        _announce(desk)
        return desk.to("/faults", "The fault is closed.")
    return _fault(desk, fault_id, reason=reason)


def _board(desk: Desk, template: str, place: str, node: str) -> Response:
    return desk.show(
        template, "faults", board=fault_board(desk.session, desk.actor, desk.now, place or None, node or None),
        places=places_seen_by(desk.session, desk.actor), chosen_place=place, chosen_node=node,
        node=node_to_see(desk.session, desk.actor, node) if node else None, fault_words=FAULT_WORDS,
        sources=FAULT_SOURCES, evidence=_evidence(desk), tone_of=tone_of)


def _fault(desk: Desk, fault_id: str, text: str = "", reason: str = "") -> Response:
    return desk.show(
        "fault.html", "faults", page=fault_page(desk.session, desk.actor, fault_id), fault_words=FAULT_WORDS,
        states=FAULT_STATES, sources=FAULT_SOURCES, evidence=_evidence(desk), tone_of=tone_of, text=text,
        reason=reason, last_at=_last_at)


def tone_of(fault: Fault) -> str:
    """Fault: a pole is silent, or somebody attacks. Warn: it still speaks."""
    grave = (FaultKind.OFFLINE, FaultKind.BROKER, FaultKind.SECURITY, FaultKind.NO_SOUND)
    return "fault" if fault.kind in grave else "warn"


def _evidence(desk: Desk) -> Callable[[Fault], str]:
    """What the system saw, in words; what a person wrote."""
    def said(fault: Fault) -> str:
        if fault.note:
            return fault.note
        if fault.kind == FaultKind.OFFLINE and fault.node_id is None:  # a whole place is silent
            return desk.t.gettext("All %(n)s loudspeakers of this place are silent.", n=fault.data.get("detail", ""))
        reason = fault.data.get("reason")
        return refusal_words(desk.t, reason) if reason else ""

    return said


def _last_at(fault: Fault) -> datetime | None:
    told = fault.data.get("last_at")
    return datetime.fromisoformat(told) if isinstance(told, str) else None


def _announce(desk: Desk) -> None:
    after_commit(desk.session, lambda: desk.house.hub.announce("faults"))
