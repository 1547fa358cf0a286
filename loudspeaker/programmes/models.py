"""Programmes: recordings in order, with targets and a recurrence."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from loudspeaker.database import JsonColumn, UtcDateTime, new_id


class TargetKind(StrEnum):
    """What a programme may be aimed at."""

    PLACE = "place"
    ZONE = "zone"
    NODE = "node"


class Programme(SQLModel, table=True):
    """A plan that expands into dated broadcasts."""

    __tablename__ = "programme"
    id: str = Field(default_factory=new_id, primary_key=True)
    place_id: str = Field(foreign_key="place.id", index=True)
    title: str
    air_class: int = 0
    volume: int = 80
    languages: str = "first"
    first_start: datetime = Field(sa_type=UtcDateTime)
    zone: str = "Asia/Ho_Chi_Minh"
    """Recurrence runs in wall time of this zone."""
    rrule: str | None = None
    """RFC 5545 RRULE value; None airs once."""
    exdates: list[str] = Field(default_factory=list, sa_type=JsonColumn)
    """Local dates (ISO) left out."""
    latest_start_s: int = 300
    """How many seconds late a broadcast may still begin."""
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    revision: int = 1
    cancelled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ProgrammeItem(SQLModel, table=True):
    """One place in a programme: which recording in which language, and the silence after it."""

    __tablename__ = "programme_item"
    programme_id: str = Field(foreign_key="programme.id", primary_key=True)
    position: int = Field(primary_key=True)
    recordings: dict[str, str] = Field(default_factory=dict, sa_type=JsonColumn)
    """Language → recording id."""
    gap_ms: int = 1000


class ProgrammeTarget(SQLModel, table=True):
    """A place, zone or node that the programme is aimed at."""

    __tablename__ = "programme_target"
    programme_id: str = Field(foreign_key="programme.id", primary_key=True)
    kind: str = Field(primary_key=True)
    target_id: str = Field(primary_key=True)
