"""The node's disk: its append-only journal and what it keeps over restarts, in SQLite files, `synchronous=FULL`.

Journal entries and kept values of one step are one commit, so a crash never leaves a start without its fate. What is
kept is then kept once more in a second file: when the first is damaged, or was put back to an earlier state, a new
journal begins, but the node still knows what it has aired, obeyed and seen.
"""

import contextlib
import sqlite3
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_bridge.contract.base import write_instant
from firmware_bridge.contract.envelope import encode
from firmware_bridge.contract.messages import FIRST_HASH, Entry, JournalBatch, TimeState, chain
from firmware_bridge.node.crashpoints import Point, Reach, pass_by
from firmware_bridge.node.effects import Keep, Write
from firmware_bridge.node.inputs import JournalMark
from firmware_bridge.node.kept import Damaged, become, connect, is_damage, put, put_all, set_aside, values

BATCH_ENTRIES = 200
BATCH_BYTES = 48 * 1024
_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, previous TEXT NOT NULL,
    entry TEXT NOT NULL);
"""
_ID, _STAND = "journal", "stand"
_OWN = frozenset({_ID, _STAND, "receipted"})
"""What is about this journal and not about the node: a new journal does not inherit it."""


@dataclass(frozen=True)
class Stand:
    """How far a file has come: the number of commits, and the last entry of the journal with its hash."""

    commits: int = 0
    last: int = 0
    head: str = FIRST_HASH

    @classmethod
    def of(cls, kept: Mapping[str, bytes]) -> Self:
        """As kept; a file without one has just begun."""
        if _STAND not in kept:
            return cls()
        commits, last, head = kept[_STAND].decode().split()
        return cls(int(commits), int(last), head)

    def keep(self) -> Keep:
        """To be kept."""
        return Keep(_STAND, f"{self.commits} {self.last} {self.head}".encode())


class Journal:
    """The open files. `broken` names a file that was found damaged and set aside; `lag` says why the copy lags."""

    def __init__(self, main: sqlite3.Connection, twin: sqlite3.Connection, broken: str | None, reach: Reach) -> None:
        self._db, self._twin, self.broken, self._reach = main, twin, broken, reach
        self.lag: str | None = None
        kept = values(main)
        if _ID not in kept:
            kept[_ID] = uuid.uuid4().hex.encode()
            put_all(main, [Keep(_ID, kept[_ID])])
        self.id = kept[_ID].decode()
        self._stand = _stand_of(main, kept)
        if values(twin) != kept:
            become(twin, kept)

    @classmethod
    def open(cls, path: Path, reach: Reach = pass_by) -> Self:
        """Open or create `path` and its copy. What is damaged is kept beside as `….broken-N`, and a new journal begins.

        Raises sqlite3.OperationalError when the disk is full or fails.
        """
        copy = copy_of(path)
        main, twin = _whole(path, _SCHEMA), _whole(copy, "")
        broken = None
        if twin is None:
            set_aside(copy)
            twin = connect(copy)
        kept = values(twin)
        if main is not None and Stand.of(kept).commits > Stand.of(values(main)).commits:
            main.close()
            main = None
        if main is None:
            broken = set_aside(path)
            main = connect(path, _SCHEMA)
            inherited = {key: value for key, value in kept.items() if key not in _OWN}
            become(main, inherited | {_STAND: Stand(Stand.of(kept).commits + 1).keep().value or b""})
        return cls(main, twin, broken, reach)

    def close(self) -> None:
        """Close the files. All that was committed stays."""
        self._db.close()
        self._twin.close()

    def commit(self, writes: Iterable[Write | Keep]) -> None:
        """Carry out the effects in one durable commit. Raises sqlite3.Error, and then nothing is stored."""
        stand = replace(self._stand, commits=self._stand.commits + 1)
        keeps = []
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for one in writes:
                if isinstance(one, Write):
                    stand = self._append(one.entry, stand)
                else:
                    put(self._db, one)
                    keeps.append(one)
            put(self._db, stand.keep())
            self._reach(Point.COMMIT_BEGUN)
        self._stand = stand
        self._reach(Point.COMMITTED)
        self._copy([*keeps, stand.keep()])
        self._reach(Point.COPIED)

    def kept(self) -> dict[str, bytes]:
        """Everything that was kept."""
        return {key: value for key, value in values(self._db).items() if key not in (_ID, _STAND)}

    def mark(self) -> JournalMark:
        """Where the journal stands, and the newest time of which the node was sure when it wrote."""
        (first,) = self._db.execute("SELECT min(seq) FROM journal").fetchone()
        rows = self._db.execute("SELECT entry FROM journal ORDER BY seq DESC LIMIT ?", (BATCH_ENTRIES,))
        written = (Entry.from_bytes(text) for (text,) in rows)
        sure = max((one.at for one in written if one.time_state is TimeState.TRUSTED), default=None)
        return JournalMark(self.id, first or 0, self._stand.last, sure)

    def entries(self, after: int = 0, limit: int = BATCH_ENTRIES) -> list[Entry]:
        """Entries with seq above `after`, oldest first."""
        return _entries(self._db, after, limit)

    def batch(self, node: str, key: Ed25519PrivateKey, after: int) -> bytes | None:
        """The signed envelope of the entries after `after`, as many as fit; None when there are none."""
        rows = self._db.execute(
            "SELECT seq, previous, entry FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", (after, BATCH_ENTRIES))
        taken: list[tuple[int, bytes, bytes]] = []
        size = 0
        for row in rows:
            size += len(row[2])
            if taken and size > BATCH_BYTES:
                break
            taken.append(row)
        if not taken:
            return None
        first, previous, _ = taken[0]
        (oldest,) = self._db.execute("SELECT min(seq) FROM journal").fetchone()
        document = JournalBatch(node=node, journal=self.id, first_seq=first, previous=previous.decode(),
                                entries=tuple(text.decode() for _, _, text in taken), oldest=oldest)
        return encode(document.sign(key))

    def prune(self, through: int, before: datetime, most: int) -> None:
        """Forget entries up to `through` that are older than `before` or more than `most`; the last one stays."""
        with self._db:
            self._db.execute(
                "DELETE FROM journal WHERE seq <= ? AND (at < ? OR seq <= ?) AND seq < ?",
                (through, write_instant(before), self._stand.last - most, self._stand.last))
        self._reach(Point.PRUNED)

    def shrink(self, through: int, most: int) -> None:
        """Let what the server has make room on a full disk, as far as the disk lets it."""
        with contextlib.suppress(sqlite3.OperationalError):
            self.prune(through, datetime.min.replace(tzinfo=UTC), most)
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _append(self, entry: Entry, stand: Stand) -> Stand:
        if entry.seq != stand.last + 1:
            raise sqlite3.IntegrityError(f"entry {entry.seq} cannot follow {stand.last}")
        text = entry.to_bytes().decode()
        self._db.execute("INSERT INTO journal VALUES (?, ?, ?, ?)",
                         (entry.seq, write_instant(entry.at), stand.head, text))
        return replace(stand, last=entry.seq, head=chain(stand.head, text))

    def _copy(self, keeps: list[Keep]) -> None:
        """The second file follows; one that could not is made whole by the next that can."""
        try:
            if self.lag is None:
                put_all(self._twin, keeps)
            else:
                become(self._twin, values(self._db))
                self.lag = None
        except sqlite3.Error as error:
            self.lag = str(error)


def copy_of(path: Path) -> Path:
    """Where the second copy of what `path` keeps lies."""
    return path.with_name(f"{path.stem}-copy{path.suffix}")


def read_entries(path: Path, after: int = 0, limit: int = BATCH_ENTRIES) -> list[Entry]:
    """Entries of a journal that a node may have open at this moment. Raises sqlite3.Error."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=10)
    connection.text_factory = bytes
    try:
        return _entries(connection, after, limit)
    finally:
        connection.close()


