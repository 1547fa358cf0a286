"""The short way to recordings: the same bytes as the long one, and nothing that is unusual."""

import asyncio
import hashlib
import random
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from audio.store import ContentStore
from loudspeaker.api.hot_lane import HotLane, read_plain
from loudspeaker.conductor.gate import Known, Turnstile
from loudspeaker.conductor.house import House
from loudspeaker.conductor.shelf import Shelf
from loudspeaker.users.secrets import digest

RAW = random.Random(5).randbytes(3_000_000)
NAME = hashlib.sha256(RAW).hexdigest()


@dataclass
class Hot:
    """What the short way needs of a house."""

    shelf: Shelf
    known: Known = field(default_factory=Known)
    turnstile: Turnstile = field(default_factory=Turnstile)
    port: int = 0

    def here(self) -> "House | None":
        """As the house that the short way asks for."""
        return cast("House", self)

    def ask(self, *lines: str, path: str = f"/recordings/{NAME}", token: str = "good") -> socket.socket:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # so that it does not all lie in the kernel
        client.connect(("127.0.0.1", self.port))
        head = [f"GET {path} HTTP/1.1", "Host: here", f"Authorization: Bearer {token}", *lines]
        client.sendall("\r\n".join([*head, "", ""]).encode())
        return client


async def long_way(scope: Any, _receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 299, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


@pytest.fixture
def hot(tmp_path: Path) -> Iterator[Hot]:
    (tmp_path / "sound").write_bytes(RAW)
    store = ContentStore(tmp_path / "store")
    house = Hot(Shelf(store))
    house.shelf.fetch(store.add(tmp_path / "sound"))
    house.known.learn(digest("good"), "cum-1", NAME, time.monotonic())
    lane: Any = partial(HotLane, house=house.here)
    config = uvicorn.Config(long_way, http=lane, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    house.port = listener.getsockname()[1]
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    yield house
    server.should_exit = True
    thread.join()


def answered(client: socket.socket, rest: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """One answer: status, headers, body."""
    client.settimeout(10)
    raw = rest
    while b"\r\n\r\n" not in raw:
        raw += client.recv(65536)
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += client.recv(65536)
    return int(first.split()[1]), headers, body


def test_a_whole_recording_comes_from_memory(hot: Hot) -> None:
    with hot.ask() as client:
        status, headers, body = answered(client)
    assert (status, body == RAW, headers["etag"]) == (200, True, f'"{NAME}"')
    assert hot.turnstile.busy == 0


@pytest.mark.parametrize(("asked", "part"), [("bytes=2999000-", slice(2_999_000, None)), ("bytes=5-9", slice(5, 10)),
                                             ("bytes=-7", slice(-7, None))])
def test_a_part_comes_with_the_bytes_that_it_covers(hot: Hot, asked: str, part: slice) -> None:
    with hot.ask(f"Range: {asked}", f'If-Range: "{NAME}"') as client:
        status, headers, body = answered(client)
    first = part.indices(len(RAW))[0]
    assert (status, body) == (206, RAW[part])
    assert headers["content-range"] == f"bytes {first}-{first + len(body) - 1}/{len(RAW)}"


def test_another_tag_gets_the_whole(hot: Hot) -> None:
    with hot.ask("Range: bytes=5-", 'If-Range: "other"') as client:
        assert answered(client)[0] == 200


def test_several_requests_use_one_connection_and_one_that_comes_early_waits(hot: Hot) -> None:
    with hot.ask() as client:
        time.sleep(0.05)
        client.sendall(f"GET /recordings/{NAME} HTTP/1.1\r\nHost: here\r\n"
                       "Authorization: Bearer good\r\nRange: bytes=0-3\r\n\r\n".encode())
        status, _, body = answered(client)
        assert (status, body[:len(RAW)] == RAW) == (200, True)
        status, _, body = answered(client, body[len(RAW):])
        assert (status, body) == (206, RAW[:4])


def test_a_client_that_reads_slowly_gets_all_and_one_that_leaves_frees_its_place(hot: Hot) -> None:
    with hot.ask() as slow:
        time.sleep(0.2)
        assert hot.turnstile.busy == 1
        assert answered(slow)[2] == RAW
    left = hot.ask()
    left.close()
    deadline = time.monotonic() + 10
    while hot.turnstile.busy and time.monotonic() < deadline:
        time.sleep(0.01)
    assert hot.turnstile.busy == 0


def test_over_tls_it_goes_through_the_transport_piece_by_piece(hot: Hot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HotLane, "_descriptor", lambda _lane: None)
    with hot.ask() as slow:
        time.sleep(0.1)
        assert hot.turnstile.busy == 1
        status, _, body = answered(slow)
    assert (status, body == RAW) == (200, True)
    with hot.ask("Range: bytes=100-199") as part:
        assert answered(part)[2] == RAW[100:200]


def test_whatever_is_unusual_takes_the_long_way(hot: Hot) -> None:
    for client in (hot.ask(token="unknown"), hot.ask(path=f"/recordings/{'0' * 64}"), hot.ask("Cookie: a=b"),
                   hot.ask("Range: bytes=9999999-"), hot.ask("Connection: close"), hot.ask(path="/healthz")):
        with client:
            assert answered(client)[0] == 299


def test_a_token_is_believed_for_seconds_only(hot: Hot) -> None:
    hot.known.learn(digest("old"), "cum-2", NAME, time.monotonic() - 16)
    with hot.ask(token="old") as client:
        assert answered(client)[0] == 299


def test_who_comes_when_all_places_are_taken_is_told_when_to_come_again(hot: Hot) -> None:
    hot.turnstile.at_once = 1
    with hot.ask() as first:
        time.sleep(0.1)
        hot.known.learn(digest("second"), "cum-2", NAME, time.monotonic())
        with hot.ask(token="second") as second:
            status, headers, _ = answered(second)
            assert (status, int(headers["retry-after"]) >= 1) == (503, True)
        assert answered(first)[2] == RAW


@given(st.binary(max_size=300))
def test_no_bytes_upset_the_reader(raw: bytes) -> None:
    assert read_plain(raw) is None
    assert read_plain(b"GET /recordings/" + raw) is None or len(raw) > 64
