"""The trust documents of this site, by version."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from loudspeaker.database import UtcDateTime


class TrustKind(StrEnum):
    """Which document."""

    ROOT = "root"
    APPROVERS = "approvers"


class TrustDocument(SQLModel, table=True):
    """One signed version of the trust root or the approver list."""

    __tablename__ = "trust_document"
    kind: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    envelope: bytes
    made_at: datetime = Field(sa_type=UtcDateTime)


class Fact(SQLModel, table=True):
    """A single value that belongs to the installation: site id, order epoch."""

    __tablename__ = "fact"
    name: str = Field(primary_key=True)
    value: str
