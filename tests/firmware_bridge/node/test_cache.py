"""Fetching recordings: resumed, verified, the most urgent first, and never at the cost of what is needed."""

import queue
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from firmware_bridge.node.budget import Leave
from firmware_bridge.node.cache import Cache
from firmware_bridge.node.effects import Fetch, Want
from firmware_bridge.node.fetching import HttpSource, open_client
from firmware_bridge.node.inputs import Arrived, Evicted, Spoiled, Trouble
from firmware_bridge.node.routes import Routes
from firmware_bridge.node.store import Store
from tests.firmware_bridge.builders import approved
from tests.firmware_bridge.node.depot import Depot, serving

NOW = datetime.now(UTC)


def noise(count: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(count)


@contextmanager
def fetching(depot: Depot, store: Store, floor: int = 0) -> Iterator[tuple[Cache, "queue.SimpleQueue[object]"]]:
    reports: queue.SimpleQueue[object] = queue.SimpleQueue()
    with open_client(depot.url, "token") as client:
        cache = Cache(store, Routes(HttpSource(client)), reports.put, floor, draw=lambda: 0.0, first_wait_s=0.02)
        cache.start()
        try:
            yield cache, reports
        finally:
            cache.close()


def want(depot: Depot, *names: str, needed: frozenset[str] = frozenset(), by: datetime = NOW) -> Fetch:
    return Fetch(tuple(Want(one, len(depot.recordings[one]), by) for one in names), needed | set(names))


@pytest.fixture
def depot() -> Iterator[Depot]:
    with serving(Depot()) as held:
        yield held


def test_a_recording_arrives_with_its_statements(depot: Depot, tmp_path: Path) -> None:
    raw = noise(100_000)
    name = depot.add(raw)
    depot.statements[name] = (approved(name), approved(name, "binh"))
    store = Store(tmp_path)
    with fetching(depot, store) as (cache, reports):
        cache.want(want(depot, name))
        arrived = reports.get(timeout=10)
    assert isinstance(arrived, Arrived)
    assert (arrived.recording.sha256, arrived.recording.bytes) == (name, 100_000)
    assert len(arrived.recording.statements) == 2
    assert store.path(name).read_bytes() == raw
    assert not store.part(name).exists()


def test_a_download_cut_thirty_times_resumes_with_few_bytes_more(depot: Depot, tmp_path: Path) -> None:
    raw = noise(1_000_000)
    name = depot.add(raw, approved("0" * 64))
    depot.cut_after = 33_000
    with fetching(depot, Store(tmp_path)) as (cache, reports):
        cache.want(want(depot, name))
        assert isinstance(reports.get(timeout=60), Arrived)
    assert len(depot.requests) > 30
    assert depot.sent_bytes <= 1.05 * len(raw)


def test_a_server_that_ignores_ranges_is_coped_with(depot: Depot, tmp_path: Path) -> None:
    raw = noise(200_000)
    name = depot.add(raw, approved("0" * 64))
    store = Store(tmp_path)
    store.part(name).write_bytes(b"x" * 50_000)
    depot.ranges = False
    with fetching(depot, store) as (cache, reports):
        cache.want(want(depot, name))
        assert isinstance(reports.get(timeout=10), Arrived)
    assert store.path(name).read_bytes() == raw
    assert [asked for path, asked in depot.requests if path.endswith(name)] == ["bytes=50000-"]


def test_other_bytes_are_refused_and_gone(depot: Depot, tmp_path: Path) -> None:
    name = depot.add(noise(10_000), approved("0" * 64))
    depot.recordings[name] = noise(10_000, seed=2)
    store = Store(tmp_path)
    with fetching(depot, store) as (cache, reports):
        cache.want(want(depot, name))
        assert isinstance(reports.get(timeout=10), Spoiled)
    assert not store.path(name).exists()


def test_more_bytes_than_announced_are_not_taken(depot: Depot, tmp_path: Path) -> None:
    name = depot.add(noise(10_000), approved("0" * 64))
    fetch = Fetch((Want(name, 9_000, NOW),), frozenset({name}))
    store = Store(tmp_path)
    with fetching(depot, store) as (cache, reports):
        cache.want(fetch)
        with pytest.raises(queue.Empty):
            reports.get(timeout=0.5)
    assert not store.path(name).exists()


def test_the_soonest_comes_first_even_when_it_is_asked_for_later(depot: Depot, tmp_path: Path) -> None:
    slow, urgent = depot.add(noise(500_000)), depot.add(noise(1_000, seed=2))
    depot.cut_after = 20_000
    with fetching(depot, Store(tmp_path)) as (cache, reports):
        cache.want(want(depot, slow))
        cache.want(want(depot, urgent, slow))
        first = reports.get(timeout=30)
        second = reports.get(timeout=60)
    assert isinstance(first, Arrived)
    assert isinstance(second, Arrived)
    assert [first.recording.sha256, second.recording.sha256] == [urgent, slow]


def test_a_missing_recording_is_tried_again(depot: Depot, tmp_path: Path) -> None:
    name = depot.add(noise(1000), approved("0" * 64))
    raw = depot.recordings.pop(name)
    with fetching(depot, Store(tmp_path)) as (cache, reports):
        cache.want(Fetch((Want(name, 1000, NOW),), frozenset({name})))
        with pytest.raises(queue.Empty):
            reports.get(timeout=0.7)
        depot.recordings[name] = raw
        assert isinstance(reports.get(timeout=10), Arrived)


def test_without_room_only_what_no_order_needs_is_evicted(
    depot: Depot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Store(tmp_path)
    held, spare = "a" * 64, "b" * 64
    for one in (held, spare):
        store.path(one).write_bytes(bytes(5000))
    name = depot.add(noise(6_000), approved("0" * 64))
    monkeypatch.setattr(store, "free_bytes", lambda: 20_000 - sum(
        path.stat().st_size for path in tmp_path.glob("*.ogg")))
    with fetching(depot, store, floor=5_000) as (cache, reports):
        cache.want(want(depot, name, needed=frozenset({held})))
        evicted, arrived = reports.get(timeout=10), reports.get(timeout=10)
    assert evicted == Evicted(spare)
    assert isinstance(arrived, Arrived)
    assert store.path(held).exists()


def test_a_full_disk_is_told_and_nothing_needed_is_dropped(
    depot: Depot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Store(tmp_path)
    held = "a" * 64
    store.path(held).write_bytes(bytes(5000))
    name = depot.add(noise(6_000))
    monkeypatch.setattr(store, "free_bytes", lambda: 1000)
    with fetching(depot, store, floor=5_000) as (cache, reports):
        cache.want(want(depot, name, needed=frozenset({held})))
        trouble = reports.get(timeout=10)
    assert isinstance(trouble, Trouble)
    assert trouble.what == "disk"
    assert store.path(held).exists()


def test_a_fleet_does_not_ask_as_one() -> None:
    cache = Cache.__new__(Cache)
    cache._clock, cache._draw = (lambda: NOW), (lambda: 1.0)
    assert cache._head_start(Want("a" * 64, 1, NOW + timedelta(seconds=30))) == 0
    assert cache._head_start(Want("a" * 64, 1, NOW + timedelta(hours=2))) == pytest.approx(70, abs=2)


def test_once_the_days_bytes_are_spent_only_what_is_pressing_comes(depot: Depot, tmp_path: Path) -> None:
    first, later, urgent = (depot.add(noise(20_000, seed)) for seed in (1, 2, 3))
    soon = Leave(pressing=True)
    with fetching(depot, Store(tmp_path)) as (cache, reports):
        wants = tuple(Want(name, 20_000, NOW, leave) for name, leave in ((first, Leave()), (later, Leave())))
        cache.want(Fetch(wants, frozenset(), bytes_a_day=15_000, day="2026-03-15"))
        with pytest.raises(queue.Empty):
            reports.get(timeout=0.5)
        cache.want(Fetch((*wants, Want(urgent, 20_000, NOW, soon)), frozenset(), 15_000, "2026-03-15"))
        came = reports.get(timeout=10)
        assert isinstance(came, Arrived)
        assert (came.recording.sha256, came.over) == (urgent, "bytes")
        cache.want(Fetch(wants, frozenset(), bytes_a_day=500_000, day="2026-03-16"))
        assert {reports.get(timeout=10).recording.sha256 for _ in wants} == {first, later}  # type: ignore[attr-defined]


def test_what_may_only_be_fetched_at_night_waits_for_it(depot: Depot, tmp_path: Path) -> None:
    name = depot.add(noise(1000))
    later = Want(name, 1000, NOW, Leave(after=NOW + timedelta(hours=3)))
    with fetching(depot, Store(tmp_path)) as (cache, reports):
        cache.want(Fetch((later,), frozenset()))
        with pytest.raises(queue.Empty):
            reports.get(timeout=0.4)
        assert depot.requests == []
        cache.want(Fetch((Want(name, 1000, NOW, Leave(outside=True)),), frozenset()))
        came = reports.get(timeout=10)
    assert isinstance(came, Arrived)
    assert came.over == "hours"


def test_a_scan_finds_what_is_whole_and_deletes_what_is_not(depot: Depot, tmp_path: Path) -> None:
    store = Store(tmp_path)
    raw = noise(1000)
    name = depot.add(raw)
    store.path(name).write_bytes(raw)
    store.path("c" * 64).write_bytes(b"torn")
    assert [one.sha256 for one in store.scan()] == [name]
    assert not store.path("c" * 64).exists()


def test_statements_that_are_no_envelopes_are_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.path("c" * 64).write_bytes(b"x")
    store.keep_statements("c" * 64, b'[{"payloadType": 3}, 7]')
    assert store.statements("c" * 64) == ()
    store.keep_statements("c" * 64, b"no json")
    assert store.statements("c" * 64) == ()
