"""Who leads: the one server that may write to this database."""

from datetime import datetime

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from loudspeaker.database import UtcDateTime


class Lease(SQLModel, table=True):
    """The leader's claim. There is at most one row."""

    __tablename__ = "server_lease"
    name: str = Field(primary_key=True)
    fence: int = Field(sa_type=BigInteger)
    """Grows with every new leader: who holds an older one writes no more."""
    host: str
    machine_boot: str
    """Differs after a reboot, so that a process number of before says nothing."""
    process: int
    taken_at: datetime = Field(sa_type=UtcDateTime)
    until: datetime = Field(sa_type=UtcDateTime)
