"""DSSE envelopes: a signature over the exact bytes, the payload's type inside it (DSSE v1; Ed25519 and passkeys).

Everything about the envelope is checked before a byte of the payload is parsed.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_bridge.contract import keys, passkeys, strictjson
from firmware_bridge.contract.passkeys import Passkey

MAX_ENVELOPE_BYTES = 4 * 1024 * 1024
MAX_SIGNATURES = 8


class MalformedEnvelope(ValueError):
    """The bytes are not a DSSE envelope in the protocol's strict form."""


@dataclass(frozen=True)
class Signature:
    """One signature: the signer's key id (hex SHA-256 of the public key) and 64 bytes, or a passkey's assertion."""

    key_id: str
    value: bytes


@dataclass(frozen=True)
class Envelope:
    """Payload bytes, their type, and who signed them."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]


def signed_bytes(payload_type: str, payload: bytes) -> bytes:
    """The bytes a signature covers: DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign(payload_type: str, payload: bytes, *signers: Ed25519PrivateKey) -> Envelope:
    """An envelope over `payload`, signed by each of `signers`."""
    message = signed_bytes(payload_type, payload)
    return Envelope(payload_type, payload, tuple(
        Signature(keys.key_id(keys.public_to_base64(key)), key.sign(message)) for key in signers))


def good_signers(envelope: Envelope, public_keys: Mapping[str, str | Passkey]) -> frozenset[str]:
    """Key ids whose signatures hold, among `public_keys` (key id → base64 Ed25519 public key, or passkey)."""
    message = signed_bytes(envelope.payload_type, envelope.payload)
    return frozenset(one.key_id for one in envelope.signatures
                     if one.key_id in public_keys and _is_good(one, public_keys[one.key_id], message))


def encode(envelope: Envelope) -> bytes:
    """The envelope as JSON on the wire."""
    return strictjson.dumps(to_dict(envelope))


def to_dict(envelope: Envelope) -> dict[str, Any]:
    """The envelope as the JSON object that travels inside other documents."""
    return {
        "payloadType": envelope.payload_type,
        "payload": base64.b64encode(envelope.payload).decode(),
        "signatures": [{"keyid": one.key_id, "sig": base64.b64encode(one.value).decode()}
                       for one in envelope.signatures],
    }


def decode(raw: bytes, max_bytes: int = MAX_ENVELOPE_BYTES) -> Envelope:
    """Read an envelope strictly. Raises MalformedEnvelope."""
    try:
        return from_dict(strictjson.loads(raw, max_bytes))
    except strictjson.MalformedJson as error:
        raise MalformedEnvelope(str(error)) from error


def from_dict(value: Any) -> Envelope:
    """Read an envelope from its parsed JSON object. Raises MalformedEnvelope."""
    if not isinstance(value, dict) or set(value) != {"payloadType", "payload", "signatures"}:
        raise MalformedEnvelope("an envelope has exactly payloadType, payload and signatures")
    kind, signatures = value["payloadType"], value["signatures"]
    if not isinstance(kind, str) or not 0 < len(kind) <= 100 or not kind.isascii():
        raise MalformedEnvelope("payloadType is not a short text")
    if not isinstance(signatures, list) or not 0 < len(signatures) <= MAX_SIGNATURES:
        raise MalformedEnvelope(f"1 to {MAX_SIGNATURES} signatures are needed")
    read = tuple(_signature(one) for one in signatures)
    if len({one.key_id for one in read}) != len(read):
        raise MalformedEnvelope("one key signed twice")
    return Envelope(kind, _base64(value["payload"]), read)


def _is_good(signature: Signature, key: str | Passkey, message: bytes) -> bool:
    if isinstance(key, Passkey):
        return (keys.key_id(key.public_key) == signature.key_id
                and passkeys.is_good(key, signature.value, message))
    return keys.key_id(key) == signature.key_id and keys.is_good(key, signature.value, message)


def _signature(value: Any) -> Signature:
    if not isinstance(value, dict) or set(value) != {"keyid", "sig"} or not isinstance(value["keyid"], str):
        raise MalformedEnvelope("a signature has exactly keyid and sig")
    signature = _base64(value["sig"])
    if not passkeys.has_possible_length(signature) or len(value["keyid"]) != 64:
        raise MalformedEnvelope("a signature has 64 bytes, or is a passkey's assertion; its key id has 64 hex digits")
    return Signature(value["keyid"], signature)


def _base64(text: Any) -> bytes:
    if not isinstance(text, str):
        raise MalformedEnvelope("base64 text expected")
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedEnvelope("not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise MalformedEnvelope("not canonical base64")
    return raw
