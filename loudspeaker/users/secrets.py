"""Secrets that are shown once and kept only as their SHA-256: cookies, tokens, links."""

import hashlib
import secrets


def new_secret() -> str:
    """256 random bits, fit for a URL, a cookie and a header."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Hex SHA-256: what the database keeps. Random secrets of this length need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_of(secret: str) -> str:
    """The CSRF token that goes with a remembered personal link; does not give the link away."""
    return digest("csrf " + secret)
