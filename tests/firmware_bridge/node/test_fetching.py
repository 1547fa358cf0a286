"""What a server may answer to a pole, and what the pole makes of it: nothing is believed, and nothing is lost."""

import hashlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.node.fetching import HttpSource, NotHad, Part, open_client, read_retry_after
from firmware_bridge.node.store import Store

RAW = random.Random(7).randbytes(40_000)
NAME = hashlib.sha256(RAW).hexdigest()


@contextmanager
def saying(*answers: bytes) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these bytes, one after the other, whatever is asked; its address, and what was asked."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[str] = []

    def serve() -> None:
        for answer in answers:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(65536).decode())
                connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        listener.close()


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    listed = {"Content-Length": str(len(body)), "Connection": "close"} | {
        name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in listed.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def fetch(url: str, store: Store, check: Callable[[int], None] = lambda _count: None,
          clock: Callable[[], float] = time.monotonic, size: int | None = len(RAW)) -> Part:
    with open_client(url, "token") as client, Part(store, NAME, size) as part:
        HttpSource(client, clock).recording(part, check)
    return part


def begun(folder: Path, count: int = 10_000) -> Store:
    store = Store(folder)
    store.part(NAME).write_bytes(RAW[:count])
    return store


def covering(begin: int, body: bytes, total: int = len(RAW)) -> dict[str, str]:
    return {"Content_Range": f"bytes {begin}-{begin + len(body) - 1}/{total}"}


def test_what_is_missing_is_asked_for_with_the_tag_that_the_beginning_came_with(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rest = RAW[10_000:]
    cut = answer("200 OK", RAW[:10_000], Content_Length=str(len(RAW)), ETag='"one"')
    with saying(cut, answer("206 Partial Content", rest, ETag='"one"', **covering(10_000, rest))) as (url, asked):
        with pytest.raises(NotHad):
            fetch(url, store)
        assert fetch(url, store).is_whole
    assert "range: bytes=10000-" in asked[1].lower()
    assert 'if-range: "one"' in asked[1].lower()
    assert store.admit(NAME)


@pytest.mark.parametrize(("status", "headers"), [
    ("206 Partial Content", covering(9_000, RAW[9_000:])),
    ("206 Partial Content", {}),
    ("206 Partial Content", {"Content_Range": "bytes 10000-39999/999999"}),
    ("206 Partial Content", {"Content_Range": "pages 1-2/3"}),
    ("302 Found", {"Location": "http://127.0.0.1:1/elsewhere"}),
    ("301 Moved Permanently", {"Location": "/recordings/other"}),
    ("204 No Content", {}),
    ("404 Not Found", {}),
    ("500 Internal Server Error", {}),
    ("206 Partial Content", {"Content_Encoding": "gzip", **covering(10_000, RAW[10_000:])}),
])
def test_an_answer_that_does_not_continue_what_is_here_leaves_it_untouched(
        tmp_path: Path, status: str, headers: dict[str, str]) -> None:
    store = begun(tmp_path)
    with saying(answer(status, RAW[9_000:], **headers)) as (url, asked), pytest.raises(NotHad):
        fetch(url, store)
    assert store.part(NAME).read_bytes() == RAW[:10_000]
    assert len(asked) == 1


def test_a_server_that_has_less_than_is_here_makes_it_begin_anew(tmp_path: Path) -> None:
    store = begun(tmp_path)
    with saying(answer("416 Range Not Satisfiable"), answer("200 OK", RAW)) as (url, asked):
        with pytest.raises(NotHad):
            fetch(url, store)
        assert fetch(url, store).is_whole
    assert "range:" not in asked[1].lower()


@pytest.mark.parametrize(("named", "least", "most"), [("7", 7, 7), ("999999", 3600, 3600), ("soon", None, None)])
def test_a_busy_server_is_asked_again_when_it_says(
        tmp_path: Path, named: str, least: float | None, most: float | None) -> None:
    with saying(answer("503 Service Unavailable", Retry_After=named)) as (url, _asked), pytest.raises(NotHad) as told:
        fetch(url, begun(tmp_path))
    assert told.value.after_s == least == most
    assert told.value.reached


def test_a_body_that_ends_too_soon_keeps_what_came(tmp_path: Path) -> None:
    store = Store(tmp_path)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3e8\r\n" + RAW[:1000]
    with saying(chunked + b"\r\n0\r\n\r\n") as (url, _asked), pytest.raises(NotHad, match="ended after 1000"):
        fetch(url, store)
    assert store.part(NAME).read_bytes() == RAW[:1000]


def test_a_body_that_does_not_end_is_broken_off_and_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path)
    endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + RAW + b"more"
    with saying(endless) as (url, _asked), pytest.raises(NotHad, match="more than"):
        fetch(url, store)
    assert store.part_bytes(NAME) == 0


def test_a_size_that_nobody_approved_is_refused_before_a_byte_is_taken(tmp_path: Path) -> None:
    taken: list[int] = []
    with saying(answer("200 OK", RAW + b"x")) as (url, _asked), pytest.raises(NotHad, match="40001 bytes"):
        fetch(url, Store(tmp_path), taken.append)
    assert taken == []


def test_a_trickle_is_given_up_after_a_minute(tmp_path: Path) -> None:
    minutes = iter(range(0, 100_000, 61))
    trickle = answer("200 OK", RAW[:200], Content_Length=str(len(RAW)))
    with saying(trickle) as (url, _asked), pytest.raises(NotHad, match="too slow") as told:
        fetch(url, Store(tmp_path), clock=lambda: float(next(minutes)))
    assert not told.value.reached


def test_nobody_there_is_told_apart_from_a_server_that_refuses(tmp_path: Path) -> None:
    with pytest.raises(NotHad) as told:
        fetch("http://127.0.0.1:9", Store(tmp_path))
    assert not told.value.reached


def test_a_part_that_is_longer_than_the_recording_begins_anew(tmp_path: Path) -> None:
    store = begun(tmp_path)
    with saying(answer("200 OK", RAW[:5_000])) as (url, asked):
        assert fetch(url, store, size=5_000).is_whole
    assert "range:" not in asked[0].lower()


def test_a_date_to_come_back_at_is_understood() -> None:
    noon = datetime(2026, 3, 15, 5, 0, tzinfo=UTC)
    assert read_retry_after(format_datetime(noon), noon.timestamp() - 30) == 30
    assert read_retry_after(format_datetime(noon), noon.timestamp() + 30) == 0


@given(st.text(max_size=40))
def test_whatever_a_server_names_as_its_patience_is_survived(named: str) -> None:
    after = read_retry_after(named, 0.0)
    assert after is None or 0 <= after <= 3600
