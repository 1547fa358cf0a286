"""Signing keys: made by their owners, listed at a place by an administrator, revoked when lost."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from firmware_bridge.contract import strictjson
from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.documents import Approver, ApproverList
from firmware_bridge.contract.envelope import Envelope, MalformedEnvelope, from_dict, good_signers
from firmware_bridge.contract.keys import key_id
from loudspeaker.approvals.models import SigningKey
from loudspeaker.approvals.passkeys import Binding
from loudspeaker.audit import service as audit
from loudspeaker.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from loudspeaker.places.models import Place
from loudspeaker.trust import service as trust
from loudspeaker.users.access import Actor, actor_for
from loudspeaker.users.models import Role, User

PROOF_TYPE = "application/vnd.loudspeaker.key-proof+json"
SEALED_BYTES = 16 * 1024
PROOF_BYTES = 4 * 1024
LISTED_FOR = timedelta(days=2 * 365)
KEYS_EACH = 10


@dataclass(frozen=True)
class NewKey:
    """A public key, its private half as sealed in the browser (None: a key file), and the proof that both are held.

    Of a passkey the private half is with its owner's device, and `passkey` says where it may be used.
    """

    public_key: str
    proof: dict[str, Any]
    sealed: dict[str, Any] | None = None
    passkey: Binding | None = None


def keys_of(session: Session, actor: Actor) -> list[SigningKey]:
    """The person's own keys, oldest first."""
    found = select(SigningKey).where(SigningKey.user_id == actor.user.id)
    return list(session.exec(found.order_by(col(SigningKey.made_at), col(SigningKey.id))))


def register_key(session: Session, actor: Actor, now: datetime, given: NewKey) -> SigningKey:
    """Keep a person's new key, once they have proved that they hold it. It counts only when listed.

    The proof is a DSSE envelope of type `application/vnd.loudspeaker.key-proof+json` over
    `{"user": …, "public_key": …}`, for a passkey with its `kind`, `relying_party` and `origin`, by the key itself.
    Raises InvalidError, ForbiddenError, ConflictError.
    """
    if Role.APPROVER not in {held.role for held in actor.roles}:
        raise ForbiddenError("Only approvers have signing keys.")
    name = _checked_proof(given, actor.user.id)
    if given.sealed is not None:
        _check_sealed(given.sealed, given.public_key)
    if given.passkey is not None and given.sealed is not None:
        raise InvalidError("The sealed key is not the one it should be.", field="sealed")
    if session.get(SigningKey, name) is not None:
        raise ConflictError("This signing key is known already.", advice="Make a new key.")
    if len(keys_of(session, actor)) >= KEYS_EACH:
        raise ConflictError("You have many signing keys already.", advice="Ask an administrator to help.")
    key = SigningKey(id=name, user_id=actor.user.id, public_key=given.public_key, sealed=given.sealed, made_at=now)
    if given.passkey is not None:
        key.kind, key.relying_party = given.passkey.kind, given.passkey.relying_party
        key.origin, key.credential_id = given.passkey.origin, given.passkey.credential_id
    session.add(key)
    session.flush()
    audit.record(session, now, actor.user.id, "signing_key.register", f"signing_key:{name}", kind=key.kind)
    return key


def register_sealed(session: Session, now: datetime, user: User, public_key: str, sealed: dict[str, Any]) -> SigningKey:
    """Keep the first place authority's key for its owner, as the first trust root names it."""
    _check_sealed(sealed, public_key)
    key = SigningKey(id=key_id(public_key), user_id=user.id, public_key=public_key, sealed=sealed, made_at=now)
    session.add(key)
    session.flush()
    audit.record(session, now, user.id, "signing_key.register", f"signing_key:{key.id}")
    return key


def seal_anew(session: Session, actor: Actor, now: datetime, name: str, sealed: dict[str, Any]) -> SigningKey:
    """Keep the person's own key sealed by another passphrase; the key stays the same."""
    key = _key(session, name)
    if key.user_id != actor.user.id:
        raise NotFoundError("This signing key does not exist.")
    _check_sealed(sealed, key.public_key)
    key.sealed = sealed
    session.add(key)
    session.flush()
    audit.record(session, now, actor.user.id, "signing_key.seal", f"signing_key:{name}")
    return key


