"""Passwords: argon2id hashes, renewed when the parameters change, and what a new password must be like."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from loudspeaker.errors import InvalidError

SHORTEST = 10
LONGEST = 256
GUESSED_FIRST = frozenset({"1234567890", "0123456789", "matkhau123", "matkhau1234", "password123", "qwertyuiop",
                           "administrator", "loudspeaker", "truyenthanh"})
HASHER = PasswordHasher()
"""argon2id with the low-memory parameters of RFC 9106: 64 MiB, 3 passes, 4 lanes."""

NOBODYS = HASHER.hash("nobody has this password")
"""What a password is compared with where there is no account, so that it takes as long."""


def check_new(password: str, login: str) -> None:
    """Raises InvalidError unless `password` is long enough and not among the first that are guessed."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidError("The password needs at least %(count)s characters.", field="password", count=SHORTEST)
    bare = password.casefold()
    if bare in GUESSED_FIRST or len(set(bare)) < 4 or (len(login) > 3 and login.casefold() in bare):
        raise InvalidError("This password is too easy to guess.", field="password",
                           advice="Choose a few words that only you would put together.")


def matches(stored: str | None, password: str) -> bool:
    """Whether `password` is the one stored. Takes as long for an account that has none or does not exist."""
    try:
        HASHER.verify(stored or NOBODYS, password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return HASHER.check_needs_rehash(stored)
