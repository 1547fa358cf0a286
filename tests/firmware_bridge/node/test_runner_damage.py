"""A pole whose journal is damaged goes on, repeats nothing, and believes no order that it has outgrown."""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx2
import pytest

from chaos.kills import RECORDINGS, names_of_recordings, signed_statements
from chaos.lone_pole import LonePole
from firmware_bridge.contract.topics import Down
from firmware_bridge.node.effects import Keep, Write
from firmware_bridge.node.inputs import Connected, Tick, Trouble
from tests.firmware_bridge.builders import NOON, Commune, broadcast, by_server, order

NEWS = names_of_recordings()[0]
LENGTHS, SIZES = {NEWS: RECORDINGS[0][1]}, {NEWS: len(RECORDINGS[0][0])}


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client() as made:
        yield made


def aired(data: Path, client: httpx2.Client) -> tuple[LonePole, list[str]]:
    """A pole that has aired `b1` of its second order; and what it lets be heard from now on."""
    heard: list[str] = []
    pole = LonePole(data, client, heard=lambda cue: heard.append(cue.broadcast))
    pole.wake()
    pole.take(Connected())
    pole.receive(Commune().bundle(), Down.TRUST)
    pole.fetch(NEWS, RECORDINGS[0][0], signed_statements()[NEWS])
    pole.receive(numbered(2), Down.ORDER)
    pole.run_for(30)
    assert heard == ["b1"]
    heard.clear()
    return pole, heard


def numbered(version: int) -> bytes:
    return by_server(order(broadcast("b1", NOON, NEWS, latest_s=300), lengths=LENGTHS, sizes=SIZES, version=version))


def again(pole: LonePole, heard: list[str]) -> LonePole:
    """The program starts anew, over the same files."""
    pole.close()
    new = LonePole(pole.data, pole.client, pole.clock, heard=lambda cue: heard.append(cue.broadcast))
    new.wake()
    return new


def test_after_damage_no_older_order_is_accepted_and_nothing_airs_again(tmp_path: Path, client: httpx2.Client) -> None:
    pole, heard = aired(tmp_path, client)
    pole.close()
    raw = (tmp_path / "node.db").read_bytes()
    (tmp_path / "node.db").write_bytes(raw[:len(raw) // 2])
    (tmp_path / "node.db-wal").unlink(missing_ok=True)
    new = again(pole, heard)
    new.receive(numbered(1), Down.ORDER)
    new.run_for(200)
    told = new.runner.entries()
    assert [one.data["reason"] for one in told if one.kind == "order_refused"] == ["older_version"]
    assert any(one.data.get("what") == "journal_broken" for one in told)
    assert heard == []
    assert told[0].seq == 1


def test_a_journal_that_turns_out_damaged_at_work_begins_anew_without_a_restart(
    tmp_path: Path, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    pole, heard = aired(tmp_path, client)
    damaged = sqlite3.DatabaseError("database disk image is malformed")
    damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT

    def failing(writes: Iterable[Write | Keep]) -> None:
        raise damaged

    monkeypatch.setattr(pole.runner._ledger.journal, "commit", failing)
    monkeypatch.setattr("firmware_bridge.node.runner.time.sleep", lambda _: None)
    pole.runner._inbox.put(Trouble("player", "nothing is heard"))
    boot = pole.runner.state.boot
    for _ in range(3):
        pole.runner._inbox.put(Tick())
        assert pole.runner._turn_safely()
    assert pole.runner.state.boot != boot
    pole.run_for(200)
    assert heard == []
    assert [one.data["reason"] for one in pole.runner.entries() if one.kind == "play_missed"] == []
