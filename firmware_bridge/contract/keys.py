"""Keys as the protocol writes them, in base64, named by the SHA-256 of the public half.

Ed25519: raw 32 bytes. ES256 (passkeys alone): the uncompressed point on P-256, 65 bytes, 04 ‖ x ‖ y.
"""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

POINT_BYTES = 65


def new_key() -> Ed25519PrivateKey:
    """A fresh private key from the system's randomness."""
    return Ed25519PrivateKey.generate()


def private_from_base64(text: str) -> Ed25519PrivateKey:
    """The private key whose 32-byte seed is `text`. Raises ValueError."""
    return Ed25519PrivateKey.from_private_bytes(_decode(text, 32))


def private_to_base64(key: Ed25519PrivateKey) -> str:
    """The 32-byte seed in base64. Keep it secret."""
    return base64.b64encode(key.private_bytes_raw()).decode()


def public_to_base64(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """The 32-byte public half in base64."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return base64.b64encode(public.public_bytes_raw()).decode()


def key_id(public_key: str) -> str:
    """Lower-case hex SHA-256 of the raw public key (32 bytes, or 65 of a point) given in base64. Raises ValueError."""
    return hashlib.sha256(_decode(public_key, 32, POINT_BYTES)).hexdigest()


def is_good(public_key: str, signature: bytes, message: bytes) -> bool:
    """True when `signature` over `message` was made by the private half of `public_key` (base64)."""
    try:
        Ed25519PublicKey.from_public_bytes(_decode(public_key, 32)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _decode(text: str, *lengths: int) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error
    if len(raw) not in lengths or base64.b64encode(raw).decode() != text:
        raise ValueError(f"not the canonical base64 of {' or '.join(map(str, lengths))} bytes")
    return raw
