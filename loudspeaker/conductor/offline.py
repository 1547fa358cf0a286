"""Keys that the server never keeps: making them, their files, and signing with them where they are."""

import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from sqlmodel import Session

from firmware_bridge.contract.documents import ApproverList, TrustRoot
from firmware_bridge.contract.keys import new_key, public_to_base64
from loudspeaker.approvals import keys
from loudspeaker.conductor.house import House
from loudspeaker.conductor.trust import take_root
from loudspeaker.errors import ConflictError, InvalidError
from loudspeaker.trust import service as trust


def install_first_root(session: Session, house: House, root_keys: Sequence[Ed25519PrivateKey], threshold: int,
                       authority: Ed25519PrivateKey) -> TrustRoot:
    """Make the first trust root and let it count. Raises InvalidError, ConflictError where there is one already."""
    if trust.held_root(session) is not None:
        raise ConflictError("The keys of this installation are made already.", advice="Change them by `rotate`.")
    root = trust.first_root(house.now(), house.site, public_to_base64(house.keys.server),
                            [public_to_base64(one) for one in root_keys], threshold, public_to_base64(authority))
    return take_root(session, house, None, root.sign(*root_keys))


def install_new_keys(session: Session, house: House) -> Ed25519PrivateKey:
    """For a demo or a test: a first root whose key is thrown away; the place authority's key."""
    authority = new_key()
    install_first_root(session, house, [new_key()], 1, authority)
    return authority


def sign_list(session: Session, house: House, authority: Ed25519PrivateKey) -> ApproverList:
    """Sign the approver list as the keys stand now, and let it count."""
    draft = keys.list_to_sign(session, house.now())
    return keys.adopt_list(session, None, house.now(), draft.sign(authority))


def write_key(path: Path, key: Ed25519PrivateKey, passphrase: str = "") -> None:
    """Write a key to a new file (PEM, PKCS 8) that only its owner can read. Raises OSError; never overwrites."""
    sealing = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealing)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def is_sealed(path: Path) -> bool:
    """Whether a passphrase is needed to read the file. Raises OSError."""
    return b"ENCRYPTED" in path.read_bytes()


def read_key(path: Path, passphrase: str = "") -> Ed25519PrivateKey:
    """The key in a file that `write_key` or the first-run page wrote. Raises OSError, InvalidError."""
    try:
        key = load_pem_private_key(path.read_bytes(), passphrase.encode() or None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidError("The key file does not open.", advice="Check the passphrase and the file.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidError("This is not a signing key of this kind.")
    return key
