"""Recordings: how processing goes, the sound itself, and what was heard of it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from loudspeaker.api.deps import CurrentActor, HouseDep, Now, Reading, Work
from loudspeaker.api.ranges import deliver
from loudspeaker.approvals import hearing
from loudspeaker.bulletins import recordings
from loudspeaker.bulletins.audio_words import words_for
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.conductor.house import House
from loudspeaker.database import after_commit
from loudspeaker.errors import NotFoundError, marked
from loudspeaker.places.models import Place
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role

router = APIRouter(prefix="/api/v1/recordings", tags=["recordings"])

CACHED = "private, max-age=3600"
FILE_KEPT = marked("The uploaded file was kept.")
BULLETIN_KEPT = marked("The bulletin was kept.")


class FailureOut(BaseModel):
    """Why processing failed, in the reader's language."""

    code: str
    title: str
    what_was_kept: str
    what_to_do: str


class RecordingOut(BaseModel):
    """A recording as it is shown. `progress` is 0 to 1; loudness in LUFS and dBTP; `can_retry` after a failure."""

    id: str
    bulletin_id: str
    language: str
    author_id: str
    state: RecordingState
    step: str
    progress: float
    error: FailureOut | None
    can_retry: bool
    source_name: str
    with_chime: bool
    sha256: str | None
    size_bytes: int | None
    duration_ms: int | None
    integrated_lufs: float | None
    true_peak_dbtp: float | None
    voice: str
    created_at: datetime
    decided_at: datetime | None


class HeardIn(BaseModel):
    """Stretches that were heard, in ms of the recording, at which speed."""

    intervals: list[tuple[Annotated[int, Field(ge=0, le=86_400_000)], Annotated[int, Field(ge=0, le=86_400_000)]]] = (
        Field(max_length=hearing.MAX_INTERVALS))
    rate: float = Field(default=1.0, gt=0, le=16)


class HeardOut(BaseModel):
    """What the server holds as heard."""

    intervals: list[list[int]]
    heard_ms: int
    duration_ms: int
    complete: bool


@router.get("/{recording_id}")
def show(recording_id: str, actor: CurrentActor, session: Reading, request: Request) -> RecordingOut:
    """State, step, progress and, after a failure, the reason in words."""
    return recording_out(request, recordings.recording_seen_by(session, actor, recording_id)[0])


@router.post("/{recording_id}/retry")
def retry(recording_id: str, actor: CurrentActor, session: Work, now: Now, house: HouseDep,
          request: Request) -> RecordingOut:
    """Process once more what failed for no fault of its own."""
    recording = recordings.retry(session, actor, now, recording_id, house.settings.processing_seconds)
    after_commit(session, lambda: house.processing.take(recording_id))
    after_commit(session, lambda: house.hub.announce("recordings"))
    return recording_out(request, recording)


@router.post("/{recording_id}/cancel")
def cancel(recording_id: str, actor: CurrentActor, session: Work, now: Now, house: HouseDep,
           request: Request) -> RecordingOut:
    """Stop processing."""
    recording = recordings.cancel(session, actor, now, recording_id)
    after_commit(session, lambda: house.processing.drop(recording_id))
    after_commit(session, lambda: house.hub.announce("recordings"))
    return recording_out(request, recording)


@router.post("/{recording_id}/heard")
def heard(recording_id: str, given: HeardIn, actor: CurrentActor, session: Work, now: Now) -> HeardOut:
    """Add what a player says was heard; only as much as time allows counts."""
    noted, recording = hearing.note_heard(session, actor, now, recording_id, given.intervals, given.rate)
    return HeardOut(intervals=noted.intervals, heard_ms=hearing.total_ms(noted.intervals),
                    duration_ms=recording.duration_ms or 0, complete=noted.complete_at is not None)


@router.get("/{recording_id}/waveform")
def waveform(recording_id: str, actor: CurrentActor, session: Reading) -> Response:
    """Peaks 0–255, one byte each, evenly spread over the duration."""
    recording, _ = recordings.recording_seen_by(session, actor, recording_id)
    if recording.waveform is None:
        raise NotFoundError
    return Response(recording.waveform, media_type="application/octet-stream",
                    headers={"Cache-Control": "private, max-age=86400"})


def _opened(recording_id: str, actor: CurrentActor, house: HouseDep, request: Request) -> str:
    """SHA-256 of a sound that the person may hear. For an approver of one that waits, time begins to count."""
    with house.database.read() as session:
        recording, bulletin = recordings.recording_seen_by(session, actor, recording_id)
        place = session.get_one(Place, bulletin.place_id)
    if recording.sha256 is None:
        raise NotFoundError
    if recording.state == RecordingState.READY and actor.may(place, [Role.APPROVER]) and request.method == "GET":
        _begin_hearing(house, actor, recording)
    return recording.sha256


@router.get("/{recording_id}/audio", response_class=Response)
async def audio(request: Request, house: HouseDep, sha256: Annotated[str, Depends(_opened)]) -> Response:
    """The sound (Ogg Opus), whole or by Range."""
    return await deliver(request, house.shelf, house.store, sha256, CACHED)


def recording_out(request: Request, recording: Recording) -> RecordingOut:
    """A recording for the reader of this request."""
    fields = recording.model_dump(include=set(RecordingOut.model_fields) - {"error", "can_retry"})
    return RecordingOut(**fields, error=_failure(request, recording),
                        can_retry=recording.state == RecordingState.FAILED and bool(recording.source_path))


def _failure(request: Request, recording: Recording) -> FailureOut | None:
    if recording.state != RecordingState.FAILED or recording.error_code is None:
        return None
    words = words_for(recording.error_code, recording.error_params, spoken=bool(recording.voice))
    say = request.app.state.say
    return FailureOut(code=recording.error_code, title=say(request, words.title, words.params),
                      what_was_kept=say(request, FILE_KEPT if recording.source_path else BULLETIN_KEPT, {}),
                      what_to_do=say(request, words.advice, words.params))


def _begin_hearing(house: House, actor: Actor, recording: Recording) -> None:
    with house.database.work() as session:
        hearing.open_hearing(session, actor, house.now(), recording)
