"""Passkeys as signing keys: what binds one to the pages of this server, and what its signatures are checked with."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from firmware_bridge.contract.passkeys import KeyKind, Passkey
from loudspeaker.errors import InvalidError

CREDENTIAL_ID = re.compile(r"[A-Za-z0-9_-]{1,1400}")


@dataclass(frozen=True)
class Binding:
    """Where a passkey may be used, and how the browser finds it again (base64url, no padding)."""

    kind: KeyKind
    relying_party: str
    origin: str
    credential_id: str

    def said(self) -> dict[str, str]:
        """Its part of the statement of possession."""
        return {"kind": self.kind, "relying_party": self.relying_party, "origin": self.origin}

    def verifier(self, public_key: str) -> Passkey:
        """What its signatures are checked with."""
        return Passkey(self.kind, public_key, self.relying_party, self.origin)


def check_binding(binding: Binding, host: str) -> None:
    """Raises InvalidError unless it is a passkey of the page at `host` (name and port, as the browser asked for it).

    Browsers know passkeys only on https pages, and on this very machine.
    """
    page = urlsplit(binding.origin)
    safe = page.scheme == "https" or (page.scheme == "http" and page.hostname == "localhost")
    ours = page.netloc == host and page.hostname == binding.relying_party and binding.origin == _bare(binding.origin)
    if binding.kind == KeyKind.ED25519 or not safe or not ours or not CREDENTIAL_ID.fullmatch(binding.credential_id):
        raise InvalidError("This passkey does not belong to this page.", field="proof",
                           advice="Open the page at its usual https address and make the passkey there.")


def _bare(origin: str) -> str:
    page = urlsplit(origin)
    return f"{page.scheme}://{page.netloc}"
