"""Second listening: who speaks a recording's language hears it and tells in Vietnamese what it says."""

from typing import Annotated

from fastapi import APIRouter, Form, Response

from loudspeaker.approvals import second_listening
from loudspeaker.database import after_commit
from loudspeaker.web.content_words import language_of
from loudspeaker.web.page import ActingDesk, Desk, ReadingDesk

router = APIRouter(include_in_schema=False)


@router.get("/second-listening")
def second_listening_page(desk: ReadingDesk) -> Response:
    """What waits for this person's ear."""
    return desk.show("second_listening.html", "bulletins", waiting=second_listening.to_hear(desk.session, desk.actor),
                     spoken=desk.actor.user.languages, language_of=lambda code: language_of(desk.t, code))


@router.get("/second-listening/{recording_id}")
def second_listening_sheet(desk: ReadingDesk, recording_id: str) -> Response:
    """One recording to hear, and the words of what it says."""
    return _sheet(desk, recording_id, "")


@router.post("/second-listening/{recording_id}")
def take_second_listening(desk: ActingDesk, recording_id: str, says: Annotated[str, Form()] = "") -> Response:
    """Confirm what it says."""
    with desk.trying():
        second_listening.confirm(desk.session, desk.actor, desk.now, recording_id, says)
        after_commit(desk.session, lambda: desk.house.hub.announce("recordings"))
        return desk.to("/second-listening", "Thank you. The approvers can now read what the recording says.")
    return _sheet(desk, recording_id, says)


def _sheet(desk: Desk, recording_id: str, says: str) -> Response:
    found = [one for one in second_listening.to_hear(desk.session, desk.actor) if one.recording.id == recording_id]
    if not found:
        return desk.to("/second-listening", "This recording does not wait for a second listener any more.", "warn")
    return desk.show("second_listening_sheet.html", "bulletins", one=found[0], says=says,
                     language_of=lambda code: language_of(desk.t, code))
