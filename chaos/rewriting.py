"""Somebody with the database rewrites history: every kind of edit to every log, clumsy and clever, found or not.

The clever ones make the edited log whole again, as a thief of the server would: hashes, trees and marks all fit.
What they cannot reach are the heads that poles carry.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeAlias

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import keys, merkle
from firmware_bridge.contract.documents import TreeHead
from firmware_bridge.contract.messages import FIRST_HASH, Entry, chain
from loudspeaker.audit.models import AuditEntry
from loudspeaker.audit.service import digest, record
from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.conductor.transparency import seal
from loudspeaker.conductor.verifying import contradictions
from loudspeaker.database import Database
from loudspeaker.migrations import upgrade
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import JournalEntry, JournalMark, Playback
from loudspeaker.playbacks.outcome import Outcome, apply
from loudspeaker.transparency import service as log
from loudspeaker.transparency.models import LoggedDocument, LoggedSubtree

SITE = "xa-minh-tan"
BEGAN = datetime(2026, 3, 1, 5, tzinfo=UTC)
NODES, DAYS = 3, 4
KEY = keys.new_key()
Data: TypeAlias = dict[str, object]


@dataclass
class Result:
    """How many edits were made and which were not found, by kind of edit."""

    edits: int = 0
    missed: Counter[str] = field(default_factory=Counter)


def run(edits: int, seed: int) -> Result:
    """So many edits, one after the other, each on a copy of the same books."""
    result, random = Result(), Random(seed)
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'books.db'}")
        upgrade(database.engine)
        with database.work() as session:
            write_books(session)
        with Session(database.engine) as session:
            if list(contradictions(session)):
                raise AssertionError("the books are not whole to begin with")
            for number in range(edits):
                edit = EDITS[number % len(EDITS)]
                edit(session, random)
                session.flush()
                session.expire_all()
                result.edits += 1
                if next(contradictions(session), None) is None:
                    result.missed[edit.__name__] += 1
                session.rollback()
        database.close()
    return result


def write_books(session: Session) -> None:
    """A commune's books over a few days: acts, signed documents, broadcasts and journals, sealed every night."""
    session.add(Place(id="xa", path="xa/", kind="commune", name="Xã Minh Tân", created_at=BEGAN))
    session.flush()
    names = [f"cum-{number}" for number in range(NODES)]
    for name in names:
        session.add(Node(id=name, place_id="xa", name=name, public_key="", client_id=name, broker_secret="",
                         api_token_hash=name, created_at=BEGAN))
        session.flush()
        session.add(NodeState(node_id=name))
    for day in range(DAYS):
        now = BEGAN + timedelta(days=day)
        for act in range(5):
            record(session, now, "tung", "recording.sign", f"recording:{day}-{act}", "xa", sha256=f"{act:064}")
            log.append(session, now, dsse.sign("application/x", f"statement {day}-{act}".encode(), KEY))
        _broadcast(session, now, f"sang-{day}", names)
        signed = seal(session, now + timedelta(hours=12), SITE, KEY)
    head = TreeHead.from_bytes(signed.payload)
    size = log.size(session)
    assert size == head.size + 1
    for state in session.exec(select(NodeState)):
        state.held_log_size, state.held_log_root = size, log.root(session, size).hex()
        session.add(state)
    session.flush()


def _broadcast(session: Session, now: datetime, name: str, nodes: list[str]) -> None:
    session.add(Broadcast(id=name, place_id="xa", title="Bản tin sáng", start=now, latest_start=now, planned_end=now,
                          created_at=now))
    session.flush()
    for node in nodes:
        played: Data = {"state": "played", "planned_ms": 60_000, "heard_ms": 59_900, "start_error_ms": 12.0,
                        "rms_dbfs": -18.0,
                        "segments": [{"item": "a", "recording": "b" * 64, "at": now.isoformat(), "from_ms": 0}]}
        said: list[tuple[str, str | None, Data]] = [
            ("recording_stored", None, {"bytes": 9}), ("play_start", name, {}), ("play_end", name, played)]
        outcome = Outcome()
        for kind, broadcast, data in said:
            outcome = apply(_journal(session, node, now, kind, broadcast, data), "j1", outcome)
        session.add(Playback(node_id=node, broadcast_id=name, start=now, updated_at=now, **{
            one: getattr(outcome, one) for one in Outcome.__dataclass_fields__} | {"segments": list(outcome.segments)}))
    session.flush()


def _journal(session: Session, node: str, at: datetime, kind: str, broadcast: str | None,
             data: Data) -> Entry:
    mark = session.get(JournalMark, (node, "j1")) or JournalMark(node_id=node, journal_id="j1", seq=0, hash=FIRST_HASH)
    entry = Entry.model_validate({"seq": mark.seq + 1, "at": at, "kind": kind, "broadcast": broadcast, "data": data})
    body = entry.to_bytes().decode()
    mark.seq, mark.hash, mark.at = entry.seq, chain(mark.hash, body), at
    session.add_all([mark, JournalEntry(node_id=node, journal_id="j1", seq=entry.seq, at=at, received_at=at, kind=kind,
                                        broadcast_id=broadcast, body=body, hash=mark.hash)])
    session.flush()
    return entry


