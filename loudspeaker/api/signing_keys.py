"""Signing keys: one's own, and for administrators those of a place. No open key or passphrase comes here."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, Field

from firmware_bridge.contract.passkeys import KeyKind
from loudspeaker.api.deps import CurrentActor, HouseDep, Now, Reading, Work
from loudspeaker.approvals import keys
from loudspeaker.approvals.keys import NewKey
from loudspeaker.approvals.models import SigningKey
from loudspeaker.approvals.passkeys import Binding, check_binding
from loudspeaker.conductor import trust

router = APIRouter(prefix="/api/v1", tags=["signing keys"])


class PasskeyIn(BaseModel):
    """Which passkey a key is: its kind, the pages that it may sign on, its credential id (base64url)."""

    kind: KeyKind
    relying_party: str = Field(max_length=253)
    origin: str = Field(max_length=300)
    credential_id: str = Field(max_length=1400)


class NewKeyIn(BaseModel):
    """Public half (base64), private half as sealed by the owner (absent for a key file), and proof (DSSE envelope)."""

    public_key: str = Field(max_length=100)
    proof: dict[str, Any]
    sealed: dict[str, Any] | None = None
    passkey: PasskeyIn | None = None


class SealedIn(BaseModel):
    """The same key, sealed by another passphrase."""

    sealed: dict[str, Any]


class KeyOut(BaseModel):
    """A signing key; `place_id` and `listed_at` are empty until it is proposed and listed."""

    id: str
    user_id: str
    public_key: str
    kind: str
    relying_party: str | None
    made_at: datetime
    place_id: str | None
    listed_at: datetime | None
    valid_until: datetime | None
    revoked_at: datetime | None


class OwnKeyOut(KeyOut):
    """One's own key, with the sealed half, or what finds the passkey again."""

    sealed: dict[str, Any] | None
    origin: str | None
    credential_id: str | None


class KeyOfPlaceOut(KeyOut):
    """A key and whose it is."""

    owner_name: str


class ListIn(BaseModel):
    """Where a key shall count, and until when (two years where nothing is said)."""

    place_id: str
    valid_until: AwareDatetime | None = None


class ReasonIn(BaseModel):
    """Why."""

    reason: str = Field(max_length=1000)


class RevokedOut(BaseModel):
    """Recordings that wait for approval again, because the key's signature was needed."""

    reopened: list[str]


@router.get("/me/signing-keys")
def mine(actor: CurrentActor, session: Reading) -> list[OwnKeyOut]:
    """One's own keys, oldest first."""
    return [_own(one) for one in keys.keys_of(session, actor)]


@router.post("/me/signing-keys", status_code=201)
def register(given: NewKeyIn, actor: CurrentActor, session: Work, now: Now, request: Request) -> OwnKeyOut:
    """Register a key that one holds."""
    passkey = Binding(**given.passkey.model_dump()) if given.passkey else None
    if passkey is not None:
        check_binding(passkey, request.headers.get("host", ""))
    return _own(keys.register_key(session, actor, now, NewKey(given.public_key, given.proof, given.sealed, passkey)))


@router.put("/me/signing-keys/{key_id}")
def seal_anew(key_id: str, given: SealedIn, actor: CurrentActor, session: Work, now: Now) -> OwnKeyOut:
    """Keep one's key under another passphrase."""
    return _own(keys.seal_anew(session, actor, now, key_id, given.sealed))


@router.get("/signing-keys")
def of_place(place_id: str, actor: CurrentActor, session: Reading) -> list[KeyOfPlaceOut]:
    """Keys listed at a place, and those of its approvers that wait to be listed."""
    return [KeyOfPlaceOut(**_fields(key), owner_name=owner.name)
            for key, owner in keys.keys_at(session, actor, place_id)]


@router.post("/signing-keys/{key_id}/list")
def list_key(key_id: str, given: ListIn, actor: CurrentActor, session: Work, house: HouseDep) -> KeyOut:
    """Ask that a key count at a place and below it; a place authority's signature on the approver list makes it so."""
    return KeyOut(**_fields(trust.propose_key(session, house, actor, key_id, given.place_id, given.valid_until)))


@router.post("/signing-keys/{key_id}/revoke")
def revoke(key_id: str, given: ReasonIn, actor: CurrentActor, session: Work, house: HouseDep) -> RevokedOut:
    """Let a key count no more."""
    return RevokedOut(reopened=trust.revoke_key(session, house, actor, key_id, given.reason))


def _own(key: SigningKey) -> OwnKeyOut:
    return OwnKeyOut(**_fields(key), sealed=key.sealed, origin=key.origin, credential_id=key.credential_id)


def _fields(key: SigningKey) -> dict[str, Any]:
    return key.model_dump(include=set(KeyOut.model_fields))
