"""Storing nodes' journals: every entry once, chained without a gap; what contradicts the chain is never taken."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import select, tuple_
from sqlmodel import Session, col

from firmware_bridge.bridge.decode import Journal, JournalLine
from firmware_bridge.contract.messages import FIRST_HASH, Entry, chain
from loudspeaker.database import upsert
from loudspeaker.playbacks.models import JournalEntry, JournalMark

Key: TypeAlias = tuple[str, str]
"""(node, journal id)."""


@dataclass(frozen=True)
class ChainBreak:
    """A node's journal contradicts what it said before: at `seq`, it is a rewritten or a broken chain."""

    node_id: str
    journal_id: str
    seq: int


@dataclass(frozen=True)
class Said:
    """One entry that was stored just now."""

    node_id: str
    journal_id: str
    entry: Entry


@dataclass(frozen=True)
class Lost:
    """Entries that the server never had and the node no longer has: from `first` to `last`, all before `until`."""

    node_id: str
    journal_id: str
    first: int
    last: int
    until: datetime


@dataclass
class Stored:
    """What came of a batch. `fresh` was not stored before; `settled` joined the gapless chain, in its order."""

    fresh: list[Said] = field(default_factory=list)
    settled: list[Said] = field(default_factory=list)
    marks: dict[Key, int] = field(default_factory=dict)
    """Highest gapless seq of every journal that spoke: its receipt."""
    breaks: list[ChainBreak] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)


@dataclass
class _Chain:
    """One journal: the gapless part ends at (seq, hash); `waiting` holds what lies above a gap."""

    node: str
    journal: str
    seq: int = 0
    hash: str = FIRST_HASH
    at: datetime | None = None
    waiting: dict[int, JournalLine] = field(default_factory=dict)
    fresh: list[JournalLine] = field(default_factory=list)
    moved: bool = False

    def contradiction(self, batch: Journal, stored_end: str | None) -> int | None:
        """The seq at which `batch` differs from what is held; `stored_end` is the hash held at its last seq."""
        if batch.last_seq < self.seq:
            ends = batch.lines[-1].hash if batch.lines else batch.previous
            return None if stored_end in (None, ends) else batch.last_seq
        if batch.first_seq <= self.seq + 1:
            follows = batch.first_seq == self.seq + 1
            at_mark = batch.previous if follows else batch.lines[self.seq - batch.first_seq].hash
            if at_mark != self.hash:
                return self.seq
        return next((line.entry.seq for line in batch.lines
                     if line.entry.seq in self.waiting and self.waiting[line.entry.seq].hash != line.hash), None)

    def skip_lost(self, batch: Journal) -> Lost | None:
        """Go on at the oldest entry that the node still has, when it begins `batch` and what is before is gone."""
        if batch.oldest != batch.first_seq or batch.first_seq <= self.seq + 1 or not batch.lines:
            return None
        before = self.waiting.get(batch.first_seq - 1)
        if before is not None and before.hash != batch.previous:
            return None
        lost = Lost(self.node, self.journal, self.seq + 1, batch.first_seq - 1, batch.lines[0].entry.at)
        self.waiting = {seq: line for seq, line in self.waiting.items() if seq >= batch.first_seq}
        self.seq, self.hash, self.moved = batch.first_seq - 1, batch.previous, True
        return lost

    def add(self, batch: Journal) -> None:
        """Hold what is new of `batch`."""
        for line in batch.lines:
            if line.entry.seq > self.seq and line.entry.seq not in self.waiting:
                self.waiting[line.entry.seq] = line
                self.fresh.append(line)

    def advance(self) -> list[JournalLine]:
        """What joins the gapless part now, in order; ends before an entry that does not fit (`broken_at`)."""
        joined: list[JournalLine] = []
        while (line := self.waiting.get(self.seq + 1)) is not None and chain(self.hash, line.text) == line.hash:
            joined.append(self.waiting.pop(self.seq + 1))
            self.seq, self.hash, self.at, self.moved = self.seq + 1, line.hash, line.entry.at, True
        return joined

    @property
    def broken_at(self) -> int | None:
        """After `advance`: the seq of an entry that is here and does not fit the chain."""
        return self.seq + 1 if self.seq + 1 in self.waiting else None

    @property
    def mark(self) -> dict[str, object]:
        """The row of `JournalMark`."""
        return {"node_id": self.node, "journal_id": self.journal, "seq": self.seq, "hash": self.hash, "at": self.at}


