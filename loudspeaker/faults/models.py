"""Faults: defects found by the system or reported by people, open until closed with a reason."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Field, SQLModel

from loudspeaker.database import JsonColumn, UtcDateTime, new_id


class FaultKind(StrEnum):
    """What is wrong."""

    OFFLINE = "offline"
    BROKER = "broker"
    SPARE_BROKER = "spare_broker"
    """One of several brokers is away; the others carry on."""
    SECURITY = "security"
    NO_SOUND = "no_sound"
    NOISE = "noise"
    WRONG_CONTENT = "wrong_content"
    DAMAGE = "damage"
    OTHER = "other"


class FaultState(StrEnum):
    """Open, taken by somebody, or closed."""

    OPEN = "open"
    TAKEN = "taken"
    CLOSED = "closed"


class Source(StrEnum):
    """Who found it. Public feedback alarms nobody."""

    SYSTEM = "system"
    PERSON = "person"
    PUBLIC = "public"


class Fault(SQLModel, table=True):
    """One fault ticket."""

    __tablename__ = "fault"
    id: str = Field(default_factory=new_id, primary_key=True)
    kind: str = Field(index=True)
    source: str
    node_id: str | None = Field(default=None, foreign_key="node.id", index=True)
    place_id: str = Field(foreign_key="place.id", index=True)
    state: str = Field(default=FaultState.OPEN, index=True)
    note: str = ""
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JsonColumn)
    reporter_id: str | None = None
    idempotency_key: str | None = Field(default=None, unique=True)
    """Made by the phone, so that a report sent twice is one fault."""
    opened_at: datetime = Field(sa_type=UtcDateTime, index=True)
    owner_id: str | None = None
    taken_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_by: str | None = None
    """None when the system saw that it is over."""
    close_reason: str = ""


class FaultPhoto(SQLModel, table=True):
    """A photo of a fault; its bytes lie in `<data>/photos/<id>.jpg`, re-encoded metadata-free by the phone."""

    __tablename__ = "fault_photo"
    id: str = Field(default_factory=new_id, primary_key=True)
    fault_id: str = Field(foreign_key="fault.id", index=True)
    media_type: str
    size_bytes: int
    at: datetime = Field(sa_type=UtcDateTime)


class FaultNote(SQLModel, table=True):
    """A line in a fault's history."""

    __tablename__ = "fault_note"
    id: str = Field(default_factory=new_id, primary_key=True)
    fault_id: str = Field(foreign_key="fault.id", index=True)
    at: datetime = Field(sa_type=UtcDateTime)
    user_id: str | None = None
    text: str
