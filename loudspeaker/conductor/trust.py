"""The changes of trust that people make: each is drawn up here, signed elsewhere, and verified before it counts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract.documents import ApproverList, PlaceAuthority, TrustRoot
from firmware_bridge.contract.envelope import Envelope, MalformedEnvelope
from firmware_bridge.contract.keys import key_id as name_of
from firmware_bridge.contract.keys import public_to_base64
from loudspeaker.approvals import keys, service
from loudspeaker.approvals.models import SigningKey
from loudspeaker.conductor import keys as own_keys
from loudspeaker.conductor.house import House
from loudspeaker.database import after_commit
from loudspeaker.errors import ConflictError, ForbiddenError, InvalidError
from loudspeaker.places.models import Place
from loudspeaker.trust import service as trust
from loudspeaker.trust.service import RootChanges
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role

OWNERS = range(1, 6)


@dataclass(frozen=True)
class Wanted:
    """What a person wants the next trust root to say otherwise; None: as it is."""

    owners_needed: tuple[int, int, int] | None = None
    owners_needed_by_kind: dict[str, int] | None = None
    add_authority: str | None = None
    """Id of a person's signing key that shall list approvers too."""
    drop_authority: str | None = None
    """Key id of an authority that shall do so no more."""
    new_server_key: bool = False
    """The server key may be stolen: begin a new key epoch with another."""
    root_keys: tuple[str, ...] | None = None
    root_threshold: int | None = None
    software_key: str | None = None


def propose_key(session: Session, house: House, actor: Actor, key_id: str, place_id: str,
                valid_until: datetime | None = None) -> SigningKey:
    """Ask that an approver's key count at a place; a place authority's signature makes it so."""
    key = keys.propose_key(session, actor, house.now(), key_id, place_id, valid_until)
    after_commit(session, lambda: house.hub.announce("recordings"))
    return key


def revoke_key(session: Session, house: House, actor: Actor, key_id: str, reason: str) -> list[str]:
    """Let a key count no more; the ids of recordings that wait for approval again because of it."""
    key = keys.revoke_key(session, actor, house.now(), key_id, reason)
    reopened = service.recheck(session, actor.user.id, house.now(), key.id)
    after_commit(session, house.outdated)
    after_commit(session, lambda: house.hub.announce("recordings"))
    return reopened


def list_to_sign(session: Session, house: House, actor: Actor) -> ApproverList:
    """The next approver list. For place authorities, and administrators of a top place."""
    must_govern(session, actor)
    return keys.list_to_sign(session, house.now())


def adopt_list(session: Session, house: House, actor: Actor, given: dict[str, Any]) -> ApproverList:
    """Let a list count that a place authority has signed; the loudspeakers are told after commit."""
    must_govern(session, actor)
    listed = keys.adopt_list(session, actor.user.id, house.now(), read_envelope(given))
    after_commit(session, house.outdated)
    after_commit(session, lambda: house.hub.announce("recordings"))
    return listed


def root_to_sign(session: Session, house: House, actor: Actor, wanted: Wanted) -> TrustRoot:
    """The next trust root, for the holders of the root keys to sign. For an administrator of a top place."""
    must_administer(session, actor)
    return draw_root(session, house, wanted)


def draw_root(session: Session, house: House, wanted: Wanted) -> TrustRoot:
    """The next trust root. Raises InvalidError, ConflictError."""
    needed = (*(wanted.owners_needed or ()), *(wanted.owners_needed_by_kind or {}).values())
    if any(one not in OWNERS for one in needed):
        raise InvalidError("Choose between one and five approvers.", field="owners_needed")
    server = public_to_base64(own_keys.next_server_key(house.key_folder)) if wanted.new_server_key else None
    return trust.next_root(session, house.now(), RootChanges(
        root_keys=wanted.root_keys, root_threshold=wanted.root_threshold, server_key=server,
        software_key=wanted.software_key, owners_needed=wanted.owners_needed,
        owners_needed_by_kind=wanted.owners_needed_by_kind, place_authorities=_authorities(session, wanted)))


def adopt_root(session: Session, house: House, actor: Actor, given: dict[str, Any]) -> TrustRoot:
    """Let a trust root count that the root keys have signed; the loudspeakers are told after commit.

    With another server key the server ends in order, to be started again with it.
    """
    must_administer(session, actor)
    return take_root(session, house, actor.user.id, read_envelope(given))


def take_root(session: Session, house: House, actor_id: str | None, signed: Envelope) -> TrustRoot:
    """`adopt_root` for whoever runs this machine."""
    root = trust.adopt_root(session, actor_id, house.now(), signed, own_keys.server_keys(house.key_folder), house.site)
    after_commit(session, house.outdated)
    if root.server_key != public_to_base64(house.keys.server):
        after_commit(session, house.stand_down)
    return root


def read_envelope(given: dict[str, Any]) -> Envelope:
    """The envelope that a page or a file brings. Raises InvalidError."""
    try:
        return dsse.from_dict(given)
    except MalformedEnvelope as error:
        raise InvalidError("This is not a signed document.", field="envelope") from error


def administers(session: Session, actor: Actor) -> bool:
    """Whether the actor administers a top place."""
    tops = {held.place_id for held in actor.roles if held.role is Role.ADMINISTRATOR}
    return any((place := session.get(Place, one)) is not None and place.parent_id is None for one in tops)


def governs(session: Session, actor: Actor) -> bool:
    """Whether the actor owns a place authority's key or administers a top place."""
    return bool(authority_keys_of(session, actor)) or administers(session, actor)


def must_administer(session: Session, actor: Actor) -> None:
    """Raises ForbiddenError unless the actor administers a top place."""
    if not administers(session, actor):
        raise ForbiddenError


def must_govern(session: Session, actor: Actor) -> None:
    """Raises ForbiddenError unless the actor owns a place authority's key or administers a top place."""
    if not governs(session, actor):
        raise ForbiddenError


def authority_keys_of(session: Session, actor: Actor) -> list[SigningKey]:
    """The actor's own keys that may sign the approver list."""
    root = trust.held_root(session)
    authorities = {one.public_key for one in root.place_authorities} if root else set()
    return [one for one in keys.keys_of(session, actor) if one.public_key in authorities]


def _authorities(session: Session, wanted: Wanted) -> tuple[PlaceAuthority, ...] | None:
    if wanted.add_authority is None and wanted.drop_authority is None:
        return None
    root = trust.current_trust(session).root
    kept = [one for one in root.place_authorities if name_of(one.public_key) != wanted.drop_authority]
    if wanted.add_authority is not None:
        key = session.get(SigningKey, wanted.add_authority)
        if key is None or key.revoked_at is not None or len(key.public_key) != len(root.server_key):
            raise InvalidError("This signing key cannot list approvers.", field="add_authority",
                               advice="Choose a key with a passphrase or in a file that was not revoked.")
        if key.public_key in {one.public_key for one in kept}:
            raise ConflictError("This signing key lists approvers already.")
        kept.append(PlaceAuthority(place=root.site, owner=key.user_id, public_key=key.public_key))
    return tuple(kept)
