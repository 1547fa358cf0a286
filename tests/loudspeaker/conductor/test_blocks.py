"""Recordings by way of the broker, the server's side: each node in turn, none too fast, only what is approved."""

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract.blocks import Block, BlockRequest
from firmware_bridge.wire import NotConnected
from loudspeaker.bulletins.models import Recording
from loudspeaker.conductor.blocks import MOST_REQUESTS, BlockDesk, BlockQueue, Content, whole_of
from tests.loudspeaker.commune import Commune, approved, ready

NAME = "a" * 64


def ask(offset: int = 0, length: int = 8192, number: int = 1, block: int = 4096) -> BlockRequest:
    return BlockRequest(ask=number, sha256=NAME, offset=offset, length=length, block=block)


def drained(queue: BlockQueue, seconds: float, step: float = 0.001) -> dict[str, int]:
    """Bytes that each node gets within some virtual time, when there is always more."""
    sent: Counter[str] = Counter()
    now = 0.0
    while now < seconds:
        due = queue.next(now)
        if isinstance(due, tuple):
            node, request, done = due
            count = min(request.block, request.length - done)
            queue.sent(node, request, count)
            sent[node] += count
        else:
            now += max(step, min(due, seconds))
    return sent


def test_all_nodes_get_their_share_and_together_no_more_than_the_rate() -> None:
    queue = BlockQueue(0.0, total_rate=400_000, node_rate=1e9)
    for number in range(20):
        queue.ask(f"pole-{number}", ask(length=1_000_000), 0.0)
    sent = drained(queue, 5.0)
    assert sum(sent.values()) <= 5.25 * 400_000 + 4096
    assert max(sent.values()) - min(sent.values()) <= 2 * 4096


@given(st.integers(1, 30))
def test_one_node_gets_no_more_than_its_own_rate(nodes: int) -> None:
    queue = BlockQueue(0.0, total_rate=1e9, node_rate=100_000)
    for number in range(nodes):
        queue.ask(f"pole-{number}", ask(length=1_000_000), 0.0)
    assert all(count <= 1.25 * 100_000 + 4096 for count in drained(queue, 1.0, 0.01).values())


def test_a_request_that_continues_waits_and_one_that_begins_anew_replaces() -> None:
    queue = BlockQueue(0.0, 1e9, 1e9)
    queue.ask("pole", ask(0, 8192, 1), 0.0)
    queue.ask("pole", ask(8192, 8192, 2), 0.0)
    due = queue.next(0.0)
    assert isinstance(due, tuple)
    assert due[1].ask == 1
    queue.ask("pole", ask(4096, 8192, 3), 0.0)
    queue.sent("pole", due[1], 4096)
    due = queue.next(0.0)
    assert isinstance(due, tuple)
    assert (due[1].ask, due[2]) == (3, 0)


def test_a_node_that_asks_without_end_waits_no_longer_than_others_can() -> None:
    queue = BlockQueue(0.0, 1e9, 1e9)
    for number in range(100):
        queue.ask("pole", ask(number * 8192, 8192, number), 0.0)
    assert drained(queue, 1.0)["pole"] <= MOST_REQUESTS * 8192
    assert queue.nodes == 0


def answers(desk: BlockDesk, sent: list[Block], count: int, *requests: BlockRequest) -> list[Block]:
    desk.start()
    for one in requests:
        desk.ask("pole", one)
    deadline = time.monotonic() + 10
    while len(sent) < count and time.monotonic() < deadline:
        time.sleep(0.005)
    desk.stop()
    return sent


def test_what_is_asked_for_comes_in_blocks_up_to_its_end() -> None:
    raw, sent = bytes(range(256)) * 40, list[Block]()
    desk = BlockDesk(lambda _sha, _what: Content(len(raw), lambda at, count: raw[at:at + count]),
                     lambda _node, block: sent.append(block))
    got = answers(desk, sent, 3, ask(0, 1_000_000))
    assert b"".join(one.data for one in got) == raw
    assert [(one.offset, one.total) for one in got] == [(0, len(raw)), (4096, len(raw)), (8192, len(raw))]


def test_what_is_not_there_is_told_at_once() -> None:
    sent = list[Block]()
    desk = BlockDesk(lambda _sha, _what: None, lambda _node, block: sent.append(block))
    assert answers(desk, sent, 1, ask()) == [Block(ask=1, offset=0, total=0)]


def test_a_broker_that_is_gone_ends_no_thread() -> None:
    sent, failing = list[Block](), [True]

    def send(_node: str, block: Block) -> None:
        if failing.pop() if failing else False:
            raise NotConnected
        sent.append(block)

    desk = BlockDesk(lambda _sha, _what: Content(4, lambda at, count: b"abcd"[at:at + count]), send)
    desk.start()
    desk.ask("pole", ask())
    deadline = time.monotonic() + 10
    while failing and time.monotonic() < deadline:
        time.sleep(0.005)
    desk.ask("pole", ask(number=2))
    while not sent and time.monotonic() < deadline:
        time.sleep(0.005)
    desk.stop()
    assert [one.ask for one in sent] == [2]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nodes_get_what_is_approved_with_its_statements_and_nothing_else(commune: Commune) -> None:
    whole = whole_of(commune.house)
    _, statement = approved(commune)
    sound, signed = whole(statement.recording, "recording"), whole(statement.recording, "statements")
    assert sound is not None
    assert signed is not None
    assert sound.read(0, sound.total) == commune.house.store.path_of(statement.recording).read_bytes()
    assert signed.read(0, 2) == b"[{"
    with commune.house.database.read() as session:
        waiting = session.get_one(Recording, ready(commune)).sha256
    assert waiting is not None
    assert whole(waiting, "recording") is None
    assert whole("0" * 64, "statements") is None
