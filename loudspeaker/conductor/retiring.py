"""Taking the root and authority keys of the first version off the server, where they should never have lain."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session

from firmware_bridge.contract.documents import PlaceAuthority, TrustRoot
from firmware_bridge.contract.keys import public_to_base64
from loudspeaker.approvals import keys as signing_keys
from loudspeaker.conductor import keys
from loudspeaker.conductor.house import House
from loudspeaker.conductor.trust import take_root
from loudspeaker.database import after_commit
from loudspeaker.errors import ConflictError
from loudspeaker.trust import service as trust
from loudspeaker.trust.service import NEW_AUTHORITY, RootChanges


def retire_online_keys(session: Session, house: House, roots: Sequence[Ed25519PrivateKey], threshold: int,
                       authority: Ed25519PrivateKey) -> TrustRoot:
    """Let new keys take the place of those on this server, which are deleted after commit.

    The old authority may have been copied: it goes in the same stroke, by two roots with a newly signed list between.
    Raises ConflictError where there is nothing to retire.
    """
    online = {one.stem: keys.load(one) for one in keys.left_online(house.key_folder)}
    if set(online) != {"root", "authority"}:
        raise ConflictError("No root and authority keys lie on this server.")
    old, held = online["root"], trust.current_trust(session).root
    new = PlaceAuthority(place=held.site, owner=NEW_AUTHORITY, public_key=public_to_base64(authority))
    both = trust.next_root(session, house.now(), RootChanges(
        root_keys=[public_to_base64(one) for one in roots], root_threshold=threshold,
        place_authorities=(*held.place_authorities, new)))
    take_root(session, house, None, both.sign(old, *roots))
    listed = signing_keys.list_to_sign(session, house.now())
    signing_keys.adopt_list(session, None, house.now(), listed.sign(authority))
    alone = trust.next_root(session, house.now(), RootChanges(place_authorities=(new,)))
    after_commit(session, lambda: _delete(house))
    return take_root(session, house, None, alone.sign(*roots))


def _delete(house: House) -> None:
    for path in keys.left_online(house.key_folder):
        path.write_bytes(bytes(path.stat().st_size))
        path.unlink()
