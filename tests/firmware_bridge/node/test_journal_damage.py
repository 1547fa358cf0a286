"""Damaged, torn and put-back files: found at the start, set aside, and never a reason to repeat anything."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_bridge.contract.messages import FIRST_HASH
from firmware_bridge.node.effects import Keep
from firmware_bridge.node.journal import Journal, copy_of
from tests.firmware_bridge.builders import NODE, key
from tests.firmware_bridge.node.test_journal import entry, read

KEPT = {"seen": b"1 7", "fate/b1": b'{"id":"b1"}', "order": b"x" * 9000}


def filled(path: Path, entries: int = 60) -> None:
    """A journal of many commits; every value was kept before the last of them."""
    journal = Journal.open(path)
    for number in range(1, entries):
        journal.commit([entry(number)])
    journal.commit([entry(entries), *(Keep(name, value) for name, value in KEPT.items())])
    journal.close()


def zero_head(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[:200] = bytes(200)
    path.write_bytes(raw)


def cut_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [zero_head, cut_half, Path.unlink])
def test_what_is_kept_outlives_the_journals_file(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "node.db"
    filled(path)
    old = Journal.open(path)
    old.close()
    damage(path)
    journal = Journal.open(path)
    assert journal.broken is not None
    assert journal.id != old.id
    assert journal.mark().last == 0
    assert journal.kept() == KEPT
    journal.commit([entry(1)])
    assert read(journal.batch(NODE, key(NODE), 0)).previous == FIRST_HASH


@pytest.mark.parametrize("damage", [zero_head, cut_half, Path.unlink])
def test_the_copys_file_is_made_anew_from_the_journals(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "node.db"
    filled(path)
    damage(copy_of(path))
    journal = Journal.open(path)
    assert journal.broken is None
    journal.close()
    path.unlink()
    assert Journal.open(path).kept() == KEPT


def test_with_both_files_gone_the_node_is_as_new(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    filled(path)
    zero_head(path)
    zero_head(copy_of(path))
    journal = Journal.open(path)
    assert journal.broken is not None
    assert journal.kept() == {}


def test_a_journal_put_back_to_an_earlier_state_begins_anew_and_reuses_no_number(tmp_path: Path) -> None:
    path, before = tmp_path / "node.db", tmp_path / "before.db"
    journal = Journal.open(path)
    journal.commit([entry(1)])
    old = journal.id
    journal.close()
    shutil.copy(path, before)
    journal = Journal.open(path)
    journal.commit([entry(2), Keep("seen", b"1 8")])
    journal.close()
    shutil.copy(before, path)
    again = Journal.open(path)
    assert again.broken is not None
    assert again.id != old
    assert again.kept() == {"seen": b"1 8"}


def test_a_crash_between_the_file_and_its_copy_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    filled(path)
    shutil.copy(copy_of(path), tmp_path / "older")
    journal = Journal.open(path)
    journal.commit([entry(61), Keep("seen", b"1 9")])
    old = journal.id
    journal.close()
    shutil.copy(tmp_path / "older", copy_of(path))
    again = Journal.open(path)
    assert (again.broken, again.id, again.mark().last) == (None, old, 61)
    again.close()
    path.unlink()
    assert Journal.open(path).kept()["seen"] == b"1 9"


def spoiled(path: Path, where: random.Random) -> None:
    """Cut the file or flip some of its bits."""
    raw = bytearray(path.read_bytes())
    if where.random() < 0.4:
        path.write_bytes(raw[:where.randrange(len(raw))])
        return
    for _ in range(where.choice((1, 1, 4, 64))):
        raw[where.randrange(len(raw))] ^= 1 << where.randrange(8)
    path.write_bytes(raw)


def left_by_a_crash(folder: Path) -> Path:
    """The files as a kill leaves them: the last commits still in the write-ahead logs."""
    journal = Journal.open(folder / "live" / "node.db")
    for number in range(1, 131):
        journal.commit([entry(number), Keep("seen", f"1 {number}".encode())])
    crashed = folder / "crashed"
    shutil.copytree(folder / "live", crashed)
    journal.close()
    return crashed


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_whatever_is_torn_or_flipped_nothing_that_was_kept_is_lost_and_no_chain_forks(
    tmp_path: Path, suffix: str
) -> None:
    """All entries come back unaltered, or a new journal begins; what was kept is known in any case."""
    crashed, where = left_by_a_crash(tmp_path), random.Random(7)
    whole = Journal.open(shutil.copytree(crashed, tmp_path / "whole") / "node.db")
    texts = [one.to_bytes() for one in whole.entries(limit=1000)]
    broken = 0
    for number in range(40):
        folder = shutil.copytree(crashed, tmp_path / f"case{number}")
        spoiled(folder / f"node.db{suffix}", where)
        journal = Journal.open(folder / "node.db")
        assert journal.kept() == {"seen": b"1 130"}
        if journal.broken is None:
            assert [one.to_bytes() for one in journal.entries(limit=1000)] == texts
            assert journal.id == whole.id
        else:
            broken += 1
            assert journal.id != whole.id
        journal.commit([entry(journal.mark().last + 1)])
        journal.close()
        shutil.rmtree(folder)
    assert broken > 5


def test_a_file_of_the_first_release_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    filled(path, 3)
    copy_of(path).unlink()
    with sqlite3.connect(path) as old:
        old.execute("DELETE FROM kept WHERE key = 'stand'")
        old.execute("CREATE TABLE was (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
        old.execute("INSERT INTO was SELECT key, value FROM kept")
        old.execute("DROP TABLE kept")
        old.execute("ALTER TABLE was RENAME TO kept")
    old.close()
    journal = Journal.open(path)
    assert journal.broken is None
    assert journal.kept() == KEPT
    journal.commit([entry(4)])
    journal.close()
    assert Journal.open(path).mark().last == 4