# --- the audit log


def _line(session: Session, random: Random) -> AuditEntry:
    """Any line up to the last that a head stands for."""
    return random.choice(session.exec(select(AuditEntry)).all())


def change_a_line(session: Session, random: Random) -> None:
    """One field of one line."""
    line = _line(session, random)
    name, value = random.choice([("act", "recording.revoke"), ("actor_id", "mai"), ("subject", "recording:x"),
                                 ("place_id", "khac"), ("data", {"sha256": "0"}), ("hash", "f" * 64),
                                 ("previous", "e" * 64), ("at", line.at + timedelta(seconds=1))])
    setattr(line, name, value)


def change_a_line_and_make_all_hashes_fit(session: Session, random: Random) -> None:
    """As a thief of the server would."""
    line = _line(session, random)
    line.actor_id = "mai"
    session.flush()
    _chain_audit(session)


def delete_a_line(session: Session, random: Random) -> None:
    """One line is gone."""
    session.delete(_line(session, random))


def delete_a_line_and_make_all_hashes_fit(session: Session, random: Random) -> None:
    """One line is gone, and those after it move up."""
    session.delete(_line(session, random))
    session.flush()
    _chain_audit(session)


def put_in_a_line(session: Session, random: Random) -> None:
    """One line more in the middle, all after it moved on."""
    lines = [one.model_dump() for one in session.exec(select(AuditEntry).order_by(col(AuditEntry.seq)))]
    before = random.randrange(1, len(lines))  # behind the last it would be an act like any other
    forged = lines[before - 1] | {"actor_id": "mai"}
    session.exec(delete(AuditEntry))
    session.expunge_all()
    for number, one in enumerate([*lines[:before], forged, *lines[before:]], 1):
        session.add(AuditEntry(**one | {"seq": number}))
    session.flush()
    _chain_audit(session)


def swap_two_lines(session: Session, random: Random) -> None:
    """Two lines change their places; the chain is made to fit."""
    first, second = random.sample(range(1, 6 * DAYS + 1), 2)
    one, other = session.get_one(AuditEntry, first), session.get_one(AuditEntry, second)
    if one.data == other.data and one.subject == other.subject:
        other.subject = "recording:other"
    for name in ("at", "actor_id", "act", "subject", "data"):
        mine, theirs = getattr(one, name), getattr(other, name)
        setattr(one, name, theirs)
        setattr(other, name, mine)
    session.flush()
    _chain_audit(session)


def cut_the_audit_log_short(session: Session, random: Random) -> None:
    """The newest lines are gone, after a head stood for them."""
    session.exec(delete(AuditEntry).where(col(AuditEntry.seq) >= _line(session, random).seq))


def _chain_audit(session: Session) -> None:
    previous = FIRST_HASH
    lines = session.exec(select(AuditEntry).order_by(col(AuditEntry.seq))).all()
    for expected, line in enumerate(lines, 1):
        if line.seq != expected:
            session.exec(update(AuditEntry).where(col(AuditEntry.seq) == line.seq).values(seq=expected))
            session.expire(line)
            line = session.get_one(AuditEntry, expected)
        line.previous = previous
        line.hash = previous = digest(line)
        session.add(line)
        session.flush()


# --- the public log


def _documents(session: Session) -> list[LoggedDocument]:
    return list(session.exec(select(LoggedDocument).order_by(col(LoggedDocument.position))))


def change_a_document(session: Session, random: Random) -> None:
    """One byte of one entry."""
    one = random.choice(_documents(session))
    at = random.randrange(len(one.envelope))
    one.envelope = one.envelope[:at] + bytes([one.envelope[at] ^ 1]) + one.envelope[at + 1:]


def rewrite_the_public_log(session: Session, random: Random) -> None:
    """Entries changed, dropped, put in, swapped or cut off, and the whole tree built anew."""
    held = [(one.at, one.payload_type, one.envelope) for one in _documents(session)]
    at, other = random.randrange(len(held)), random.randrange(len(held))
    forged = (BEGAN, "application/x", dsse.encode(dsse.sign("application/x", str(random.random()).encode(), KEY)))
    match random.choice(["change", "drop", "put in", "swap", "cut"]):
        case "change":
            held[at] = forged
        case "drop":
            del held[at]
        case "put in":
            held.insert(at, forged)
        case "swap" if at != other:
            held[at], held[other] = held[other], held[at]
        case _:
            del held[at:]
    session.exec(delete(LoggedDocument))
    session.exec(delete(LoggedSubtree))
    session.expunge_all()
    for when, kind, raw in held:
        position = log.size(session)
        session.add(LoggedDocument(position=position, at=when, payload_type=kind, envelope=raw))
        for level, number, value in merkle.completed(
                position, merkle.leaf_hash(raw), lambda *key: session.get_one(LoggedSubtree, key).hash):
            session.add(LoggedSubtree(level=level, number=number, hash=value))
        session.flush()


