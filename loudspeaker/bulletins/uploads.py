"""Resumable uploads: the rows that say what has arrived for good.

The bytes themselves are written by `conductor/uploading.py`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from loudspeaker.audit import service as audit
from loudspeaker.bulletins import recordings
from loudspeaker.bulletins.models import Recording, RecordingState, Upload
from loudspeaker.bulletins.service import editable_bulletin
from loudspeaker.errors import ConflictError, InvalidError, NotFoundError, TooLargeError
from loudspeaker.users.access import Actor

OPEN_AT_ONCE = 20
"""Unfinished uploads that one person may have under way."""
UNDER_WAY = timedelta(hours=1)
"""An upload that was silent for longer can still be resumed, but no room is kept for it."""
PART_FOLDER = "uploads"


@dataclass(frozen=True)
class Announced:
    """What a client says about the file it is about to send; `filename` is only ever a label."""

    bulletin_id: str
    length: int
    filename: str
    language: str = "vi"
    with_chime: bool = True


def open_upload(session: Session, actor: Actor, now: datetime, announced: Announced, *, limit_bytes: int,
                hours: float) -> Upload:
    """A place for a file of `announced.length` bytes. Raises InvalidError, TooLargeError, ConflictError."""
    bulletin = editable_bulletin(session, actor, announced.bulletin_id)
    if announced.length <= 0:
        raise InvalidError("The file is empty.", field="file", advice="Choose the file again, or record it once more.",
                           code="empty_file")
    if announced.length > limit_bytes:
        raise TooLargeError("The file is too large: at most %(limit)s MB are taken.", limit=limit_bytes // 1024**2,
                            advice="Save the sound as MP3 and upload that; an hour of speech then fits in 60 MB.")
    open_now = select(Upload.id).where(Upload.user_id == actor.user.id, col(Upload.recording_id).is_(None),
                                       Upload.expires_at > now + timedelta(hours=hours) - UNDER_WAY)
    if len(session.exec(open_now).all()) >= OPEN_AT_ONCE:
        raise ConflictError("Too many uploads are open at once.", advice="Finish or cancel some of them first.")
    upload = Upload(bulletin_id=bulletin.id, user_id=actor.user.id, filename=label(announced.filename),
                    language=recordings.checked_language(announced.language), with_chime=announced.with_chime,
                    length=announced.length, created_at=now, expires_at=now + timedelta(hours=hours))
    session.add(upload)
    session.flush()
    audit.record(session, now, actor.user.id, "upload.started", f"upload:{upload.id}", bulletin.place_id,
                 bulletin=bulletin.id, bytes=upload.length, name=upload.filename)
    return upload


def own_upload(session: Session, actor: Actor, upload_id: str, now: datetime) -> Upload:
    """An upload of this person that has not expired. Raises NotFoundError."""
    upload = session.get(Upload, upload_id)
    if upload is None or upload.user_id != actor.user.id or upload.expires_at <= now:
        raise NotFoundError("This upload does not exist any more.", advice="Start the upload again.",
                            kept="The bulletin was kept.")
    return upload


def note_received(session: Session, upload_id: str, received: int, expires_at: datetime) -> None:
    """So many bytes are on the disk for good. Raises NotFoundError when the upload was ended meanwhile."""
    upload = session.get(Upload, upload_id)
    if upload is None:
        raise NotFoundError("This upload does not exist any more.", advice="Start the upload again.")
    upload.received, upload.expires_at = received, expires_at
    session.add(upload)


def complete(session: Session, actor: Actor, now: datetime, upload_id: str, seconds: float) -> Recording:
    """The file is whole: a recording to be processed within `seconds`. A second call returns the same recording."""
    upload = own_upload(session, actor, upload_id, now)
    if upload.recording_id is not None:
        return session.get_one(Recording, upload.recording_id)
    recording = recordings.add_recording(
        session, actor, now, upload.bulletin_id, language=upload.language, source_name=upload.filename,
        source_path=part_path(upload.id), with_chime=upload.with_chime, seconds=seconds)
    upload.received, upload.recording_id = upload.length, recording.id
    session.add(upload)
    session.flush()
    return recording


def end_upload(session: Session, actor: Actor, now: datetime, upload_id: str) -> str | None:
    """Give an upload up; the path (below the data folder) of what is to be removed, None once it is a recording."""
    upload = own_upload(session, actor, upload_id, now)
    path = None if upload.recording_id else part_path(upload.id)
    session.delete(upload)
    session.flush()
    audit.record(session, now, actor.user.id, "upload.ended", f"upload:{upload.id}", received=upload.received)
    return path


def coming_bytes(session: Session, now: datetime, hours: float) -> int:
    """Bytes that the uploads under way may still bring."""
    rows = session.exec(select(Upload.length, Upload.received).where(
        col(Upload.recording_id).is_(None), Upload.expires_at > now + timedelta(hours=hours) - UNDER_WAY))
    return sum(length - received for length, received in rows)


def forget_expired(session: Session, now: datetime, hours: float) -> int:
    """Drop expired uploads, and the originals of failures that nobody tried again; return how many.

    Their files are no longer in `wanted_paths`.
    """
    gone = list(session.exec(select(Upload).where(Upload.expires_at <= now)))
    for upload in gone:
        session.delete(upload)
    old = select(Recording).where(Recording.state == RecordingState.FAILED, Recording.source_path != "",
                                  col(Recording.decided_at) <= now - timedelta(hours=hours))
    left = list(session.exec(old))
    for recording in left:
        recording.source_path = ""
        session.add(recording)
    if gone or left:
        audit.record(session, now, None, "upload.expire", "upload:expired", uploads=len(gone), originals=len(left))
    return len(gone) + len(left)


def wanted_paths(session: Session) -> frozenset[str]:
    """Paths below the data folder that an open upload or a recording still needs."""
    sources = session.exec(select(Recording.source_path).where(Recording.source_path != ""))
    parts = session.exec(select(Upload.id).where(col(Upload.recording_id).is_(None)))
    return frozenset(sources) | {part_path(upload_id) for upload_id in parts}


def part_path(upload_id: str) -> str:
    """Where the bytes of an upload lie, below the data folder."""
    return f"{PART_FOLDER}/{upload_id}.part"


def label(filename: str) -> str:
    """A file's name as it is shown: no folders, no control letters, at most 200 letters. Never used as a path."""
    name = filename.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(one for one in name if one.isprintable()).strip()[:200] or "audio"
