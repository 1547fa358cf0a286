"""The installation's own keys on disk: made once at first start, readable by the server's user alone."""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_bridge.contract import keys


@dataclass(frozen=True)
class SiteKeys:
    """Server key (orders, commands, receipts, times), root key (trust root) and authority key (approver list)."""

    server: Ed25519PrivateKey
    root: Ed25519PrivateKey
    authority: Ed25519PrivateKey


def load_or_make(folder: Path) -> SiteKeys:
    """The keys under `folder`, making what is missing. Raises ValueError on a damaged file."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SiteKeys(*(_load_or_make(folder / f"{name}.key") for name in ("server", "root", "authority")))


def _load_or_make(path: Path) -> Ed25519PrivateKey:
    if path.exists():
        return keys.private_from_base64(path.read_text().strip())
    key = keys.new_key()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(keys.private_to_base64(key) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key
