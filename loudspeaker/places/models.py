"""Places: the tree of province, commune and village, named groups of nodes, and each place's signed policy."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel, UniqueConstraint

from loudspeaker.database import JsonColumn, UtcDateTime, new_id


class PlaceKind(StrEnum):
    """The level of a place; the tree has no fixed depth."""

    PROVINCE = "province"
    COMMUNE = "commune"
    VILLAGE = "village"


class Place(SQLModel, table=True):
    """One place. `path` is the ids from the top down to this one, joined and closed by `/`."""

    __tablename__ = "place"
    id: str = Field(default_factory=new_id, primary_key=True)
    parent_id: str | None = Field(default=None, foreign_key="place.id", index=True)
    path: str = Field(index=True)
    kind: str
    name: str
    identifier: str = ""
    """Electronic identifier (mã định danh điện tử)."""
    zone: str = "Asia/Ho_Chi_Minh"
    languages: list[str] = Field(default_factory=lambda: ["vi"], sa_type=JsonColumn)
    """Spoken here, in the order in which they are aired."""
    phone: str = ""
    """Whom a village head calls."""
    latitude: float | None = None
    longitude: float | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    archived_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    @property
    def path_ids(self) -> tuple[str, ...]:
        """Ids from the top place down to this one."""
        return tuple(self.path.strip("/").split("/"))


class Zone(SQLModel, table=True):
    """A named group of nodes of a place."""

    __tablename__ = "zone"
    __table_args__ = (UniqueConstraint("place_id", "name"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    place_id: str = Field(foreign_key="place.id", index=True)
    name: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class ZoneNode(SQLModel, table=True):
    """A node's membership in a zone."""

    __tablename__ = "zone_node"
    zone_id: str = Field(foreign_key="zone.id", primary_key=True)
    node_id: str = Field(foreign_key="node.id", primary_key=True, index=True)


class PolicyVersion(SQLModel, table=True):
    """One version of a place's policy: a draft until an approver's signature makes it hold."""

    __tablename__ = "policy_version"
    __table_args__ = (UniqueConstraint("place_id", "version"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    place_id: str = Field(foreign_key="place.id", index=True)
    version: int
    payload: bytes
    """The exact bytes that are signed: firmware_bridge.contract.documents.Policy."""
    envelope: bytes | None = None
    made_by: str
    made_at: datetime = Field(sa_type=UtcDateTime)
    signed_by: str | None = None
    signed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
