"""Passkeys (WebAuthn) as signing keys: an assertion whose challenge is the hash of what is signed.

A passkey does not sign a document but 37 bytes of its own and the hash of a small JSON text of the browser's. So its
signature travels with both, and is checked by fixed offsets and one strict reading of JSON:

    64 bytes signature ‖ 37 bytes authenticator data ‖ client data (JSON text as the browser made it)
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from firmware_bridge.contract import keys, strictjson

SIGNATURE_BYTES = 64
"""Ed25519 as it is; ES256 as r ‖ s, 32 bytes each, big-endian."""
AUTHENTICATOR_BYTES = 37
"""SHA-256 of the relying party's id, one byte of flags, four of a counter; no extensions, no credential."""
MAX_CLIENT_DATA_BYTES = 1024
MAX_BYTES = SIGNATURE_BYTES + AUTHENTICATOR_BYTES + MAX_CLIENT_DATA_BYTES
_USER_PRESENT, _USER_VERIFIED, _CREDENTIAL, _EXTENSIONS = 0x01, 0x04, 0x40, 0x80


class KeyKind(StrEnum):
    """What an approver signs with."""

    ED25519 = "ed25519"
    """A key sealed in the browser, or in a file."""
    PASSKEY_ES256 = "passkey-es256"
    PASSKEY_ED25519 = "passkey-ed25519"


@dataclass(frozen=True)
class Passkey:
    """A listed passkey: `public_key` in base64 as `keys.key_id` takes it, and where it may be used."""

    kind: KeyKind
    public_key: str
    relying_party: str
    """A domain, `loa.example.vn`."""
    origin: str
    """`https://loa.example.vn`."""


def challenge(message: bytes) -> str:
    """What the browser is asked to have signed for `message`: its SHA-256 in base64url without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(message).digest()).rstrip(b"=").decode()


def assertion(signature: bytes, authenticator_data: bytes, client_data: bytes) -> bytes:
    """The value of `sig` in the envelope. `signature` has 64 bytes."""
    return signature + authenticator_data + client_data


def has_possible_length(value: bytes) -> bool:
    """Whether `value` may be a plain signature or an assertion."""
    return len(value) == SIGNATURE_BYTES or SIGNATURE_BYTES + AUTHENTICATOR_BYTES < len(value) <= MAX_BYTES


def is_good(passkey: Passkey, value: bytes, message: bytes) -> bool:
    """True when `value` is this passkey's assertion over `message`, made at its origin by a verified user.

    The counter is not looked at: synchronised passkeys do not count.
    """
    if len(value) == SIGNATURE_BYTES or not has_possible_length(value):
        return False
    signature, rest = value[:SIGNATURE_BYTES], value[SIGNATURE_BYTES:]
    authenticator_data, client_data = rest[:AUTHENTICATOR_BYTES], rest[AUTHENTICATOR_BYTES:]
    return (_is_of_verified_user(authenticator_data, passkey.relying_party)
            and _is_asked_for(client_data, passkey.origin, message)
            and _is_signed(passkey, signature, authenticator_data + hashlib.sha256(client_data).digest()))


def _is_of_verified_user(authenticator_data: bytes, relying_party: str) -> bool:
    flags = authenticator_data[32]
    return (hmac.compare_digest(authenticator_data[:32], hashlib.sha256(relying_party.encode()).digest())
            and bool(flags & _USER_PRESENT) and bool(flags & _USER_VERIFIED)
            and not flags & (_CREDENTIAL | _EXTENSIONS))


def _is_asked_for(client_data: bytes, origin: str, message: bytes) -> bool:
    try:
        said = strictjson.loads(client_data, MAX_CLIENT_DATA_BYTES)
    except strictjson.MalformedJson:
        return False
    return (isinstance(said, dict) and said.get("type") == "webauthn.get" and said.get("origin") == origin
            and said.get("challenge") == challenge(message)
            and said.get("crossOrigin", False) is False and "topOrigin" not in said)


def _is_signed(passkey: Passkey, signature: bytes, message: bytes) -> bool:
    if passkey.kind is KeyKind.PASSKEY_ED25519:
        return keys.is_good(passkey.public_key, signature, message)
    if passkey.kind is not KeyKind.PASSKEY_ES256:
        return False
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    try:
        point = base64.b64decode(passkey.public_key, validate=True)
        public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
        public.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return len(point) == keys.POINT_BYTES
