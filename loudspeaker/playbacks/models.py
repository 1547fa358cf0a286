"""The as-run log: what each node did for each broadcast, and the journal entries that prove it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger
from sqlmodel import Field, Index, SQLModel

from loudspeaker.database import JsonColumn, UtcDateTime


class PlaybackState(StrEnum):
    """AWAITING until the node has spoken; the last four are terminal."""

    AWAITING = "awaiting"
    PLAYING = "playing"
    PLAYED = "played"
    PARTIAL = "partial"
    MISSED = "missed"
    UNKNOWN = "unknown"


TERMINAL = frozenset({PlaybackState.PLAYED, PlaybackState.PARTIAL, PlaybackState.MISSED, PlaybackState.UNKNOWN})


class Playback(SQLModel, table=True):
    """Exactly one row per (node, broadcast)."""

    __tablename__ = "playback"
    __table_args__ = (Index("ix_playback_node_start", "node_id", "start"),)
    node_id: str = Field(foreign_key="node.id", primary_key=True)
    broadcast_id: str = Field(foreign_key="broadcast.id", primary_key=True, index=True)
    start: datetime = Field(sa_type=UtcDateTime, index=True)
    state: str = Field(default=PlaybackState.AWAITING, index=True)
    reason: str | None = None
    planned_ms: int = 0
    heard_ms: int = 0
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    start_error_ms: float | None = None
    peak_dbfs: float | None = None
    rms_dbfs: float | None = None
    segments: list[dict[str, Any]] = Field(default_factory=list, sa_type=JsonColumn)
    journal_id: str | None = None
    seq: int | None = Field(default=None, sa_type=BigInteger)
    """Journal entry that closed it."""
    closed_by: str | None = None
    """User id when a person closed it (retired node)."""
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Since when the node is no longer asked for it: broadcast cancelled, or the node no longer a target."""
    updated_at: datetime = Field(sa_type=UtcDateTime)


class JournalEntry(SQLModel, table=True):
    """One line of a node's journal, stored once by its key however often it arrives."""

    __tablename__ = "journal_entry"
    node_id: str = Field(primary_key=True)
    journal_id: str = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    received_at: datetime = Field(sa_type=UtcDateTime)
    kind: str = Field(index=True)
    broadcast_id: str | None = Field(default=None, index=True)
    recording: str | None = None
    body: str
    """The exact text that the hash chain covers."""
    hash: str


class JournalMark(SQLModel, table=True):
    """Up to where a node's journal is stored without a gap."""

    __tablename__ = "journal_mark"
    node_id: str = Field(primary_key=True)
    journal_id: str = Field(primary_key=True)
    seq: int = Field(default=0, sa_type=BigInteger)
    hash: str
    at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Node time of the entry at `seq`."""
