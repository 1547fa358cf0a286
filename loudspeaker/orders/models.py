"""What the server asks of nodes: running orders by version, commands with their answers, and the standing stop."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from loudspeaker.database import JsonColumn, UtcDateTime, new_id


class Order(SQLModel, table=True):
    """The newest running order of a node. Versions only grow."""

    __tablename__ = "running_order"
    node_id: str = Field(foreign_key="node.id", primary_key=True)
    epoch: int = Field(sa_type=BigInteger)
    version: int = Field(sa_type=BigInteger)
    content_hash: str
    """SHA-256 of what it asks for, without version and instants: a rebuild with the same hash is not sent."""
    envelope: bytes
    issued: datetime = Field(sa_type=UtcDateTime)
    expires: datetime = Field(sa_type=UtcDateTime)
    stop_generation: int = Field(default=0, sa_type=BigInteger)
    stop_active: bool = False


class CommandSent(SQLModel, table=True):
    """A signed command, kept for its answers and for nodes that ask again."""

    __tablename__ = "command_sent"
    id: str = Field(default_factory=new_id, primary_key=True)
    target: str
    """`node:<id>` or `group:<id>`."""
    kind: str
    envelope: bytes
    issued: datetime = Field(sa_type=UtcDateTime)
    expires: datetime = Field(sa_type=UtcDateTime, index=True)
    by: str | None = None


class CommandAnswer(SQLModel, table=True):
    """What a node's journal says it did with a command."""

    __tablename__ = "command_answer"
    command_id: str = Field(primary_key=True)
    node_id: str = Field(primary_key=True)
    result: str
    at: datetime = Field(sa_type=UtcDateTime)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JsonColumn)


class Stop(SQLModel, table=True):
    """A standing stop over a scope: while active, nothing airs there."""

    __tablename__ = "standing_stop"
    scope: str = Field(primary_key=True)
    """`all`, `place:<id>`, `zone:<id>` or `node:<id>`."""
    generation: int = Field(sa_type=BigInteger)
    """Milliseconds since 1970 of the act, so that a later act is always higher."""
    active: bool
    by: str | None = None
    at: datetime = Field(sa_type=UtcDateTime)
