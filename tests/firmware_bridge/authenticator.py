"""A passkey's authenticator and browser in a few lines, for tests that need many assertions."""

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from firmware_bridge.contract import passkeys
from firmware_bridge.contract.envelope import Envelope, Signature, signed_bytes
from firmware_bridge.contract.keys import key_id, public_to_base64
from firmware_bridge.contract.passkeys import KeyKind, Passkey


@dataclass(frozen=True)
class Authenticator:
    """The passkey that belongs to `name`, always the same."""

    name: str = "hoa's telephone"
    kind: KeyKind = KeyKind.PASSKEY_ES256
    relying_party: str = "loa.example.vn"
    origin: str = "https://loa.example.vn"
    flags: int = 0x05
    """User present and verified."""
    more: dict[str, Any] = field(default_factory=dict)
    """Over the client data that a good browser writes."""
    tail: bytes = b""
    """After the authenticator data."""

    @property
    def key(self) -> EllipticCurvePrivateKey | Ed25519PrivateKey:
        """The private half."""
        seed = hashlib.sha256(self.name.encode()).digest()
        if self.kind is KeyKind.PASSKEY_ED25519:
            return Ed25519PrivateKey.from_private_bytes(seed)
        return derive_private_key(int.from_bytes(seed), SECP256R1())

    @property
    def public_key(self) -> str:
        """The public half in base64."""
        key = self.key
        if isinstance(key, Ed25519PrivateKey):
            return public_to_base64(key)
        return b64encode(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)).decode()

    @property
    def passkey(self) -> Passkey:
        """As a list has it."""
        return Passkey(self.kind, self.public_key, "loa.example.vn", "https://loa.example.vn")

    def assertion(self, message: bytes) -> bytes:
        """What `sig` carries for `message`."""
        said = {"type": "webauthn.get", "challenge": passkeys.challenge(message), "origin": self.origin,
                "crossOrigin": False, **self.more}
        client_data = json.dumps({name: value for name, value in said.items() if value is not None}).encode()
        data = hashlib.sha256(self.relying_party.encode()).digest() + bytes([self.flags]) + bytes(4) + self.tail
        return passkeys.assertion(self._signature(data + hashlib.sha256(client_data).digest()), data, client_data)

    def sign(self, payload_type: str, payload: bytes) -> Envelope:
        """An envelope with this passkey's signature."""
        value = self.assertion(signed_bytes(payload_type, payload))
        return Envelope(payload_type, payload, (Signature(key_id(self.public_key), value),))

    def _signature(self, message: bytes) -> bytes:
        key = self.key
        if isinstance(key, Ed25519PrivateKey):
            return key.sign(message)
        r, s = decode_dss_signature(key.sign(message, ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)
