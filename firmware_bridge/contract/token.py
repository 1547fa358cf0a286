"""The word that makes a new controller a pole: short enough to type, and enough to trust nobody in between.

It is single-use and expires. It names the server and carries the hashes of what the controller must find there: the
authority of the server's certificate and the trust root. Who answers with anything else is a stranger.

Bytes: one of form (version 1 in the high half; bit 0: an authority's hash follows, bit 1: no TLS), 10 of secret, 16 of
the trust root's hash, perhaps 16 of the authority's, the server's address, and 2 to find typing errors. Written in
Crockford's base32 (no I, L, O, U) in groups of five.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field

SECRET_BYTES = 10
HASH_BYTES = 16
"""Of a SHA-256: nobody finds another document with the same 128 bits."""
CHECK_BYTES = 2
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUP = 5
MAX_TEXT = 600
_FORM = 0x10
_HAS_AUTHORITY, _NO_TLS = 0x01, 0x02
_LOOKALIKES = str.maketrans("OIL", "011")
_ADDRESS = re.compile(r"([a-z0-9.-]{1,253}|\[[0-9a-f:]{2,39}\])(:[1-9]\d{0,4})?")


class BadToken(ValueError):
    """The text is no token, or was mistyped."""


def short_hash(content: bytes) -> bytes:
    """The first 16 bytes of SHA-256, as tokens carry it."""
    return hashlib.sha256(content).digest()[:HASH_BYTES]


def new_secret() -> bytes:
    """80 random bits: single-use, and guessed at only over the network."""
    return secrets.token_bytes(SECRET_BYTES)


@dataclass(frozen=True)
class Token:
    """What a token says. `authority` is None where the system's authorities vouch for the server."""

    server: str
    """`https://host:port`; plain http only inside one machine or behind another protection."""
    secret: bytes = field(repr=False)
    root: bytes
    """`short_hash` of the trust root's envelope, byte for byte."""
    authority: bytes | None = None
    """`short_hash` of the certificate (DER) of the authority that signs the server's."""

    def to_text(self) -> str:
        """The token as people see it: upper-case letters and digits in groups of five."""
        scheme, _, address = self.server.partition("://")
        if scheme not in ("https", "http") or not _ADDRESS.fullmatch(address):
            raise ValueError(f"{self.server} cannot stand in a token")
        form = _FORM | (_HAS_AUTHORITY if self.authority else 0) | (_NO_TLS if scheme == "http" else 0)
        said = bytes([form]) + self.secret + self.root + (self.authority or b"") + address.encode()
        letters = _encode(said + _check(said))
        return "-".join(letters[at:at + GROUP] for at in range(0, len(letters), GROUP))

    @classmethod
    def from_text(cls, text: str) -> "Token":
        """Read what was scanned or typed; case, blanks and hyphens do not count. Raises BadToken."""
        raw = _decode(text)
        said, check = raw[:-CHECK_BYTES], raw[-CHECK_BYTES:]
        if len(said) < 2 + SECRET_BYTES + HASH_BYTES or _check(said) != check:
            raise BadToken("the token was mistyped, or a part of it is missing")
        if said[0] & ~(_HAS_AUTHORITY | _NO_TLS) != _FORM:
            raise BadToken("the token is of another version of Loudspeaker")
        rest = said[1 + SECRET_BYTES + HASH_BYTES:]
        own = HASH_BYTES if said[0] & _HAS_AUTHORITY else 0
        address = rest[own:].decode("ascii", "replace")
        if not _ADDRESS.fullmatch(address):
            raise BadToken("the token names no server")
        return cls(server=f"{'http' if said[0] & _NO_TLS else 'https'}://{address}", secret=said[1:1 + SECRET_BYTES],
                   root=said[1 + SECRET_BYTES:1 + SECRET_BYTES + HASH_BYTES], authority=rest[:own] or None)


def _check(said: bytes) -> bytes:
    return hashlib.sha256(said).digest()[:CHECK_BYTES]


def _encode(raw: bytes) -> str:
    bits = len(raw) * 8
    digits = -(-bits // 5)
    value = int.from_bytes(raw, "big") << (digits * 5 - bits)
    return "".join(LETTERS[value >> 5 * (digits - 1 - at) & 31] for at in range(digits))


def _decode(text: str) -> bytes:
    letters = re.sub(r"[\s-]+", "", text).upper().translate(_LOOKALIKES)
    if not letters or len(text) > MAX_TEXT or set(letters) - set(LETTERS):
        raise BadToken("this is no token: it is made of letters and digits in groups of five")
    value = 0
    for letter in letters:
        value = value << 5 | LETTERS.index(letter)
    spare = len(letters) * 5 % 8
    if spare >= 5 or value & ((1 << spare) - 1):
        raise BadToken("the token was mistyped, or a part of it is missing")
    return (value >> spare).to_bytes(len(letters) * 5 // 8, "big")
