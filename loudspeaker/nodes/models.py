"""Nodes: one row per loudspeaker cluster, its current state, and its history in 5-minute buckets."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from loudspeaker.database import JsonColumn, UtcDateTime, new_id


class Node(SQLModel, table=True):
    """One addressable loudspeaker cluster. `id` is a topic level: a-z, 0-9 and hyphens."""

    __tablename__ = "node"
    id: str = Field(primary_key=True)
    place_id: str = Field(foreign_key="place.id", index=True)
    name: str
    location: str = ""
    latitude: float | None = None
    longitude: float | None = None
    languages: list[str] = Field(default_factory=list, sa_type=JsonColumn)
    """Empty: those of its place."""
    volume: int = 80
    public_key: str
    """Verifies its journal; the private half is only on the node. Empty until a controller has enrolled."""
    client_id: str = Field(unique=True)
    broker_secret: str
    """What the broker's configuration needs to check this node's password."""
    api_token_hash: str = Field(unique=True, index=True)
    credential: int = 0
    """Counts its credentials; part of its login at the broker."""
    renewal_asked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """New credentials wait for it to ask; cleared when it uses them."""
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Key and credentials count no more until a controller enrols anew."""
    sticker: str = Field(default_factory=new_id, unique=True, index=True)
    """Code on the QR sticker."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    retired_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    retired_by: str | None = None


class NodeState(SQLModel, table=True):
    """What is known of a node now; one upserted row."""

    __tablename__ = "node_state"
    node_id: str = Field(foreign_key="node.id", primary_key=True)
    online: bool = False
    changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Since when it is online or offline."""
    seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    left_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When its last will came; cleared by its next word."""
    boot: str = ""
    connection: int = Field(default=0, sa_type=BigInteger)
    boots: dict[str, Any] = Field(default_factory=dict, sa_type=JsonColumn)
    """Of its last starts: the highest connection number, and since when each was the newest. Two machines under one
    identity show by a start that comes back."""
    firmware: str = ""
    held_epoch: int = Field(default=0, sa_type=BigInteger)
    held_version: int = Field(default=0, sa_type=BigInteger)
    held_root: int = Field(default=0, sa_type=BigInteger)
    held_approvers: int = Field(default=0, sa_type=BigInteger)
    held_policies: str = ""
    held_stop: int = Field(default=0, sa_type=BigInteger)
    held_log_size: int = Field(default=0, sa_type=BigInteger)
    """Entries of the transparency log under the head that the node carries, as of its last hello."""
    held_log_root: str = ""
    journal_id: str = ""
    last_seq: int = Field(default=0, sa_type=BigInteger)
    playing: str | None = None
    """Broadcast id."""
    time_state: str = "untrusted"
    offset_ms: float | None = None
    error_ms: float | None = None
    telemetry: dict[str, Any] = Field(default_factory=dict, sa_type=JsonColumn)


class EnrolmentToken(SQLModel, table=True):
    """A single-use word that lets one controller become a node. Only its hash is kept."""

    __tablename__ = "enrolment_token"
    id: str = Field(default_factory=new_id, primary_key=True)
    node_id: str = Field(foreign_key="node.id", index=True)
    secret_hash: str = Field(unique=True, index=True)
    made_at: datetime = Field(sa_type=UtcDateTime)
    made_by: str
    expires_at: datetime = Field(sa_type=UtcDateTime)
    cancelled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    used_key: str = ""
    """The public key that came with it first; no other may follow."""
    used_from: str = ""
    """Network address."""


class NextCredentials(SQLModel, table=True):
    """Credentials that a node was given and has not used yet; the former ones hold beside them for a while."""

    __tablename__ = "next_credentials"
    node_id: str = Field(foreign_key="node.id", primary_key=True)
    credential: int
    client_id: str = Field(unique=True)
    broker_secret: str
    api_token_hash: str = Field(unique=True, index=True)
    made_at: datetime = Field(sa_type=UtcDateTime)


class NodeHistory(SQLModel, table=True):
    """Five minutes of a node's life."""

    __tablename__ = "node_history"
    node_id: str = Field(foreign_key="node.id", primary_key=True)
    bucket: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    heartbeats: int = 0
    offset_ms: float | None = None
    cpu_c: float | None = None
    disk_free_mb: int | None = None
    signal_dbm: int | None = None


class HeldRecording(SQLModel, table=True):
    """A recording that a node's journal says is on its disk."""

    __tablename__ = "held_recording"
    node_id: str = Field(foreign_key="node.id", primary_key=True)
    sha256: str = Field(primary_key=True, index=True)
    stored_at: datetime = Field(sa_type=UtcDateTime)


class LinkBudget(SQLModel, table=True):
    """What the links of a place (and everything below it) or of one node may be used for; the nearest one counts."""

    __tablename__ = "link_budget"
    scope: str = Field(primary_key=True)
    """`place:<id>` or `node:<id>`."""
    mb_a_day: int | None = None
    """Megabytes of recordings on one day; None is no limit."""
    hours: list[list[str]] = Field(default_factory=list, sa_type=JsonColumn)
    """`[["22:00", "04:30"], …]`: when recordings may be fetched; empty is always."""