def propose_key(session: Session, actor: Actor, now: datetime, name: str, place_id: str,
                valid_until: datetime | None = None) -> SigningKey:
    """Ask that a key count at a place and below it, until `valid_until` (two years where nothing is said).

    The actor administers the place and the key's owner approves there. It counts when a place authority has signed the
    approver list that `list_to_sign` gives.
    """
    key, place = _key(session, name), session.get(Place, place_id)
    if place is None:
        raise NotFoundError("This place does not exist.")
    actor.must(place, Role.ADMINISTRATOR)
    owner = session.get_one(User, key.user_id)
    if not actor_for(session, owner, now).may(place, [Role.APPROVER]):
        raise InvalidError("%(name)s is not an approver of this place.", field="place_id", name=owner.name,
                           advice="Grant the role first.")
    if key.revoked_at is not None:
        raise ConflictError("This signing key was revoked.", advice="Its owner makes a new one.")
    key.place_id, key.listed_at, key.listed_by = place.id, None, actor.user.id
    key.valid_until = valid_until or now + LISTED_FOR
    if key.valid_until <= now:
        raise InvalidError("The end of validity has passed already.", field="valid_until")
    session.add(key)
    session.flush()
    audit.record(session, now, actor.user.id, "signing_key.propose", f"signing_key:{key.id}", place.id, owner=owner.id)
    return key


def revoke_key(session: Session, actor: Actor, now: datetime, name: str, reason: str) -> SigningKey:
    """Let a key count no more, whatever it signed: by its owner, or an administrator of its place. Needs a reason.

    The server heeds it at once, the loudspeakers when a place authority has signed the next approver list.
    """
    key = _key(session, name)
    place = session.get(Place, key.place_id) if key.place_id else None
    if key.user_id != actor.user.id:
        if place is None:
            raise ForbiddenError
        actor.must(place, Role.ADMINISTRATOR)
    return _revoke(session, now, actor.user.id, key, reason)


def revoke_as_operator(session: Session, now: datetime, name: str, reason: str) -> SigningKey:
    """`revoke_key` for whoever runs this machine."""
    return _revoke(session, now, None, _key(session, name), reason)


def _revoke(session: Session, now: datetime, actor_id: str | None, key: SigningKey, reason: str) -> SigningKey:
    if not reason.strip():
        raise InvalidError("Say why.", field="reason")
    if key.revoked_at is not None:
        raise ConflictError("This signing key was revoked already.")
    key.revoked_at = now
    session.add(key)
    session.flush()
    audit.record(session, now, actor_id, "signing_key.revoke", f"signing_key:{key.id}", key.place_id,
                 reason=reason.strip())
    return key


def list_to_sign(session: Session, issued: datetime) -> ApproverList:
    """The next approver list, as the keys stand now, for a place authority to sign."""
    rows = session.exec(select(SigningKey, User).join(User, col(User.id) == col(SigningKey.user_id))
                        .where(col(SigningKey.place_id).is_not(None), col(SigningKey.revoked_at).is_(None),
                               col(SigningKey.valid_until) > issued).order_by(col(SigningKey.id)))
    approvers = [_approver(key, owner) for key, owner in rows]
    revoked = session.exec(select(SigningKey.id).where(col(SigningKey.revoked_at).is_not(None)))
    return trust.next_list(session, issued, approvers, list(revoked))


