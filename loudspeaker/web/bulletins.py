"""Bulletins: the list, writing one, and one with its recordings and everything that was decided about it."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Query, Response

from loudspeaker.approvals import service as approvals
from loudspeaker.approvals.second_listening import to_hear
from loudspeaker.bulletins import recordings, service
from loudspeaker.bulletins.audio_words import words_for
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.bulletins.service import BulletinText, Wanted
from loudspeaker.conductor.bulletin_pages import BulletinLine, bulletin_list, bulletin_view
from loudspeaker.conductor.speaking import speak_bulletin
from loudspeaker.database import after_commit
from loudspeaker.errors import InvalidError
from loudspeaker.places.service import places_seen_by
from loudspeaker.users.models import Role
from loudspeaker.web.confirmation import confirms
from loudspeaker.web.content_words import (
    CLASS_WORDS,
    DECISION_WORDS,
    KIND_WORDS,
    NO_RECORDING,
    STATE_WORDS,
    STEP_WORDS,
    VOICE_WORDS,
    Tone,
    language_of,
)
from loudspeaker.web.i18n import marked
from loudspeaker.web.page import ActingDesk, Desk, ReadingDesk

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]
REVOKE_WORD = marked("REVOKE")


@router.get("/bulletins")
@router.get("/bulletins/live")
def bulletins_page(desk: ReadingDesk, q: Annotated[str, Query(max_length=200)] = "", kind: str = "", state: str = "",
                   place: str = "", archived: bool = False,
                   page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> Response:
    """The list, searched and narrowed; below `/live` the part that is refreshed when something changes."""
    wanted = Wanted(q, kind or None, state or None, place or None, archived)
    url = desk.request.url
    return desk.show(
        "bulletins_live.html" if url.path.endswith("/live") else "bulletins.html", "bulletins",
        found=bulletin_list(desk.session, desk.actor, wanted, page), wanted=wanted, page=page, state_of=state_of,
        live=f"/bulletins/live?{url.query}", to_hear=len(to_hear(desk.session, desk.actor)),
        places=places_seen_by(desk.session, desk.actor),
        narrowed=bool(q or kind or state or place or archived), may_write=bool(desk.actor.paths(Role.EDITOR)),
        **_words())


@router.get("/bulletins/new")
def new_bulletin_page(desk: ReadingDesk) -> Response:
    """The empty form."""
    return _form(desk, None, {"kind": "news", "air_class": "0"})


@router.post("/bulletins/new")
def take_new_bulletin(desk: ActingDesk, place_id: Text = "", title: Text = "", kind: Text = "", section: Text = "",
                      air_class: Text = "0", script: Text = "") -> Response:
    """Write a bulletin."""
    with desk.trying():
        made = service.create_bulletin(desk.session, desk.actor, desk.now, place_id,
                                       _text(title, kind, section, air_class, script))
        return desk.to(f"/bulletins/{made.id}", "The bulletin is written. Now give it its sound.")
    return _form(desk, None, {"place_id": place_id, "title": title, "kind": kind, "section": section,
                              "air_class": air_class, "script": script})


@router.get("/bulletins/{bulletin_id}")
def bulletin_page(desk: ReadingDesk, bulletin_id: str) -> Response:
    """One bulletin."""
    return _page(desk, bulletin_id)


@router.get("/bulletins/{bulletin_id}/edit")
def edit_bulletin_page(desk: ReadingDesk, bulletin_id: str) -> Response:
    """The form of a bulletin that exists."""
    one = service.bulletin_seen_by(desk.session, desk.actor, bulletin_id)
    return _form(desk, bulletin_id, {"place_id": one.place_id, "title": one.title, "kind": one.kind,
                                     "section": one.section, "air_class": str(one.air_class), "script": one.script})


@router.post("/bulletins/{bulletin_id}/edit")
def take_bulletin(desk: ActingDesk, bulletin_id: str, title: Text = "", kind: Text = "", section: Text = "",
                  air_class: Text = "0", script: Text = "") -> Response:
    """Change what is written."""
    with desk.trying():
        service.change_bulletin(desk.session, desk.actor, desk.now, bulletin_id,
                                _text(title, kind, section, air_class, script))
        return desk.to(f"/bulletins/{bulletin_id}", "The bulletin was changed.")
    return _form(desk, bulletin_id, {"place_id": "", "title": title, "kind": kind, "section": section,
                                     "air_class": air_class, "script": script})


@router.post("/bulletins/{bulletin_id}/speak")
def take_speech(desk: ActingDesk, bulletin_id: str, text: Text = "", voice: Text = "vi", chime: Text = "") -> Response:
    """Have the machine speak the script."""
    with desk.trying():
        speak_bulletin(desk.session, desk.house, desk.actor, desk.now, bulletin_id, text=text, voice=voice,
                       with_chime=bool(chime))
        return desk.to(f"/bulletins/{bulletin_id}", "The machine speaks the text now; you may leave this page.")
    return _page(desk, bulletin_id, {"text": text, "voice": voice})


@router.post("/bulletins/{bulletin_id}/archive")
def archive_bulletin(desk: ActingDesk, bulletin_id: str) -> Response:
    """Put a bulletin away."""
    with desk.trying():
        service.archive_bulletin(desk.session, desk.actor, desk.now, bulletin_id)
        after_commit(desk.session, lambda: desk.house.hub.announce("recordings"))
        return desk.to(f"/bulletins/{bulletin_id}", "The bulletin was put away. What is scheduled of it still airs.")
    return _page(desk, bulletin_id)


@router.post("/bulletins/{bulletin_id}/bring-back")
def bring_back_bulletin(desk: ActingDesk, bulletin_id: str) -> Response:
    """Take a bulletin that was put away back into the list."""
    with desk.trying():
        service.bring_back_bulletin(desk.session, desk.actor, desk.now, bulletin_id)
        after_commit(desk.session, lambda: desk.house.hub.announce("recordings"))
        return desk.to(f"/bulletins/{bulletin_id}", "The bulletin is in the list again.")
    return _page(desk, bulletin_id)


@router.post("/bulletins/{bulletin_id}/recordings/{recording_id}/retry")
def retry_recording(desk: ActingDesk, bulletin_id: str, recording_id: str) -> Response:
    """Process once more what failed for no fault of its own."""
    with desk.trying():
        recordings.retry(desk.session, desk.actor, desk.now, recording_id, desk.house.settings.processing_seconds)
        after_commit(desk.session, lambda: desk.house.processing.take(recording_id))
        after_commit(desk.session, lambda: desk.house.hub.announce("recordings"))
        return desk.to(f"/bulletins/{bulletin_id}", "The recording is being prepared once more.")
    return _page(desk, bulletin_id)


@router.post("/bulletins/{bulletin_id}/recordings/{recording_id}/cancel")
def cancel_recording(desk: ActingDesk, bulletin_id: str, recording_id: str) -> Response:
    """Stop preparing it."""
    with desk.trying():
        recordings.cancel(desk.session, desk.actor, desk.now, recording_id)
        after_commit(desk.session, lambda: desk.house.processing.drop(recording_id))
        after_commit(desk.session, lambda: desk.house.hub.announce("recordings"))
        return desk.to(f"/bulletins/{bulletin_id}", "Preparing the recording was stopped.", "warn")
    return _page(desk, bulletin_id)


@router.post("/bulletins/{bulletin_id}/recordings/{recording_id}/revoke")
def revoke_recording(desk: ActingDesk, bulletin_id: str, recording_id: str, reason: Text = "",
                     confirmation: Text = "") -> Response:
    """Let an approved recording air no more."""
    with desk.trying():
        if not confirms(confirmation, desk.t.gettext(REVOKE_WORD)):
            raise InvalidError("Type the word to confirm that this recording is to air no more.", field="confirmation")
        approvals.revoke(desk.session, desk.actor, desk.now, recording_id, reason)
        after_commit(desk.session, desk.house.outdated)
        after_commit(desk.session, lambda: desk.house.hub.announce("recordings", "programmes"))
        return desk.to(f"/bulletins/{bulletin_id}",
                       "The recording is revoked. Below you see which loudspeakers still hold it.", "warn")
    return _page(desk, bulletin_id)


def state_of(line: BulletinLine) -> list[tuple[Tone, str, int]]:
    """The states of a bulletin's recordings as tone, word (message id) and count; those that want attention first."""
    if not line.recordings:
        return [(*NO_RECORDING, 1)]
    counts = {state: sum(one.state == state for one in line.recordings) for state in _ATTENTION}
    shown = [state for state in _ATTENTION if counts[state]]
    live = [state for state in shown if state not in _PAST]
    return [(*STATE_WORDS[state], counts[state]) for state in live or shown[:1]]


