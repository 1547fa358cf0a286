"""Broadcasts: dated airings, from a programme, at once, or in an emergency."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Field, SQLModel

from loudspeaker.database import JsonColumn, UtcDateTime


class Origin(StrEnum):
    """Where a broadcast came from."""

    PROGRAMME = "programme"
    NOW = "now"
    EMERGENCY = "emergency"


class Broadcast(SQLModel, table=True):
    """One dated airing. Its nodes are its playback rows. `id` is stable across expansions."""

    __tablename__ = "broadcast"
    id: str = Field(primary_key=True)
    programme_id: str | None = Field(default=None, foreign_key="programme.id", index=True)
    place_id: str = Field(foreign_key="place.id", index=True)
    origin: str = Origin.PROGRAMME
    title: str
    start: datetime = Field(sa_type=UtcDateTime, index=True)
    latest_start: datetime = Field(sa_type=UtcDateTime)
    planned_end: datetime = Field(sa_type=UtcDateTime, index=True)
    air_class: int = 0
    volume: int = 80
    languages: str = "first"
    items: list[dict[str, Any]] = Field(default_factory=list, sa_type=JsonColumn)
    """In order: {id, title, gap_ms, recordings: {language: {sha256, bytes, duration_ms}}}."""
    found_by: str = ""
    """Its title and those of its items, casefolded: databases know no capital letters of Vietnamese."""
    created_by: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    cancelled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cancelled_by: str | None = None
