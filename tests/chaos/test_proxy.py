"""The bad link: what it carries, how slowly, and how it breaks."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chaos.proxy import Line, Proxy


@contextmanager
def echoing() -> Iterator[int]:
    """A server that sends everything back; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def echo(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except OSError:
            return


GOOD = Line()


@contextmanager
def through(line: Line = GOOD) -> Iterator[tuple[Proxy, socket.socket]]:
    with echoing() as port, Proxy("127.0.0.1", port, line) as proxy, join(proxy) as client:
        yield proxy, client


def join(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), 5)


def exactly(client: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count and (more := client.recv(65536)):
        got += more
    return got


def test_bytes_pass_unchanged_and_are_counted_each_way() -> None:
    sent = bytes(range(256)) * 1000
    with through(Line(segment=777)) as (proxy, client):
        threading.Thread(target=client.sendall, args=(sent,), daemon=True).start()
        assert exactly(client, len(sent)) == sent
        assert (proxy.carried.up, proxy.carried.down) == (len(sent), len(sent))
        assert proxy.carried.connections == 1
        assert proxy.carried.on_the_wire > 2 * len(sent) * (1 + 40 / 777)


def test_the_end_of_one_side_reaches_the_other() -> None:
    with through() as (_proxy, client):
        client.sendall(b"goodbye")
        client.shutdown(socket.SHUT_WR)
        assert exactly(client, 100) == b"goodbye"


def test_latency_is_added_each_way() -> None:
    with through(Line(latency_s=0.15)) as (_proxy, client):
        began = time.monotonic()
        client.sendall(b"x")
        exactly(client, 1)
        assert time.monotonic() - began >= 0.3


def test_jitter_keeps_the_order() -> None:
    sent = bytes(range(256)) * 20
    with through(Line(jitter_s=0.02, segment=100, loss=0.05, stall_s=0.05)) as (_proxy, client):
        client.sendall(sent)
        assert exactly(client, len(sent)) == sent


def test_the_rate_is_shared_by_all_connections() -> None:
    with through(Line(bytes_per_s=100_000)) as (proxy, client), join(proxy) as second:
        began = time.monotonic()
        for one in (client, second):
            one.sendall(bytes(20_000))
        for one in (client, second):
            assert len(exactly(one, 20_000)) == 20_000
        assert time.monotonic() - began >= 0.38


def test_a_cut_resets_what_is_open_and_new_connections_are_welcome() -> None:
    with through() as (proxy, client):
        client.sendall(b"x")
        exactly(client, 1)
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            exactly(client, 1)
        assert proxy.open_connections == 0
        with join(proxy) as again:
            again.sendall(b"y")
            assert exactly(again, 1) == b"y"


def test_a_connection_is_cut_after_so_many_bytes() -> None:
    with through() as (proxy, client):
        proxy.cut_after([10_000])
        client.sendall(bytes(50_000))
        client.settimeout(5)
        with pytest.raises(ConnectionError):
            exactly(client, 50_000)
        assert 10_000 <= proxy.carried.down < 12_000


def test_a_black_hole_tells_nobody_and_gives_everything_when_it_thaws() -> None:
    with through() as (proxy, client):
        proxy.freeze()
        client.sendall(b"x")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        with join(proxy):
            assert proxy.carried.down == 0
        proxy.thaw()
        client.settimeout(5)
        assert client.recv(1) == b"x"


def test_a_line_that_refuses_resets_who_comes() -> None:
    with through() as (proxy, _client):
        proxy.refuse()
        with pytest.raises(ConnectionError), join(proxy) as refused:
            exactly(refused, 1)
        proxy.refuse(False)
        with join(proxy) as welcome:
            welcome.sendall(b"z")
            assert exactly(welcome, 1) == b"z"
