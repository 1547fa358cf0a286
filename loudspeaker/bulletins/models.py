"""Bulletins, the uploads that bring their sound, and the recordings made of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Field, SQLModel

from loudspeaker.database import JsonColumn, UtcDateTime, new_id


class BulletinKind(StrEnum):
    """What a bulletin is about; some kinds have rules of their own."""

    NEWS = "news"
    NOTICE = "notice"
    VILLAGE_NOTICE = "village_notice"
    ANSWER = "answer"
    VOTING_INFORMATION = "voting_information"
    CANDIDATE_LIST = "candidate_list"
    ELECTIONEERING = "electioneering"
    ENCOURAGEMENT = "encouragement"
    RESULT = "result"
    EMERGENCY = "emergency"
    MUSIC = "music"


class RecordingState(StrEnum):
    """Where a recording stands. PROCESSING always ends: done, failed, or timed out."""

    PROCESSING = "processing"
    FAILED = "failed"
    READY = "ready"
    """Waiting for approval."""
    APPROVED = "approved"
    RETURNED = "returned"
    REVOKED = "revoked"


class Bulletin(SQLModel, table=True):
    """A piece of content."""

    __tablename__ = "bulletin"
    id: str = Field(default_factory=new_id, primary_key=True)
    place_id: str = Field(foreign_key="place.id", index=True)
    title: str
    kind: str = BulletinKind.NEWS
    section: str = ""
    air_class: int = 0
    script: str = ""
    searchable: str = ""
    """Title, section and script, folded to plain lower-case letters."""
    author_id: str = Field(foreign_key="user_account.id", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    archived_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Upload(SQLModel, table=True):
    """A resumable upload (tus 1.0). Its bytes lie in `<data>/uploads/<id>.part` until they are whole."""

    __tablename__ = "upload"
    id: str = Field(default_factory=new_id, primary_key=True)
    bulletin_id: str = Field(foreign_key="bulletin.id", index=True)
    user_id: str = Field(foreign_key="user_account.id")
    filename: str
    language: str = "vi"
    with_chime: bool = True
    length: int
    received: int = 0
    recording_id: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)


class Recording(SQLModel, table=True):
    """One audio version of a bulletin. Once READY its rendition is never changed, only replaced by a new recording."""

    __tablename__ = "recording"
    id: str = Field(default_factory=new_id, primary_key=True)
    bulletin_id: str = Field(foreign_key="bulletin.id", index=True)
    language: str = "vi"
    author_id: str = Field(foreign_key="user_account.id")
    state: str = Field(default=RecordingState.PROCESSING, index=True)
    step: str = ""
    progress: float = 0.0
    deadline_at: datetime = Field(sa_type=UtcDateTime)
    """When PROCESSING is given up."""
    error_code: str | None = None
    error_params: dict[str, Any] = Field(default_factory=dict, sa_type=JsonColumn)
    source_name: str = ""
    source_path: str = ""
    """Where the uploaded original lies below `<data>`; emptied once it is processed."""
    with_chime: bool = True
    sha256: str | None = Field(default=None, index=True)
    size_bytes: int | None = None
    duration_ms: int | None = None
    integrated_lufs: float | None = None
    true_peak_dbtp: float | None = None
    waveform: bytes | None = None
    """Peaks 0–255, evenly spread over the duration."""
    voice: str = ""
    """Engine and voice when the sound was spoken by a machine."""
    statement: bytes | None = None
    """Exact payload that approvers sign, fixed when READY."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
