"""Disks that are full, fail, or lose their power: what is said to be durable is, and the node goes on."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from chaos.preload import between, cut_power
from firmware_bridge.node.effects import Keep, Write
from firmware_bridge.node.journal import Journal, read_entries
from firmware_bridge.node.ledger import Ledger
from tests.firmware_bridge.node.test_journal import entry


def refused(code: int, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


FULL = refused(sqlite3.SQLITE_FULL, "database or disk is full")
NO_SYNC = refused(sqlite3.SQLITE_IOERR_FSYNC, "disk I/O error")


def is_troubled(ledger: Ledger) -> bool:
    return ledger.trouble is not None


def refuse(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, error: sqlite3.OperationalError, times: int) -> None:
    """The disk refuses the next commits."""
    commit, left = ledger.journal.commit, [error] * times

    def failing(writes: Iterable[Write | Keep]) -> None:
        if left:
            raise left.pop()
        commit(writes)

    monkeypatch.setattr(ledger.journal, "commit", failing)


def used(ledger: Ledger) -> bool:
    return ledger.reserve_used


def written(data: Path) -> list[int]:
    return [one.seq for one in read_entries(data / "node.db")]


def test_a_full_disk_takes_the_reserve_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path)
    ledger.hold_reserve()
    assert (tmp_path / "reserve").stat().st_blocks > 0
    refuse(ledger, monkeypatch, FULL, 1)
    ledger.commit([entry(1)])
    assert (ledger.trouble, used(ledger)) == (None, True)
    assert not (tmp_path / "reserve").exists()
    assert written(tmp_path) == [1]
    ledger.retry()
    assert (tmp_path / "reserve").exists()
    assert not used(ledger)


def test_what_the_disk_refuses_is_remembered_in_order_and_written_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path)
    refuse(ledger, monkeypatch, FULL, 2)
    ledger.commit([entry(1), Keep("seen", b"1 1")])
    ledger.commit([entry(2), Keep("seen", b"1 2")])
    assert is_troubled(ledger)
    assert written(tmp_path) == []
    ledger.commit([entry(3)])
    assert not is_troubled(ledger)
    assert written(tmp_path) == [1, 2, 3]
    assert ledger.journal.kept() == {"seen": b"1 2"}


def test_a_commit_that_cannot_be_synced_takes_no_reserve_but_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path)
    refuse(ledger, monkeypatch, NO_SYNC, 3)
    ledger.commit([entry(1)])
    assert ledger.trouble == "not on the disk: disk I/O error"
    ledger.retry()
    assert ledger.trouble is not None


def test_a_wrong_entry_is_refused_and_not_tried_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with pytest.raises(sqlite3.IntegrityError):
        ledger.commit([entry(7)])
    ledger.commit([entry(1)])
    assert written(tmp_path) == [1]


def test_a_small_disk_keeps_a_small_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware_bridge.node.ledger.shutil.disk_usage", lambda _: _Usage(4 * 2**20, 3 * 2**20))
    Ledger(tmp_path).hold_reserve()
    assert (tmp_path / "reserve").stat().st_size == 2**19


class _Usage:
    def __init__(self, total: int, free: int) -> None:
        self.total, self.free = total, free


FAILING = """
import sys
from pathlib import Path
from firmware_bridge.node.ledger import Ledger
from tests.firmware_bridge.node.test_journal import entry
data, flag = Path(sys.argv[1]), Path(sys.argv[2])
ledger = Ledger(data)
ledger.commit([entry(1)])
flag.touch()
ledger.commit([entry(2)])
print(ledger.trouble)
ledger.commit([entry(3)])
flag.unlink()
ledger.retry()
print(ledger.trouble, [one.seq for one in ledger.journal.entries()])
"""


def test_an_fsync_that_fails_is_told_and_nothing_is_lost_once_it_works_again(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    done = subprocess.run([sys.executable, "-c", FAILING, str(tmp_path / "data"), str(flag)], capture_output=True,
                          text=True, env=between(tmp_path, fails_while=flag), check=True)
    assert done.stdout.splitlines() == ["not on the disk: disk I/O error", "None [1, 2, 3]"]


WRITING = """
import os, sys
from pathlib import Path
from firmware_bridge.node.effects import Keep
from firmware_bridge.node.journal import Journal
from tests.firmware_bridge.node.test_journal import entry
journal = Journal.open(Path(sys.argv[1]))
for number in range(1, 1000):
    journal.commit([entry(number), Keep("last", str(number).encode())])
    os.write(1, f"{number}\\n".encode())
"""


@pytest.mark.parametrize("commits", [1, 40, 150])
def test_what_was_committed_survives_a_power_cut(tmp_path: Path, commits: int) -> None:
    """Only what fsync was called for is there afterwards: an unsynced commit would be lost."""
    synced = tmp_path / "synced"
    child = subprocess.Popen([sys.executable, "-c", WRITING, str(tmp_path / "live" / "node.db")],
                             stdout=subprocess.PIPE, env=between(tmp_path, synced_into=synced))
    assert child.stdout
    for _ in range(commits):
        child.stdout.readline()
    child.kill()
    told = [commits, *map(int, child.stdout.read().split())][-1]
    child.wait()
    child.stdout.close()
    journal = Journal.open(cut_power(tmp_path / "live", synced) / "node.db")
    assert journal.broken is None
    assert told <= journal.mark().last <= told + 1
    assert journal.kept() == {"last": str(journal.mark().last).encode()}
