"""The public log of everything that was signed: append-only, a Merkle tree over its entries (RFC 6962)."""

from datetime import datetime

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from loudspeaker.database import UtcDateTime


class LoggedDocument(SQLModel, table=True):
    """One signed document as it entered the log. `position` counts from 0; the leaf is `envelope`'s exact bytes."""

    __tablename__ = "logged_document"
    position: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    payload_type: str
    envelope: bytes


class LoggedSubtree(SQLModel, table=True):
    """Hash of a full subtree: 2^`level` leaves from leaf `number` × 2^`level` on. Never changes once written."""

    __tablename__ = "logged_subtree"
    level: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    hash: bytes
