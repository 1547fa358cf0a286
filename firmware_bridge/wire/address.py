"""Where a broker is, who we are to it, and what it says when we vanish."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Address:
    """One broker and our credentials there. Client id and password are secrets and stay out of `repr`."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    client_id: str = field(repr=False)
    tls: bool = False
    ca: Path | None = None
    """PEM file of the authority to trust instead of the system's."""
    any_name: bool = False
    """The certificate may stand for another name: only for a broker of our own on this machine."""


@dataclass(frozen=True)
class Will:
    """What the broker publishes when the connection ends without a goodbye."""

    topic: str
    payload: bytes
