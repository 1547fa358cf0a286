"""The server's own key on disk, readable by the server's user alone. Root and authority keys never lie here."""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_bridge.contract import keys

SERVER, NEXT = "server.key", "server.next.key"
LEFT_ONLINE = ("root.key", "authority.key")
"""What the first version kept here; `loudspeaker trust take-offline` ends that."""


@dataclass(frozen=True)
class SiteKeys:
    """The server key: orders, commands, receipts, times. Others of it in the folder wait for a root that names them."""

    server: Ed25519PrivateKey


def load_or_make(folder: Path, named: str | None = None) -> SiteKeys:
    """The server key under `folder`, made where there is none; of several the one that the trust root has `named`.

    Raises ValueError on a damaged file.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    waiting = folder / NEXT
    if named is not None and waiting.exists() and keys.public_to_base64(_load_or_make(waiting)) == named:
        waiting.replace(folder / SERVER)
    return SiteKeys(_load_or_make(folder / SERVER))


def next_server_key(folder: Path) -> Ed25519PrivateKey:
    """The server key that will follow, made when first asked for; it takes over when a trust root names it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _load_or_make(folder / NEXT)


def is_next_key(folder: Path, public_key: str) -> bool:
    """Whether the server key that waits is the one with this public half."""
    return (folder / NEXT).exists() and keys.public_to_base64(load(folder / NEXT)) == public_key


def server_keys(folder: Path) -> list[str]:
    """The public halves of the server key and of the one that waits."""
    return [keys.public_to_base64(_load_or_make(one)) for one in (folder / SERVER, folder / NEXT) if one.exists()]


def left_online(folder: Path) -> list[Path]:
    """Root and authority keys that an older version left on the server."""
    return [folder / name for name in LEFT_ONLINE if (folder / name).exists()]


def load(path: Path) -> Ed25519PrivateKey:
    """The key in a file of this folder. Raises OSError, ValueError."""
    return keys.private_from_base64(path.read_text().strip())


def _load_or_make(path: Path) -> Ed25519PrivateKey:
    if path.exists():
        return load(path)
    key = keys.new_key()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(keys.private_to_base64(key) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key