def _entries(connection: sqlite3.Connection, after: int, limit: int) -> list[Entry]:
    rows = connection.execute("SELECT entry FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
    return [Entry.from_bytes(text) for (text,) in rows]


def _whole(path: Path, schema: str) -> sqlite3.Connection | None:
    """The open file; None when it is damaged. Raises sqlite3.OperationalError when the disk is full or fails."""
    try:
        connection = connect(path, schema)
    except Damaged:
        return None
    try:
        kept = values(connection)
        if schema:
            _check_chain(connection, kept)
    except (Damaged, ValueError):
        connection.close()
        return None
    return connection


def _stand_of(connection: sqlite3.Connection, kept: Mapping[str, bytes]) -> Stand:
    """As kept, or as a journal of the first release tells by itself."""
    last = connection.execute("SELECT seq, previous, entry FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    if _STAND in kept or last is None:
        return Stand.of(kept)
    return Stand(0, last[0], chain(last[1].decode(), last[2].decode()))


def _check_chain(connection: sqlite3.Connection, kept: Mapping[str, bytes]) -> None:
    """Every entry follows the one before, up to the end that was kept. Raises Damaged, ValueError."""
    head: bytes | None = None
    last = 0
    try:
        for seq, previous, entry in connection.execute("SELECT seq, previous, entry FROM journal ORDER BY seq"):
            if not isinstance(previous, bytes) or not isinstance(entry, bytes):
                raise Damaged(f"entry {seq} is not text")
            if head is not None and (seq != last + 1 or previous != head):
                raise Damaged(f"entry {seq} does not follow {last}")
            last, head = seq, chain(previous.decode(), entry.decode()).encode()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        raise Damaged(str(error)) from error
    stand = Stand.of(kept)
    if _STAND in kept and stand.last and (stand.last, stand.head.encode()) != (last, head):
        raise Damaged(f"the journal ends at {last}, not at {stand.last}")