def failure_of(recording: Recording) -> tuple[str, str, Mapping[str, object]] | None:
    """Why a recording could not be prepared and what to do, with what fills the sentences."""
    if recording.state != RecordingState.FAILED or recording.error_code is None:
        return None
    words = words_for(recording.error_code, recording.error_params, spoken=bool(recording.voice))
    return words.title, words.advice, words.params


_ATTENTION = (RecordingState.READY, RecordingState.RETURNED, RecordingState.PROCESSING, RecordingState.APPROVED,
              RecordingState.FAILED, RecordingState.REVOKED)
_PAST = (RecordingState.FAILED, RecordingState.REVOKED)


def _page(desk: Desk, bulletin_id: str, spoken: Mapping[str, str] | None = None) -> Response:
    view = bulletin_view(desk.session, desk.actor, desk.now, bulletin_id)
    names = {one: language_of(desk.t, one) for one in dict.fromkeys([*view.place.languages, "vi"])}
    return desk.show(
        "bulletin.html", "bulletins", view=view, failure_of=failure_of, decision_words=DECISION_WORDS,
        step_words=STEP_WORDS, voice_words=VOICE_WORDS, revoke_word=REVOKE_WORD, languages=names, spoken=spoken or {},
        language_of=lambda code: language_of(desk.t, code), **_words())


def _form(desk: Desk, bulletin_id: str | None, typed: Mapping[str, str]) -> Response:
    writes = [one for one in places_seen_by(desk.session, desk.actor) if desk.actor.may(one, [Role.EDITOR])]
    return desk.show("bulletin_form.html", "bulletins", bulletin_id=bulletin_id, typed=typed, places=writes, **_words())


def _words() -> dict[str, object]:
    return {"kind_words": KIND_WORDS, "class_words": CLASS_WORDS, "state_words": STATE_WORDS}


def _text(title: str, kind: str, section: str, air_class: str, script: str) -> BulletinText:
    return BulletinText(title, kind, section, int(air_class) if air_class in ("0", "1", "2") else -1, script)
