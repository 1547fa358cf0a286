"""The keys that never lie on a server: those of the root and of the place authority in tests."""

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session

from firmware_bridge.contract.documents import ApproverList, TrustRoot
from loudspeaker.conductor.house import House
from loudspeaker.conductor.offline import install_first_root, sign_list
from loudspeaker.conductor.trust import Wanted, draw_root, take_root


def offline_key(name: str) -> Ed25519PrivateKey:
    """The key that belongs to `name`, always the same."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"offline {name}".encode()).digest())


ROOT, AUTHORITY = offline_key("root"), offline_key("authority")


def install_trust(house: House) -> None:
    """What the first run makes: a root by ROOT that lets AUTHORITY list approvers."""
    with house.database.work() as session:
        install_first_root(session, house, [ROOT], 1, AUTHORITY)


def authority_signs(session: Session, house: House) -> ApproverList:
    """AUTHORITY signs what waits for it."""
    return sign_list(session, house, AUTHORITY)


def root_keys_sign(session: Session, house: House, *signers: Ed25519PrivateKey, **wanted: object) -> TrustRoot:
    """The next root, changed as `wanted` and signed by `signers` (ROOT where none is named), counts."""
    root = draw_root(session, house, Wanted(**wanted))  # type: ignore[arg-type]
    return take_root(session, house, None, root.sign(*(signers or (ROOT,))))