def delete_a_document(session: Session, random: Random) -> None:
    """One entry is gone."""
    session.delete(random.choice(_documents(session)))


# --- journals and the as-run log


def _entries(session: Session, random: Random) -> list[JournalEntry]:
    node = f"cum-{random.randrange(NODES)}"
    return list(session.exec(select(JournalEntry).where(JournalEntry.node_id == node).order_by(col(JournalEntry.seq))))


def change_an_entry(session: Session, random: Random) -> None:
    """One field of one journal entry."""
    one = random.choice(_entries(session, random))
    spaced = one.body.replace('"seq":', '"seq": ')
    name, value = random.choice([("kind", "fault"), ("broadcast_id", "khac"), ("body", spaced), ("hash", "a" * 64),
                                 ("at", one.at + timedelta(seconds=1)), ("recording", "c" * 64)])
    setattr(one, name, value)


def change_an_entry_and_make_the_chain_fit(session: Session, random: Random) -> None:
    """A missed broadcast becomes a played one, or the like, with chain and mark made anew."""
    entries = _entries(session, random)
    one = random.choice(entries)
    said = json.loads(one.body)
    said["data"] = {**said["data"], "heard_ms": random.randrange(59_000)}
    one.body = json.dumps(said)
    _chain_journal(session, entries)


def delete_an_entry(session: Session, random: Random) -> None:
    """One entry is gone."""
    session.delete(random.choice(_entries(session, random)))


def cut_a_journal_short(session: Session, random: Random) -> None:
    """The newest entries are gone with their playbacks, and the mark says so."""
    entries = _entries(session, random)
    keep = random.randrange(len(entries))
    for one in entries[keep:]:
        if one.broadcast_id is not None:
            session.exec(delete(Playback).where(col(Playback.node_id) == one.node_id,
                                                col(Playback.broadcast_id) == one.broadcast_id))
        session.delete(one)
    session.flush()
    _chain_journal(session, entries[:keep], entries[0].node_id)


def swap_two_entries(session: Session, random: Random) -> None:
    """Two entries change their texts."""
    one, other = random.sample(_entries(session, random), 2)
    one.body, other.body = other.body, one.body


def _chain_journal(session: Session, entries: list[JournalEntry], node: str = "") -> None:
    previous = FIRST_HASH
    for one in entries:
        one.hash = previous = chain(previous, one.body)
        session.add(one)
    mark = session.get_one(JournalMark, (node or entries[0].node_id, "j1"))
    mark.seq, mark.hash = len(entries), previous
    session.add(mark)


def change_a_playback(session: Session, random: Random) -> None:
    """What the as-run log says of one broadcast at one pole."""
    one = random.choice(session.exec(select(Playback)).all())
    name, value = random.choice([("state", "missed"), ("state", "partial"), ("heard_ms", 60_000), ("reason", "power"),
                                 ("seq", 1), ("started_at", BEGAN - timedelta(days=1)), ("rms_dbfs", -60.0),
                                 ("segments", []), ("start_error_ms", 0.0), ("ended_at", None), ("journal_id", "j2")])
    setattr(one, name, value)


def delete_a_playback(session: Session, random: Random) -> None:
    """One airing vanishes from the as-run log."""
    session.delete(random.choice(session.exec(select(Playback)).all()))


def put_in_a_playback(session: Session, random: Random) -> None:
    """An airing that never was."""
    name = hashlib.sha256(str(random.random()).encode()).hexdigest()[:16]
    session.add(Broadcast(id=name, place_id="xa", title="Khống", start=BEGAN, latest_start=BEGAN, planned_end=BEGAN,
                          created_at=BEGAN))
    session.flush()
    session.add(Playback(node_id="cum-0", broadcast_id=name, start=BEGAN, state="played", heard_ms=60_000,
                         journal_id="j1", seq=3, updated_at=BEGAN))


EDITS: tuple[Callable[[Session, Random], None], ...] = (
    change_a_line, change_a_line_and_make_all_hashes_fit, delete_a_line, delete_a_line_and_make_all_hashes_fit,
    put_in_a_line, swap_two_lines, cut_the_audit_log_short, change_a_document, rewrite_the_public_log,
    delete_a_document, change_an_entry, change_an_entry_and_make_the_chain_fit, delete_an_entry, cut_a_journal_short,
    swap_two_entries, change_a_playback, delete_a_playback, put_in_a_playback)
