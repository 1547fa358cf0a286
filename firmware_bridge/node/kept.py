"""Values kept over restarts in an SQLite file, `synchronous=FULL`, which tells when its bytes are not as written."""

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from firmware_bridge.node.effects import Keep

_SCHEMA = "CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value BLOB NOT NULL, digest BLOB);"
CHECKPOINT_PAGES = 64
"""The write-ahead log stays this small, so that a full disk's reserve lasts."""
_NOT_THE_FILE = frozenset({
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN})


class Damaged(Exception):
    """The file is not what was written."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite complains about the bytes of a file, not about the disk around it."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF not in _NOT_THE_FILE


def connect(path: Path, schema: str = "") -> sqlite3.Connection:
    """The open file, made when there is none, with its pages checked. Text comes out as bytes.

    Raises Damaged; sqlite3.OperationalError when the disk is full or fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.text_factory = bytes
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        connection.executescript(_SCHEMA + schema)
        _add_digests(connection)
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != b"ok":
            raise Damaged(verdict.decode(errors="replace")[:200])
    except sqlite3.Error as error:
        connection.close()
        if not is_damage(error):
            raise
        raise Damaged(str(error)) from error
    except Damaged:
        connection.close()
        raise
    return connection


def values(connection: sqlite3.Connection) -> dict[str, bytes]:
    """All that is kept, by key. Raises Damaged."""
    found = {}
    try:
        for key, value, digest in connection.execute("SELECT key, value, digest FROM kept"):
            if not isinstance(value, bytes) or digest != _digest(key, value):
                raise Damaged(f"the value of {key!r} was altered")
            found[key.decode()] = value
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        raise Damaged(str(error)) from error
    return found


def put(connection: sqlite3.Connection, keep: Keep) -> None:
    """Keep or forget one value, within the transaction that is open. Raises sqlite3.Error."""
    if keep.value is None:
        connection.execute("DELETE FROM kept WHERE key = ?", (keep.key,))
    else:
        connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)",
                           (keep.key, keep.value, _digest(keep.key.encode(), keep.value)))


def put_all(connection: sqlite3.Connection, keeps: Iterable[Keep]) -> None:
    """Keep them in one durable commit. Raises sqlite3.Error, and then none is kept."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for one in keeps:
            put(connection, one)


def become(connection: sqlite3.Connection, wanted: Mapping[str, bytes]) -> None:
    """Hold exactly `wanted`, by one durable commit. Raises sqlite3.Error."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM kept")
        for key, value in wanted.items():
            put(connection, Keep(key, value))


def set_aside(path: Path) -> str:
    """Rename a file and its write-ahead log to `….broken-N`, for people to look at; the new name."""
    number = 1
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
    return aside.name


def _digest(key: bytes, value: bytes) -> bytes:
    return hashlib.sha256(key + b"\0" + value).digest()[:16]


def _add_digests(connection: sqlite3.Connection) -> None:
    """A file of the first release kept its values without."""
    if any(row[1] == b"digest" for row in connection.execute("PRAGMA table_info(kept)")):
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        held = connection.execute("SELECT key, value FROM kept").fetchall()
        connection.execute("ALTER TABLE kept ADD COLUMN digest BLOB")
        for key, value in held:
            put(connection, Keep(key.decode(), bytes(value)))
