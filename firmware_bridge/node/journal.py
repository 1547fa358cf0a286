"""The node's disk: its append-only journal and what it keeps over restarts, in one SQLite file, `synchronous=FULL`.

Journal entries and kept values of one step are one commit, so a crash never leaves a start without its fate.
"""

import sqlite3
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_bridge.contract.base import write_instant
from firmware_bridge.contract.envelope import encode
from firmware_bridge.contract.messages import FIRST_HASH, Entry, JournalBatch, chain
from firmware_bridge.node.effects import Keep, Write
from firmware_bridge.node.inputs import JournalMark

BATCH_ENTRIES = 200
BATCH_BYTES = 48 * 1024
_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, previous TEXT NOT NULL,
    entry TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value BLOB NOT NULL);
"""


class Journal:
    """The open file. `broken` is the id of a journal that was found damaged and set aside."""

    def __init__(self, connection: sqlite3.Connection, path: Path, broken: str | None) -> None:
        self._db, self.path, self.broken = connection, path, broken
        self.id = self._own_id()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create. A damaged file is kept beside as `….broken-N`, and a new journal with a new id begins."""
        broken = None
        try:
            connection = _connect(path)
        except sqlite3.DatabaseError as error:
            broken = _set_aside(path)
            broken = broken or str(error)
            connection = _connect(path)
        return cls(connection, path, broken)

    def close(self) -> None:
        """Close the file. All that was committed stays."""
        self._db.close()

    def commit(self, writes: Iterable[Write | Keep]) -> None:
        """Carry out the effects in one durable commit. Raises sqlite3.Error, and then nothing is stored."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for one in writes:
                if isinstance(one, Write):
                    self._append(one.entry)
                elif one.value is None:
                    self._db.execute("DELETE FROM kept WHERE key = ?", (one.key,))
                else:
                    self._db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (one.key, one.value))

    def kept(self) -> dict[str, bytes]:
        """Everything that was kept."""
        return {key: bytes(value) for key, value in self._db.execute("SELECT key, value FROM kept") if key != "journal"}

    def mark(self) -> JournalMark:
        """Where the journal stands. Its last seq is remembered even when entries are pruned."""
        first, last = self._db.execute("SELECT min(seq), max(seq) FROM journal").fetchone()
        return JournalMark(self.id, first or 0, last or 0)

    def entries(self, after: int = 0, limit: int = BATCH_ENTRIES) -> list[Entry]:
        """Entries with seq above `after`, oldest first."""
        rows = self._db.execute("SELECT entry FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        return [Entry.from_bytes(text.encode()) for (text,) in rows]

    def batch(self, node: str, key: Ed25519PrivateKey, after: int) -> bytes | None:
        """The signed envelope of the entries after `after`, as many as fit; None when there are none."""
        rows = self._db.execute(
            "SELECT seq, previous, entry FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", (after, BATCH_ENTRIES))
        taken: list[tuple[int, str, str]] = []
        size = 0
        for row in rows:
            size += len(row[2])
            if taken and size > BATCH_BYTES:
                break
            taken.append(row)
        if not taken:
            return None
        first, previous, _ = taken[0]
        document = JournalBatch(node=node, journal=self.id, first_seq=first, previous=previous,
                                entries=tuple(text for _, _, text in taken))
        return encode(document.sign(key))

    def prune(self, through: int, before: datetime) -> None:
        """Forget entries up to `through` that are older than `before`; the last one stays, for the chain."""
        with self._db:
            self._db.execute(
                "DELETE FROM journal WHERE seq <= ? AND at < ? AND seq < (SELECT max(seq) FROM journal)",
                (through, write_instant(before)))

    def _append(self, entry: Entry) -> None:
        last = self._db.execute("SELECT seq, previous, entry FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        expected = last[0] + 1 if last else 1
        if entry.seq != expected:
            raise sqlite3.IntegrityError(f"entry {entry.seq} cannot follow {expected - 1}")
        previous = chain(last[1], last[2]) if last else FIRST_HASH
        self._db.execute("INSERT INTO journal VALUES (?, ?, ?, ?)",
                         (entry.seq, write_instant(entry.at), previous, entry.to_bytes().decode()))

    def _own_id(self) -> str:
        found = self._db.execute("SELECT value FROM kept WHERE key = 'journal'").fetchone()
        if found:
            return bytes(found[0]).decode()
        made = uuid.uuid4().hex
        with self._db:
            self._db.execute("INSERT INTO kept VALUES ('journal', ?)", (made.encode(),))
        return made


def _connect(path: Path) -> sqlite3.Connection:
    """An open, whole file. Raises sqlite3.DatabaseError when it is damaged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(_SCHEMA)
        (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _set_aside(path: Path) -> str:
    number = 1
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
    return aside.name
