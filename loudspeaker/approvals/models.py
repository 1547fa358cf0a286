"""Approval: signing keys, what each approver has heard, signatures, refusals and revocations."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel, UniqueConstraint

from firmware_bridge.contract.passkeys import KeyKind
from loudspeaker.database import JsonColumn, UtcDateTime, new_id


class SigningKey(SQLModel, table=True):
    """An approver's public key and the private half as sealed in the browser. `id` is the key id (hex SHA-256)."""

    __tablename__ = "signing_key"
    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    public_key: str = Field(unique=True)
    kind: str = KeyKind.ED25519
    relying_party: str | None = None
    """Of a passkey: the domain that it belongs to."""
    origin: str | None = None
    """Of a passkey: scheme, host and port of the pages that may use it."""
    credential_id: str | None = None
    """Of a passkey: how the browser finds it again (base64url)."""
    sealed: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    """None when the owner keeps a key file."""
    made_at: datetime = Field(sa_type=UtcDateTime)
    place_id: str | None = Field(default=None, foreign_key="place.id")
    """Where it counts, set when an administrator lists it."""
    listed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    listed_by: str | None = None
    valid_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Heard(SQLModel, table=True):
    """What one person has heard of one recording, added up across devices."""

    __tablename__ = "heard"
    recording_id: str = Field(foreign_key="recording.id", primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", primary_key=True)
    intervals: list[list[int]] = Field(default_factory=list, sa_type=JsonColumn)
    """Merged [from_ms, to_ms]."""
    started_at: datetime = Field(sa_type=UtcDateTime)
    """When the sound was first opened: no more can have been heard than has passed since."""
    updated_at: datetime = Field(sa_type=UtcDateTime)
    complete_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SecondHearing(SQLModel, table=True):
    """Somebody who speaks the recording's language has heard it whole and says what it says."""

    __tablename__ = "second_hearing"
    recording_id: str = Field(foreign_key="recording.id", primary_key=True)
    user_id: str = Field(foreign_key="user_account.id")
    says: str
    """In Vietnamese, for the approvers who do not speak the language."""
    at: datetime = Field(sa_type=UtcDateTime)


class Approval(SQLModel, table=True):
    """One approver's signature on one recording's statement."""

    __tablename__ = "approval"
    __table_args__ = (UniqueConstraint("recording_id", "user_id"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    recording_id: str = Field(foreign_key="recording.id", index=True)
    user_id: str = Field(foreign_key="user_account.id")
    key_id: str = Field(foreign_key="signing_key.id")
    envelope: bytes
    at: datetime = Field(sa_type=UtcDateTime)


class SendBack(SQLModel, table=True):
    """An approver's refusal with its reason."""

    __tablename__ = "send_back"
    id: str = Field(default_factory=new_id, primary_key=True)
    recording_id: str = Field(foreign_key="recording.id", index=True)
    user_id: str = Field(foreign_key="user_account.id")
    reason: str
    at: datetime = Field(sa_type=UtcDateTime)


class Revocation(SQLModel, table=True):
    """An approved recording that must not air any more; carried in every order until its statement would expire."""

    __tablename__ = "revocation"
    sha256: str = Field(primary_key=True)
    recording_id: str = Field(foreign_key="recording.id", index=True)
    user_id: str = Field(foreign_key="user_account.id")
    reason: str
    at: datetime = Field(sa_type=UtcDateTime)
    until: datetime = Field(sa_type=UtcDateTime)
