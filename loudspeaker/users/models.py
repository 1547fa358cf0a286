"""People: accounts, the roles granted to them at places, and the ways they prove who they are."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel, UniqueConstraint

from loudspeaker.database import JsonColumn, UtcDateTime, new_id

VIETNAMESE = "vi"


class Role(StrEnum):
    """What a person may do at a place and below it."""

    EDITOR = "editor"
    APPROVER = "approver"
    TECHNICIAN = "technician"
    VILLAGE_HEAD = "village_head"
    PRECINCT_TEAM = "precinct_team"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class User(SQLModel, table=True):
    """A person. Village heads have no password, only a personal link."""

    __tablename__ = "user_account"
    id: str = Field(default_factory=new_id, primary_key=True)
    login: str | None = Field(default=None, unique=True, index=True)
    name: str
    phone: str = ""
    password_hash: str | None = None
    language: str = "vi"
    """Of the interface."""
    languages: list[str] = Field(default_factory=lambda: [VIETNAMESE], sa_type=JsonColumn)
    """ISO 639 codes of those that the person understands by ear."""
    active: bool = True
    created_at: datetime = Field(sa_type=UtcDateTime)
    password_changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Grant(SQLModel, table=True):
    """A role held at a place, optionally until a date (delegation)."""

    __tablename__ = "role_grant"
    __table_args__ = (UniqueConstraint("user_id", "place_id", "role"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    place_id: str = Field(foreign_key="place.id", index=True)
    role: str
    granted_by: str | None = None
    granted_at: datetime = Field(sa_type=UtcDateTime)
    valid_until: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SignInSession(SQLModel, table=True):
    """A signed-in browser. `id` is the SHA-256 of the cookie, never the cookie itself."""

    __tablename__ = "sign_in_session"
    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    csrf: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    agent: str = ""
    address: str = ""


class ApiToken(SQLModel, table=True):
    """A personal token for the API. `token_hash` is the SHA-256 of what the owner was shown once."""

    __tablename__ = "api_token"
    id: str = Field(default_factory=new_id, primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    name: str
    token_hash: str = Field(unique=True, index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class PersonalLink(SQLModel, table=True):
    """A village head's way in: a link remembered by the phone, revocable."""

    __tablename__ = "personal_link"
    id: str = Field(default_factory=new_id, primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    token_hash: str = Field(unique=True, index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class FailedTry(SQLModel, table=True):
    """A failed guess (sign-in, code, link), counted per subject to slow guessing down."""

    __tablename__ = "failed_try"
    id: str = Field(default_factory=new_id, primary_key=True)
    subject: str = Field(index=True)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
