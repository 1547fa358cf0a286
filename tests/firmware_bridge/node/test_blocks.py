"""Recordings by way of the broker: over a link that loses, repeats, tears and falls silent."""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.blocks import MAX_BLOCK_BYTES, Block, BlockRequest
from firmware_bridge.node.blocks import LARGEST_WINDOW, BlockSource
from firmware_bridge.node.fetching import NotHad, Part
from firmware_bridge.node.routes import Routes
from firmware_bridge.node.store import Store
from firmware_bridge.wire import NotConnected

RAW = random.Random(3).randbytes(150_000)
NAME = hashlib.sha256(RAW).hexdigest()
Fate = Callable[[bytes], list[bytes]]


class Server:
    """Answers at once, each block as `fate` has it."""

    def __init__(self, fate: Fate = lambda block: [block], raw: bytes = RAW) -> None:
        self.source = BlockSource(self.answer, patience_s=0.02)
        self.asked: list[BlockRequest] = []
        self._fate, self._raw = fate, raw

    def answer(self, payload: bytes) -> None:
        request = BlockRequest.from_bytes(payload)
        self.asked.append(request)
        end = min(len(self._raw), request.offset + request.length)
        for offset in range(request.offset, end, request.block):
            data = self._raw[offset:min(end, offset + request.block)]
            for one in self._fate(Block(ask=request.ask, offset=offset, total=len(self._raw), data=data).to_bytes()):
                self.source.take(one)


def pull(server: Server, folder: Path) -> bytes:
    store = Store(folder)
    with Part(store, NAME, len(RAW)) as part:
        server.source.recording(part, lambda _count: None)
    return store.part(NAME).read_bytes()


def test_a_recording_comes_whole_and_little_is_asked_for_ahead(tmp_path: Path) -> None:
    server = Server()
    assert pull(server, tmp_path) == RAW
    assert max(one.length for one in server.asked) <= LARGEST_WINDOW
    assert sum(one.length for one in server.asked) <= len(RAW) + LARGEST_WINDOW


def test_what_came_by_another_way_is_not_asked_for_again(tmp_path: Path) -> None:
    Store(tmp_path).part(NAME).write_bytes(RAW[:100_000])
    server = Server()
    assert pull(server, tmp_path) == RAW
    assert min(one.offset for one in server.asked) == 100_000


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_lost_repeated_and_torn_blocks_change_nothing(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    draw = random.Random(seed)

    def fate(block: bytes) -> list[bytes]:
        cast = draw.random()
        if cast < 0.02:
            return []
        if cast < 0.04:
            return [block, block]
        return [block[:draw.randrange(len(block) + 1)]] if cast < 0.06 else [block]

    assert pull(Server(fate), tmp_path_factory.mktemp("part")) == RAW


def test_a_new_connection_asks_at_once_for_what_is_missing(tmp_path: Path) -> None:
    server = Server()
    server.source = BlockSource(server.answer, patience_s=30)
    lost = iter([True])

    def fate(block: bytes) -> list[bytes]:
        if next(lost, False):
            server.source.connected()
            return []
        return [block]

    server._fate = fate
    assert pull(server, tmp_path) == RAW


def test_what_the_server_does_not_have_is_told(tmp_path: Path) -> None:
    server = Server(lambda block: [Block(ask=Block.from_bytes(block).ask, offset=0, total=0).to_bytes()])
    with pytest.raises(NotHad, match="does not have it") as told:
        pull(server, tmp_path)
    assert told.value.reached


def test_silence_is_given_up(tmp_path: Path) -> None:
    server = Server(lambda _block: [])
    with pytest.raises(NotHad) as told:
        pull(server, tmp_path)
    assert not told.value.reached


def test_without_a_connection_it_is_given_up_as_well(tmp_path: Path) -> None:
    def gone(_payload: bytes) -> None:
        raise NotConnected

    server = Server()
    server.source = BlockSource(gone, patience_s=0.01)
    with pytest.raises(NotHad):
        pull(server, tmp_path)


def test_blocks_of_an_earlier_question_are_left_aside(tmp_path: Path) -> None:
    server = Server()
    server.source.take(Block(ask=5, offset=0, total=len(RAW), data=b"x" * 100).to_bytes())
    assert pull(server, tmp_path) == RAW


def test_statements_come_the_same_way(tmp_path: Path) -> None:
    server = Server(raw=b"[" + b" " * 9000 + b"]")
    assert server.source.statements(NAME, lambda _count: None) == b"[" + b" " * 9000 + b"]"
    assert {one.what for one in server.asked} == {"statements"}


def test_a_server_that_sends_more_than_was_approved_is_not_followed(tmp_path: Path) -> None:
    server = Server(raw=RAW + b"more")
    with pytest.raises(NotHad, match="more than"):
        pull(server, tmp_path)


def test_a_block_reads_as_it_was_written_and_nothing_else_is_one() -> None:
    block = Block(ask=7, offset=4096, total=5000, data=b"abc")
    assert Block.from_bytes(block.to_bytes()) == block
    for raw in (b"", b"short", Block(ask=1, offset=10, total=5).to_bytes(), bytes(13 + MAX_BLOCK_BYTES)):
        with pytest.raises(MalformedPayload):
            Block.from_bytes(raw)


@given(st.binary(max_size=200))
def test_no_bytes_upset_the_reader_of_blocks(raw: bytes) -> None:
    source = BlockSource(lambda _ask: None)
    source.take(raw)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_broker_is_asked_once_https_has_failed_for_a_minute() -> None:
    https, broker, clock = BlockSource(print), BlockSource(print), Clock()
    routes = Routes(https, broker, lambda: True, clock)
    routes.failed(https)
    clock.now = 59
    assert routes.choose(3600) is https
    clock.now = 61
    assert routes.choose(3600) is broker
    routes.worked(broker)
    clock.now = 601
    assert routes.choose(3600) is https
    routes.failed(https)
    assert routes.choose(3600) is broker
    clock.now = 1300
    assert routes.choose(3600) is https
    routes.worked(https)
    assert routes.choose(3600) is https


def test_what_is_needed_soon_has_less_patience_and_without_a_broker_there_is_only_https() -> None:
    https, broker, clock, up = BlockSource(print), BlockSource(print), Clock(), [True]
    routes = Routes(https, broker, lambda: up[0], clock)
    routes.failed(https)
    clock.now = 11
    assert routes.choose(300) is broker
    up[0] = False
    assert routes.choose(300) is https


def test_a_broker_that_brings_nothing_is_left_alone_for_a_minute() -> None:
    https, broker, clock = BlockSource(print), BlockSource(print), Clock()
    routes = Routes(https, broker, lambda: True, clock)
    routes.failed(https)
    clock.now = 61
    routes.failed(broker)
    assert routes.choose(3600) is https
    clock.now = 122
    assert routes.choose(3600) is broker
