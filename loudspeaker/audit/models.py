"""The audit log: append-only, hash-chained, one line for every act that changes something."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from loudspeaker.database import JsonColumn, UtcDateTime


class AuditEntry(SQLModel, table=True):
    """Who did what to what, when. `hash` covers the entry and the hash before it."""

    __tablename__ = "audit_entry"
    seq: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    actor_id: str | None = Field(default=None, index=True)
    """User id; absent when the system itself acted."""
    act: str = Field(index=True)
    subject: str = Field(index=True)
    """`<noun>:<id>`."""
    place_id: str | None = None
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JsonColumn)
    previous: str
    hash: str
