"""Approval: the queue, the sheet on which several recordings are heard and signed at once, and sending back."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Response

from loudspeaker.approvals import service
from loudspeaker.approvals.second_listening import to_hear
from loudspeaker.conductor.approving import own_key, queue_of, recording_to_send_back
from loudspeaker.database import after_commit
from loudspeaker.users.models import Role
from loudspeaker.web.content_words import CLASS_WORDS, KIND_WORDS, language_of
from loudspeaker.web.page import ActingDesk, Desk, ReadingDesk

router = APIRouter(include_in_schema=False)


@router.get("/approve")
@router.get("/approve/live")
def approve_page(desk: ReadingDesk, signed: bool = False) -> Response:
    """What waits for this approver; below `/live` the part that is refreshed when something changes."""
    queue = queue_of(desk.session, desk.actor, desk.now)
    template = "approve_live.html" if desk.request.url.path.endswith("/live") else "approve.html"
    return desk.show(
        template, "approve", signed=signed, to_hear=len(to_hear(desk.session, desk.actor)),
        mine=[one for one in queue if one.mine],
        own=[one for one in queue if one.waiting.own], done=[one for one in queue if one.waiting.signed_by_me],
        **_about(desk))


@router.get("/approve/sheet")
def approve_sheet(desk: ReadingDesk, recording: Annotated[list[str] | None, Query(max_length=200)] = None) -> Response:
    """Recordings to hear and sign together: those chosen, or all that wait."""
    mine = [one for one in queue_of(desk.session, desk.actor, desk.now) if one.mine]
    chosen = [one for one in mine if not recording or one.recording.id in recording]
    if not chosen:
        return desk.to("/approve", "These recordings do not wait for you any more.", "warn")
    return desk.show("approve_sheet.html", "approve", chosen=chosen, **_about(desk))


@router.get("/approve/{recording_id}/send-back")
def send_back_page(desk: ReadingDesk, recording_id: str) -> Response:
    """Asks for the reason."""
    return _send_back_form(desk, recording_id, "")


@router.post("/approve/{recording_id}/send-back")
def take_send_back(desk: ActingDesk, recording_id: str, reason: Annotated[str, Form()] = "") -> Response:
    """Send a recording back to its author."""
    with desk.trying():
        service.send_back(desk.session, desk.actor, desk.now, recording_id, reason)
        after_commit(desk.session, lambda: desk.house.hub.announce("recordings"))
        return desk.to("/approve", "The recording was sent back; its author reads your reason.")
    return _send_back_form(desk, recording_id, reason)


def _send_back_form(desk: Desk, recording_id: str, reason: str) -> Response:
    recording, bulletin = recording_to_send_back(desk.session, desk.actor, recording_id)
    return desk.show("send_back.html", "approve", recording=recording, bulletin=bulletin, reason=reason)


def _about(desk: Desk) -> dict[str, object]:
    return {"key": own_key(desk.session, desk.actor, desk.now), "approves": bool(desk.actor.paths(Role.APPROVER)),
            "kind_words": KIND_WORDS, "class_words": CLASS_WORDS, "language_of": lambda code: language_of(desk.t, code)}
