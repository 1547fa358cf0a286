"""The life of a recording: it comes in, is made ready or fails with a reason, and waits for its approvers."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from firmware_bridge.contract.documents import AirClass, RecordingStatement
from loudspeaker.audit import service as audit
from loudspeaker.bulletins.models import Bulletin, Recording, RecordingState
from loudspeaker.bulletins.service import bulletin_seen_by, editable_bulletin
from loudspeaker.errors import ConflictError, InvalidError, NotFoundError
from loudspeaker.users.access import Actor

VALIDITY = timedelta(days=365)
"""How long an approval holds from the moment the recording is ready."""
WORTH_ANOTHER_TRY = frozenset({"cancelled", "disk_full", "engine_missing", "engine_stopped", "speech_failed",
                               "storage_failed", "timed_out"})
"""Failures that say nothing against the sound itself; the original is kept for a second try."""
LANGUAGE_LETTERS = range(2, 4)
SPOKEN_SUFFIX = ".txt"
"""An original with this ending is a text that this server wrote, to be spoken."""


@dataclass(frozen=True)
class Made:
    """What processing made of the original: measured on the encoded file, which is named by `sha256`."""

    sha256: str
    size_bytes: int
    duration_ms: int
    integrated_lufs: float
    true_peak_dbtp: float
    waveform: bytes
    voice: str = ""


def add_recording(session: Session, actor: Actor, now: datetime, bulletin_id: str, *, language: str, source_name: str,
                  source_path: str, with_chime: bool, seconds: float, voice: str = "") -> Recording:
    """A new recording of a bulletin, to be processed within `seconds`; `source_path` is below the data folder."""
    bulletin = editable_bulletin(session, actor, bulletin_id)
    recording = Recording(bulletin_id=bulletin.id, language=checked_language(language), author_id=actor.user.id,
                          step="queued", deadline_at=now + timedelta(seconds=seconds), source_name=source_name[:200],
                          source_path=source_path, with_chime=with_chime, voice=voice, created_at=now)
    bulletin.changed_at = now
    session.add_all([recording, bulletin])
    session.flush()
    audit.record(session, now, actor.user.id, "recording.add", f"recording:{recording.id}", bulletin.place_id,
                 bulletin=bulletin.id, language=recording.language, source=recording.source_name, voice=voice)
    return recording


def checked_language(language: str) -> str:
    """An ISO 639 code of two or three small letters. Raises InvalidError."""
    if len(language) not in LANGUAGE_LETTERS or not language.isascii() or not language.islower():
        raise InvalidError("Choose the language of the recording.", field="language")
    return language


def recording_seen_by(session: Session, actor: Actor, recording_id: str) -> tuple[Recording, Bulletin]:
    """A recording and its bulletin that this person may see. Raises NotFoundError otherwise."""
    recording = session.get(Recording, recording_id)
    if recording is None:
        raise NotFoundError
    return recording, bulletin_seen_by(session, actor, recording.bulletin_id)


def recordings_of(session: Session, bulletin_ids: list[str]) -> list[Recording]:
    """All recordings of these bulletins, newest first."""
    found = select(Recording).where(col(Recording.bulletin_id).in_(bulletin_ids))
    return list(session.exec(found.order_by(col(Recording.created_at).desc(), col(Recording.id))))


def unfinished(session: Session) -> list[Recording]:
    """Recordings in processing, oldest first."""
    found = select(Recording).where(Recording.state == RecordingState.PROCESSING)
    return list(session.exec(found.order_by(col(Recording.created_at))))


def note_progress(session: Session, recording_id: str, step: str, progress: float) -> None:
    """Where processing stands, 0 to 1; says nothing once it has ended."""
    recording = session.get(Recording, recording_id)
    if recording is not None and recording.state == RecordingState.PROCESSING:
        recording.step, recording.progress = step, max(recording.progress, min(1.0, progress))
        session.add(recording)


def make_ready(session: Session, now: datetime, site: str, recording_id: str, made: Made) -> bool:
    """The rendition is stored: fix the statement that approvers sign. False when it was cancelled meanwhile."""
    recording = session.get(Recording, recording_id)
    if recording is None or recording.state != RecordingState.PROCESSING:
        return False
    recording.state, recording.step, recording.progress = RecordingState.READY, "", 1.0
    recording.sha256, recording.size_bytes, recording.duration_ms = made.sha256, made.size_bytes, made.duration_ms
    recording.integrated_lufs, recording.true_peak_dbtp = made.integrated_lufs, made.true_peak_dbtp
    recording.waveform, recording.voice, recording.source_path = made.waveform, made.voice, ""
    bulletin = session.get_one(Bulletin, recording.bulletin_id)
    recording.statement = _statement(site, bulletin, recording, made, now).to_bytes()
    session.add(recording)
    audit.record(session, now, None, "recording.ready", f"recording:{recording.id}", bulletin.place_id,
                 sha256=made.sha256)
    return True


def fail(session: Session, now: datetime, recording_id: str, code: str, params: dict[str, Any]) -> Recording | None:
    """Processing ended badly, for the reason `code`; None when it had ended already.

    The original is kept (its path stays) only where another try may go better.
    """
    recording = session.get(Recording, recording_id)
    if recording is None or recording.state != RecordingState.PROCESSING:
        return None
    recording.state, recording.step = RecordingState.FAILED, ""
    recording.error_code, recording.error_params, recording.decided_at = code, params, now
    if code not in WORTH_ANOTHER_TRY:
        recording.source_path = ""
    session.add(recording)
    bulletin = session.get_one(Bulletin, recording.bulletin_id)
    audit.record(session, now, None, "recording.fail", f"recording:{recording.id}", bulletin.place_id, reason=code)
    return recording


def retry(session: Session, actor: Actor, now: datetime, recording_id: str, seconds: float) -> Recording:
    """Process once more what failed for no fault of its own. Raises ConflictError where the original is gone."""
    recording, bulletin = recording_seen_by(session, actor, recording_id)
    editable_bulletin(session, actor, bulletin.id)
    if recording.state != RecordingState.FAILED or not recording.source_path:
        raise ConflictError("This recording cannot be processed again.", advice="Upload the file once more.")
    recording.state, recording.step, recording.progress = RecordingState.PROCESSING, "queued", 0.0
    recording.error_code, recording.error_params, recording.decided_at = None, {}, None
    recording.deadline_at = now + timedelta(seconds=seconds)
    session.add(recording)
    session.flush()
    audit.record(session, now, actor.user.id, "recording.retry", f"recording:{recording.id}", bulletin.place_id)
    return recording


def cancel(session: Session, actor: Actor, now: datetime, recording_id: str) -> Recording:
    """Stop processing, at an editor's wish. Raises ConflictError when it has ended already."""
    recording, bulletin = recording_seen_by(session, actor, recording_id)
    editable_bulletin(session, actor, bulletin.id)
    if recording.state != RecordingState.PROCESSING:
        raise ConflictError("Processing has ended already.")
    audit.record(session, now, actor.user.id, "recording.cancel", f"recording:{recording.id}", bulletin.place_id)
    return fail(session, now, recording.id, "cancelled", {}) or recording


def _statement(site: str, bulletin: Bulletin, recording: Recording, made: Made, now: datetime) -> RecordingStatement:
    return RecordingStatement(
        site=site, place=bulletin.place_id, recording=made.sha256, bytes=made.size_bytes, duration_ms=made.duration_ms,
        language=recording.language, kind=bulletin.kind, air_class=AirClass(bulletin.air_class), bulletin=bulletin.id,
        title=bulletin.title, author=recording.author_id, issued=now, valid_from=now, valid_until=now + VALIDITY)
