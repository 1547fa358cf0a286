"""The journal on the disk: durable, chained, signed, and replaced rather than repaired."""

import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue

from firmware_bridge.contract.envelope import decode, good_signers
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.messages import FIRST_HASH, Entry, EntryKind, JournalBatch, chain
from firmware_bridge.node.effects import Keep, Write
from firmware_bridge.node.journal import BATCH_ENTRIES, Journal
from tests.firmware_bridge.builders import NODE, NOON, key, public


def entry(seq: int, **data: JsonValue) -> Write:
    return Write(Entry(seq=seq, at=NOON + timedelta(seconds=seq), kind=EntryKind.BOOT, data=data))


def open_with(path: Path, count: int) -> Journal:
    journal = Journal.open(path)
    journal.commit([entry(number) for number in range(1, count + 1)])
    return journal


def read(batch: bytes | None) -> JournalBatch:
    assert batch
    envelope = decode(batch)
    known = {key_id(public(NODE)): public(NODE)}
    assert good_signers(envelope, known)
    return JournalBatch.from_bytes(envelope.payload)


def test_entries_and_what_is_kept_come_back_together(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "node.db")
    journal.commit([entry(1), Keep("stop", b"yes"), Keep("gone", b"x")])
    journal.commit([entry(2), Keep("gone", None)])
    mark = journal.mark()
    journal.close()
    again = Journal.open(tmp_path / "node.db")
    assert again.mark() == mark
    assert again.kept() == {"stop": b"yes"}
    assert [one.seq for one in again.entries()] == [1, 2]
    assert again.broken is None


def test_a_commit_is_all_or_nothing(tmp_path: Path) -> None:
    journal = open_with(tmp_path / "node.db", 1)
    with pytest.raises(sqlite3.Error):
        journal.commit([entry(2), Keep("a", b"1"), entry(7)])
    assert journal.mark().last == 1
    assert journal.kept() == {}


def test_batches_are_signed_and_chained(tmp_path: Path) -> None:
    journal = open_with(tmp_path / "node.db", 5)
    whole = read(journal.batch(NODE, key(NODE), 0))
    assert (whole.first_seq, whole.previous, len(whole.entries)) == (1, FIRST_HASH, 5)
    rest = read(journal.batch(NODE, key(NODE), 3))
    head = FIRST_HASH
    for text in whole.entries[:3]:
        head = chain(head, text)
    assert (rest.first_seq, rest.previous) == (4, head)
    assert journal.batch(NODE, key(NODE), 5) is None


def test_batches_are_bounded(tmp_path: Path) -> None:
    journal = open_with(tmp_path / "node.db", BATCH_ENTRIES + 50)
    assert len(read(journal.batch(NODE, key(NODE), 0)).entries) <= BATCH_ENTRIES
    big = Journal.open(tmp_path / "big.db")
    big.commit([entry(number, text="x" * 30_000) for number in range(1, 6)])
    assert len(read(big.batch(NODE, key(NODE), 0)).entries) == 1


def test_a_torn_file_is_set_aside_and_a_new_journal_begins(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    journal = open_with(path, 300)
    old = journal.id
    journal.close()
    raw = bytearray(path.read_bytes())
    raw[:200] = b"\x00" * 200
    path.write_bytes(raw)
    fresh = Journal.open(path)
    assert fresh.broken is not None
    assert fresh.id != old
    assert fresh.mark().last == 0
    assert (tmp_path / fresh.broken).read_bytes() == bytes(raw)


def test_a_damaged_page_is_found(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    open_with(path, 2000).close()
    raw = bytearray(path.read_bytes())
    raw[4096 * 3:4096 * 5] = b"\xff" * 8192
    path.write_bytes(raw)
    assert Journal.open(path).broken is not None


def test_pruning_keeps_what_is_young_or_not_receipted_and_the_chain(tmp_path: Path) -> None:
    journal = open_with(tmp_path / "node.db", 10)
    journal.prune(4, NOON + timedelta(days=1), most=100)
    assert [one.seq for one in journal.entries()] == list(range(5, 11))
    journal.prune(10, NOON, most=100)
    assert len(journal.entries()) == 6
    journal.prune(7, NOON, most=4)
    assert [one.seq for one in journal.entries()] == list(range(7, 11))
    journal.prune(10, NOON + timedelta(days=1), most=100)
    assert [one.seq for one in journal.entries()] == [10]
    journal.commit([entry(11)])
    assert journal.mark().last == 11


CRASHER = """
import os, sys
from pathlib import Path
from tests.firmware_bridge.node.test_journal import entry
from firmware_bridge.node.effects import Keep
from firmware_bridge.node.journal import Journal
journal = Journal.open(Path(sys.argv[1]))
number = journal.mark().last
while True:
    number += 1
    journal.commit([entry(number), Keep("last", str(number).encode())])
    os.write(1, f"{number}\\n".encode())
"""


def test_what_was_committed_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", CRASHER, str(path)], stdout=subprocess.PIPE)
        assert child.stdout
        told = [int(child.stdout.readline()) for _ in range(20)]
        child.kill()
        rest = child.stdout.read().split()
        child.wait()
        child.stdout.close()
        last = int(rest[-1]) if rest else told[-1]
        journal = Journal.open(path)
        assert journal.broken is None
        assert last <= journal.mark().last <= last + 1
        assert journal.kept()["last"] == str(journal.mark().last).encode()
        journal.close()


def test_every_commit_reaches_the_disk_before_it_returns(tmp_path: Path) -> None:
    """No kill of a process can show a skipped fsync, only a power cut: so the setting itself is held."""
    journal = Journal.open(tmp_path / "node.db")
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
