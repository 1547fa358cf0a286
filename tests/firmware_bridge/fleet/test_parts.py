"""Lines, players and disks of the fleet behave as their real twins do."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.bridge.decode import Journal, Received, decode
from firmware_bridge.contract import keys
from firmware_bridge.contract.messages import Entry
from firmware_bridge.contract.topics import Up, of_node
from firmware_bridge.fleet.disk import VirtualDisk
from firmware_bridge.fleet.line import RETRY_S, Line, Way
from firmware_bridge.fleet.player import VirtualPlayer
from firmware_bridge.node.effects import Cue, Play, Silence, Write
from firmware_bridge.node.inputs import CueEnded, CueStarted

NOON = datetime(2026, 3, 15, 5, 0, tzinfo=UTC)
KEY = keys.new_key()
chances = st.tuples(st.floats(0, 0.999), st.floats(0, 0.999))


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 5000), chances), max_size=20))
def test_a_line_keeps_the_order_and_is_never_faster_than_its_latency(
        sent: list[tuple[float, int, tuple[float, float]]]) -> None:
    line, now, last = Line(latency_s=0.05, jitter_s=0.1, loss=0.2, bytes_s=10_000.0), 0.0, 0.0
    way = Way(line)
    for wait, size, draws in sent:
        now += wait
        arrives = way.arrival(now, size, draws)
        assert arrives >= max(last, now + 0.05 + size / 10_000.0 - 1e-9)
        last = arrives


def test_what_is_lost_comes_again_after_a_while() -> None:
    assert Way(Line(loss=0.5)).arrival(10.0, 100, (0.0, 0.4)) == 10.0 + RETRY_S


def cue(number: int, seconds: float = 10.0) -> Cue:
    return Cue(number, f"b{number}", 0, "ab" * 32, 0, round(seconds * 1000), 100)


def told(player: VirtualPlayer, mono: float) -> list[CueStarted | CueEnded]:
    found = []
    while (one := player.report(mono)) is not None:
        found.append(one)
    return found


def test_a_cue_begins_and_ends_at_its_instants() -> None:
    player = VirtualPlayer()
    player.play(Play(cue(1), 100.0), 98.0)
    assert (player.next_due(), told(player, 99.0)) == (100.0, [])
    begun, ended = told(player, 111.0)
    assert begun == CueStarted(1, 100.0)
    assert isinstance(ended, CueEnded)
    assert (ended.started, ended.heard_ms, ended.whole) == (100.0, 10_000, True)


def test_a_later_cue_cuts_what_sounds() -> None:
    player = VirtualPlayer()
    player.play(Play(cue(1), 100.0), 98.0)
    player.play(Play(cue(2), 104.0), 98.0)
    assert [type(one) for one in told(player, 104.0)] == [CueStarted, CueEnded, CueStarted]
    assert [(one.broadcast, one.to_ms) for one in player.heard] == [("b1", 4000)]


@pytest.mark.parametrize(("at", "heard_ms"), [(99.0, 0), (103.0, 3000), (200.0, 10_000)])
def test_silence_ends_a_cue_where_it_says(at: float, heard_ms: int) -> None:
    player = VirtualPlayer()
    player.play(Play(cue(1), 100.0), 98.0)
    player.silence(Silence(1, at), 98.0)
    (*_, ended) = told(player, 300.0)
    assert isinstance(ended, CueEnded)
    assert (ended.heard_ms, ended.whole) == (heard_ms, heard_ms == 10_000)


def written(count: int) -> VirtualDisk:
    disk = VirtualDisk()
    disk.commit(Write(Entry(seq=seq, at=NOON + timedelta(hours=seq), kind="boot")) for seq in range(1, count + 1))
    return disk


def read(disk: VirtualDisk, after: int) -> Journal:
    batch = disk.batch("pole-1", KEY, after)
    assert batch is not None
    found = decode(of_node("s", "pole-1", Up.JOURNAL), batch, "s", lambda _node: keys.public_to_base64(KEY), NOON)
    assert isinstance(found, Received)
    assert isinstance(found.message, Journal)
    return found.message


def test_the_journal_is_a_chain_that_the_server_believes() -> None:
    disk = written(10)
    whole, rest = read(disk, 0), read(disk, 4)
    assert (whole.first_seq, whole.last_seq, rest.first_seq, rest.last_seq) == (1, 10, 5, 10)
    assert rest.previous == whole.lines[3].hash
    assert disk.batch("pole-1", KEY, 10) is None


def test_a_pruned_journal_goes_on_in_the_same_chain() -> None:
    disk = written(10)
    before = read(disk, 6)
    disk.prune(6, NOON + timedelta(hours=100), 1000)
    assert (disk.mark().first, disk.mark().last) == (7, 10)
    assert read(disk, 6) == before
    disk.prune(10, NOON + timedelta(hours=100), 1000)
    assert (disk.mark().first, disk.mark().last) == (10, 10)