def adopt_list(session: Session, actor_id: str | None, now: datetime, signed: Envelope) -> ApproverList:
    """Let the signed list count, and mark its keys as listed. Raises InvalidError, ConflictError.

    It must be the one that `list_to_sign` gave within the last day: an authority signs what was asked for, no more.
    """
    try:
        given = ApproverList.from_bytes(signed.payload)
    except MalformedPayload as error:
        raise InvalidError("This is not an approver list.", field="envelope") from error
    if given.issued < now - trust.SIGNED_WITHIN or signed.payload != list_to_sign(
            session, given.issued).to_bytes():
        raise ConflictError("The approver list has changed meanwhile.", code="list_changed",
                            advice="Load the page again and sign once more.")
    listed = trust.adopt_list(session, actor_id, now, signed)
    names = {key_id(one.public_key) for one in listed.approvers}
    unlisted = select(SigningKey).where(col(SigningKey.id).in_(names), col(SigningKey.listed_at).is_(None))
    for key in session.exec(unlisted):
        key.listed_at = given.issued
        session.add(key)
        audit.record(session, now, actor_id, "signing_key.list", f"signing_key:{key.id}", key.place_id,
                     owner=key.user_id, version=listed.version)
    session.flush()
    return listed


def waiting_for_authority(session: Session) -> list[tuple[SigningKey, User]]:
    """Keys that wait for a place authority's signature: to be listed, or to be revoked on the loudspeakers too."""
    held = trust.held_list(session)
    revoked = set(held.revoked) if held else set()
    rows = session.exec(select(SigningKey, User).join(User, col(User.id) == col(SigningKey.user_id))
                        .where(col(SigningKey.place_id).is_not(None)).order_by(col(SigningKey.made_at)))
    return [(key, owner) for key, owner in rows
            if (key.listed_at is None and key.revoked_at is None)
            or (key.revoked_at is not None and key.id not in revoked)]


def keys_at(session: Session, actor: Actor, place_id: str) -> list[tuple[SigningKey, User]]:
    """For an administrator of a place: its listed keys, and those that wait to be listed, of its approvers."""
    place = session.get(Place, place_id)
    if place is None:
        raise NotFoundError("This place does not exist.")
    actor.must(place, Role.ADMINISTRATOR)
    rows = session.exec(select(SigningKey, User).join(User, col(User.id) == col(SigningKey.user_id))
                        .order_by(col(SigningKey.made_at).desc()))
    return [(key, owner) for key, owner in rows
            if key.place_id == place.id or (key.place_id is None and key.revoked_at is None
                                            and _approves(session, owner, place, key.made_at))]


def _approver(key: SigningKey, owner: User) -> Approver:
    return Approver.model_validate({
        "owner": owner.id, "name": owner.name, "place": key.place_id, "public_key": key.public_key,
        "kind": key.kind, "relying_party": key.relying_party, "origin": key.origin,
        "valid_from": key.made_at, "valid_until": key.valid_until})


def _approves(session: Session, owner: User, place: Place, at: datetime) -> bool:
    return actor_for(session, owner, at).may(place, [Role.APPROVER])


def _key(session: Session, name: str) -> SigningKey:
    key = session.get(SigningKey, name)
    if key is None:
        raise NotFoundError("This signing key does not exist.")
    return key


def _check_sealed(sealed: dict[str, Any], public_key: str) -> None:
    if len(strictjson.dumps(sealed)) > SEALED_BYTES or sealed.get("public_key", public_key) != public_key:
        raise InvalidError("The sealed key is not the one it should be.", field="sealed",
                           advice="Load the page again and repeat the step.")


def _checked_proof(given: NewKey, user_id: str) -> str:
    """The key's id. Raises InvalidError unless the proof was signed by the key, for this person."""
    wrong = InvalidError("The proof of the signing key does not hold.", field="proof", advice="Make the key once more.")
    try:
        name, proof = key_id(given.public_key), from_dict(given.proof)
        said = strictjson.loads(proof.payload, PROOF_BYTES)
    except (ValueError, MalformedEnvelope, strictjson.MalformedJson) as error:
        raise wrong from error
    expected = {"user": user_id, "public_key": given.public_key} | (given.passkey.said() if given.passkey else {})
    if not _proves(proof, name, given) or said != expected:
        raise wrong
    return name


def _proves(proof: Envelope, name: str, given: NewKey) -> bool:
    key = given.passkey.verifier(given.public_key) if given.passkey else given.public_key
    return proof.payload_type == PROOF_TYPE and good_signers(proof, {name: key}) == {name}
