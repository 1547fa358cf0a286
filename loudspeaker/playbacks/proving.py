"""Proving the as-run log: journals by their hash chains, playbacks by the journal entries that they rest on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from sqlmodel import Session, col, select

from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.messages import FIRST_HASH, Entry, chain
from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.playbacks.models import JournalEntry, JournalMark, Playback, PlaybackState
from loudspeaker.playbacks.outcome import BEGINNINGS, ENDS, Outcome, apply

BLOCK = 1000
WITHOUT_WORD = frozenset({PlaybackState.AWAITING, PlaybackState.MISSED, PlaybackState.UNKNOWN})
"""What a playback may be of which its node has said nothing."""


@dataclass(frozen=True)
class Contradiction:
    """Something stored that cannot be so: in `log`, at `where`; `what` is one of the codes below."""

    log: str
    where: str
    what: str


def journal_contradictions(session: Session) -> Iterator[Contradiction]:
    """Journals whose entries were changed, removed, put in or reordered, or that end before their mark."""
    marks = {(one.node_id, one.journal_id): one for one in session.exec(select(JournalMark))}
    for key, rows in groupby(_entries(session), lambda one: (one.node_id, one.journal_id)):
        yield from _of_journal(key, rows, marks.pop(key, None))
    for (node, journal), mark in marks.items():
        if mark.seq > 0:
            yield Contradiction("journals", f"{node} {journal} 1", "missing")


def playback_contradictions(session: Session) -> Iterator[Contradiction]:
    """Playbacks that say another thing than their nodes' journals, or are missing although a node spoke of them."""
    said = _said(session)
    known = set(session.exec(select(Broadcast.id)))
    for row in session.exec(select(Playback).order_by(col(Playback.node_id), col(Playback.broadcast_id))):
        outcome = said.pop((row.node_id, row.broadcast_id), None)
        if not _fits(row, outcome):
            yield Contradiction("playbacks", f"{row.node_id} {row.broadcast_id}", "altered")
    for node, broadcast in said:
        if broadcast in known:
            yield Contradiction("playbacks", f"{node} {broadcast}", "missing")


def _entries(session: Session) -> Iterator[JournalEntry]:
    return iter(session.exec(select(JournalEntry).order_by(
        col(JournalEntry.node_id), col(JournalEntry.journal_id), col(JournalEntry.seq))
        .execution_options(yield_per=BLOCK)))


def _of_journal(key: tuple[str, str], rows: Iterable[JournalEntry],
                mark: JournalMark | None) -> Iterator[Contradiction]:
    """The first contradiction of one journal: after it nothing can be said."""
    previous, expected, end = FIRST_HASH, 1, mark.seq if mark else 0
    for row in rows:
        place = f"{key[0]} {key[1]} {row.seq}"
        if not _says_what_it_says(row):
            yield Contradiction("journals", place, "altered")
            return
        if row.seq > end:
            if row.seq == expected and chain(previous, row.body) == row.hash:  # it would have joined the chain
                yield Contradiction("journals", place, "mark")
            return
        if row.seq != expected or chain(previous, row.body) != row.hash:
            yield Contradiction("journals", f"{key[0]} {key[1]} {expected}", "broken")
            return
        previous, expected = row.hash, expected + 1
    if mark is not None and (expected <= end or mark.hash != previous):
        yield Contradiction("journals", f"{key[0]} {key[1]} {expected}", "missing" if expected <= end else "mark")


def _says_what_it_says(row: JournalEntry) -> bool:
    """Whether the columns are those of the exact text that the chain covers."""
    try:
        entry = Entry.from_bytes(row.body.encode())
    except MalformedPayload:
        return False
    return (entry.seq, entry.at, entry.kind, entry.broadcast, entry.recording) == (
        row.seq, row.at, row.kind, row.broadcast_id, row.recording)


def _said(session: Session) -> dict[tuple[str, str], Outcome]:
    """What the journals say of each playback."""
    outcomes: dict[tuple[str, str], Outcome] = {}
    rows = session.exec(select(JournalEntry.node_id, JournalEntry.journal_id, JournalEntry.body).where(
        col(JournalEntry.broadcast_id).is_not(None), col(JournalEntry.kind).in_(BEGINNINGS | ENDS)))
    for node, journal, body in rows:
        try:
            entry = Entry.from_bytes(body.encode())
        except MalformedPayload:
            continue  # told among the journals
        key = node, entry.broadcast or ""
        outcomes[key] = apply(entry, journal, outcomes.get(key, Outcome()))
    return outcomes


def _fits(row: Playback, said: Outcome | None) -> bool:
    if said is None:
        return row.state in WITHOUT_WORD and (row.journal_id, row.seq, row.heard_ms, row.started_at) == (
            None, None, 0, None) and not row.segments
    held = Outcome(row.state, row.reason, row.planned_ms, row.heard_ms, row.started_at, row.ended_at,
                   row.start_error_ms, row.peak_dbfs, row.rms_dbfs, tuple(row.segments), row.journal_id, row.seq)
    open_end = said.state == PlaybackState.PLAYING and row.closed_by is not None  # retired while it played
    return row.planned_ms >= said.planned_ms and (open_end or replace(held, planned_ms=said.planned_ms) == said)