def store(session: Session, now: datetime, batches: Sequence[tuple[str, Journal]]) -> Stored:
    """Store (node, batch) pairs whose signatures hold. Repeats and any order of arrival change nothing."""
    result = Stored()
    chains = _load(session, {(node, batch.journal) for node, batch in batches})
    ends = _stored_ends(session, batches, chains)
    for node, batch in batches:
        held = chains[node, batch.journal]
        lost = held.skip_lost(batch)
        result.lost += [lost] if lost else []
        wrong = held.contradiction(batch, ends.get((node, batch.journal, batch.last_seq)))
        if wrong is None:
            held.add(batch)
        else:
            result.breaks.append(ChainBreak(node, batch.journal, wrong))
    for key, held in chains.items():
        result.settled += [Said(*key, line.entry) for line in held.advance()]
        result.fresh += [Said(*key, line.entry) for line in held.fresh]
        result.marks[key] = held.seq
        if held.broken_at is not None:
            result.breaks.append(ChainBreak(*key, held.broken_at))
    _write(session, now, chains.values())
    return result


def _load(session: Session, keys: Iterable[Key]) -> dict[Key, _Chain]:
    chains = {key: _Chain(*key) for key in keys}
    nodes = {node for node, _ in chains}
    marks = session.connection().execute(
        select(col(JournalMark.node_id), col(JournalMark.journal_id), col(JournalMark.seq), col(JournalMark.hash),
               col(JournalMark.at)).where(col(JournalMark.node_id).in_(nodes)))
    for row in marks:
        if (row.node_id, row.journal_id) in chains:
            chains[row.node_id, row.journal_id] = _Chain(*row)
    above = session.connection().execute(
        select(col(JournalEntry.node_id), col(JournalEntry.journal_id), col(JournalEntry.body), col(JournalEntry.hash))
        .outerjoin(JournalMark, (col(JournalMark.node_id) == col(JournalEntry.node_id))
                   & (col(JournalMark.journal_id) == col(JournalEntry.journal_id)))
        .where(col(JournalEntry.node_id).in_(nodes),
               col(JournalMark.seq).is_(None) | (col(JournalEntry.seq) > col(JournalMark.seq))))
    for node, journal, body, hash_ in above:
        if (node, journal) in chains:
            entry = Entry.from_bytes(body.encode())
            chains[node, journal].waiting[entry.seq] = JournalLine(entry, body, hash_)
    return chains


def _stored_ends(session: Session, batches: Sequence[tuple[str, Journal]],
                 chains: dict[Key, _Chain]) -> dict[tuple[str, str, int], str]:
    """The stored hashes at the ends of batches that are wholly known: equal there, equal everywhere before."""
    ends = {(node, batch.journal, batch.last_seq) for node, batch in batches
            if 0 < batch.last_seq < chains[node, batch.journal].seq}
    if not ends:
        return {}
    key = tuple_(col(JournalEntry.node_id), col(JournalEntry.journal_id), col(JournalEntry.seq))
    rows = session.connection().execute(
        select(col(JournalEntry.node_id), col(JournalEntry.journal_id), col(JournalEntry.seq), col(JournalEntry.hash))
        .where(key.in_(ends)))
    return {(row.node_id, row.journal_id, row.seq): row.hash for row in rows}


def _write(session: Session, now: datetime, chains: Iterable[_Chain]) -> None:
    held = list(chains)
    upsert(session, JournalEntry, [
        {"node_id": one.node, "journal_id": one.journal, "seq": line.entry.seq, "at": line.entry.at,
         "received_at": now, "kind": line.entry.kind, "broadcast_id": line.entry.broadcast,
         "recording": line.entry.recording, "body": line.text, "hash": line.hash}
        for one in held for line in one.fresh])
    upsert(session, JournalMark, [one.mark for one in held if one.moved], update=("seq", "hash", "at"))
