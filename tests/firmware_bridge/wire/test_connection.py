"""The connection on a real broker, on a broken link, and on a broker that talks nonsense."""

import contextlib
import functools
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from firmware_bridge.bridge.broker import EmbeddedNats, Endpoint, server_user
from firmware_bridge.contract import topics
from firmware_bridge.contract.topics import Down, Up
from firmware_bridge.wire import (
    Address,
    Backoff,
    CannotConnect,
    Congested,
    Connection,
    NotConnected,
    SubscriptionRefused,
    Will,
)
from tests.firmware_bridge.bridge.clients import SITE, Client, CutLink, node_user, wait_until

SERVER, N1, N2 = server_user(), node_user("n1"), node_user("n2")
ORDER, TRUST, HELLO, PRESENCE = (topics.of_node(SITE, "n1", kind)
                                 for kind in (Down.ORDER, Down.TRUST, Up.HELLO, Up.PRESENCE))
SOON = Backoff(0.02, 0.1)
LATER = Backoff(0.6, 0.6)
"""Time for the broker to see that the link is cut: one who returns earlier takes over, and no will is spoken."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNats]:
    broker = EmbeddedNats(tmp_path_factory.mktemp("broker"), SITE)
    broker.set_users([SERVER, N1, N2])
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def server(broker: EmbeddedNats) -> Iterator[Client]:
    with Client(broker.address.address_for(SERVER), topics.of_server(SITE)) as client:
        assert wait_until(lambda: client.connected)
        yield client


@pytest.fixture
def link(broker: EmbeddedNats) -> Iterator[CutLink]:
    link = CutLink(broker.address)
    yield link
    link.close()


class Told:
    """What a connection called back with."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self.connected = 0
        self.reasons: list[str] = []
        self.errors: list[Exception] = []

    def on_message(self, topic: str, payload: bytes, retained: bool) -> None:
        self.messages.append((topic, payload, retained))

    def on_connected(self) -> None:
        self.connected += 1


@contextlib.contextmanager
def joined(addresses: Address | list[Address], told: Told, filters: tuple[str, ...] = (ORDER,),
           will: Will | Callable[[], Will] | None = None, keepalive_s: int = 25, backoff: Backoff = SOON,
           ) -> Iterator[Connection]:
    connection = Connection(addresses, filters, told.on_message, told.on_connected, told.reasons.append, will,
                            on_error=told.errors.append, backoff=backoff, keepalive_s=keepalive_s, draw=lambda: 0.5)
    connection.start()
    try:
        yield connection
    finally:
        connection.stop()


def test_messages_go_both_ways_as_soon_as_it_says_that_it_is_connected(broker: EmbeddedNats, server: Client) -> None:
    told = Told()
    with joined(broker.address.address_for(N1), told) as node:
        assert wait_until(lambda: told.connected == 1)
        node.publish(HELLO, b"hello")
        server.publish(ORDER, b"order")
        assert wait_until(lambda: told.messages == [(ORDER, b"order", False)])
        assert wait_until(lambda: server.payloads() == [b"hello"])
    assert told.reasons == ["stopped"]
    assert told.errors == []


def test_publishing_without_a_connection_is_an_error_and_never_a_silent_drop(broker: EmbeddedNats) -> None:
    told = Told()
    connection = Connection(broker.address.address_for(N1), (), told.on_message, told.on_connected, told.reasons.append)
    with pytest.raises(NotConnected):
        connection.publish(HELLO, b"early")
    connection.start()
    assert wait_until(lambda: connection.connected)
    connection.stop()
    with pytest.raises(NotConnected):
        connection.publish(HELLO, b"late")


def test_what_was_published_before_stopping_still_goes_out(broker: EmbeddedNats, server: Client) -> None:
    with joined(broker.address.address_for(N1), Told()) as node:
        assert wait_until(lambda: node.connected)
        for at in range(500):
            node.publish(HELLO, b"%d" % at)
    assert wait_until(lambda: server.payloads() == [b"%d" % at for at in range(500)])


def test_a_goodbye_keeps_the_will_unspoken_and_a_cut_link_speaks_it(
        broker: EmbeddedNats, server: Client, link: CutLink) -> None:
    with joined(broker.address.address_for(N1), Told(), will=Will(PRESENCE, b"never")) as node:
        assert wait_until(lambda: node.connected)
    told = Told()
    with joined(link.endpoint.address_for(N1), told, will=Will(PRESENCE, b"gone"), backoff=LATER):
        assert wait_until(lambda: told.connected == 1)
        link.cut()
        assert wait_until(lambda: server.payloads() == [b"gone"])


def test_the_will_is_asked_for_anew_before_each_attempt(broker: EmbeddedNats, server: Client, link: CutLink) -> None:
    numbers = itertools.count()
    told = Told()
    with joined(link.endpoint.address_for(N1), told, will=lambda: Will(PRESENCE, b"%d" % next(numbers)), backoff=LATER):
        for times in (1, 2):
            assert wait_until(reached(told, times))
            link.cut()
        assert wait_until(lambda: server.payloads() == [b"0", b"1"])


def test_a_peer_that_fell_silent_is_seen_after_twice_the_keepalive() -> None:
    with Nonsense(b"") as mute:
        told = Told()
        with joined(mute.address_for(N1), told, keepalive_s=1):
            assert wait_until(lambda: told.connected == 1)
            began = time.monotonic()
            assert wait_until(lambda: bool(told.reasons), 10)
            assert 1.5 < time.monotonic() - began < 4
            assert told.reasons == ["Keep alive timeout"]


def test_a_link_that_stalls_and_heals_is_joined_anew(broker: EmbeddedNats, link: CutLink) -> None:
    told = Told()
    with joined(link.endpoint.address_for(N1), told, keepalive_s=1):
        assert wait_until(lambda: told.connected == 1)
        link.stalled.set()
        assert wait_until(lambda: bool(told.reasons), 10)
        link.stalled.clear()
        assert wait_until(lambda: told.connected == 2)


def test_when_one_broker_is_gone_the_next_address_is_taken(broker: EmbeddedNats, link: CutLink) -> None:
    told = Told()
    gone = Endpoint("127.0.0.1", closed_port())
    addresses = [gone.address_for(N1), link.endpoint.address_for(N1), broker.address.address_for(N1)]
    with joined(addresses, told):
        assert wait_until(lambda: told.connected == 1)
        assert [type(error) for error in told.errors] == [CannotConnect]
        assert str(gone.port) in str(told.errors[0])
        link.close()
        assert wait_until(lambda: told.connected == 2)


def test_a_refused_login_says_so_and_shows_no_secret(broker: EmbeddedNats) -> None:
    told = Told()
    wrong = Address(broker.address.host, broker.address.port, "n1", "wrong-password", N1.client_id)
    with joined(wrong, told):
        assert wait_until(lambda: bool(told.errors))
    assert "Not authorized" in str(told.errors[0])
    assert "wrong-password" not in repr(told.errors[0]) + repr(wrong)
    assert N1.client_id not in repr(wrong)


def test_filters_that_are_refused_are_named_and_the_others_work(broker: EmbeddedNats, server: Client) -> None:
    told = Told()
    foreign = topics.of_node(SITE, "n2", Down.ORDER)
    with joined(broker.address.address_for(N1), told, (ORDER, foreign, "#")) as node:
        assert wait_until(lambda: node.connected)
        (refused,) = told.errors
        assert isinstance(refused, SubscriptionRefused)
        assert refused.filters == (foreign, "#")
        server.publish(ORDER, b"order")
        assert wait_until(lambda: len(told.messages) == 1)


def test_filters_can_be_changed_while_connected_and_stay_changed(
        broker: EmbeddedNats, server: Client, link: CutLink) -> None:
    told = Told()
    with joined(link.endpoint.address_for(N1), told) as node:
        for times in (1, 2):
            assert wait_until(reached(told, times))
            node.set_subscriptions((TRUST,))

            def heard() -> bool:
                server.publish(ORDER, b"order")
                server.publish(TRUST, b"trust")
                return told.messages[-1:] == [(TRUST, b"trust", False)]

            assert wait_until(heard)
            told.messages.clear()
            server.publish(ORDER, b"no longer")
            server.publish(TRUST, b"last")
            assert wait_until(lambda: (TRUST, b"last", False) in told.messages)
            assert ORDER not in [topic for topic, _, _ in told.messages]
            link.cut()


def test_a_callback_that_raises_is_reported_and_kills_nothing(broker: EmbeddedNats, server: Client) -> None:
    errors: list[Exception] = []

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    def fail_too(error: Exception) -> None:
        errors.append(error)
        raise RuntimeError("even the listener to errors fails")

    connection = Connection(broker.address.address_for(N1), (ORDER,), fail, fail, fail, on_error=fail_too)
    connection.start()
    assert wait_until(lambda: connection.connected and len(errors) == 1)
    for times in (2, 3):
        server.publish(ORDER, b"order")
        assert wait_until(functools.partial(has_length, errors, times))
    connection.stop()
    assert [type(error) for error in errors] == [ZeroDivisionError] * 4


def test_a_callback_may_publish_and_may_stop_its_own_connection(broker: EmbeddedNats, server: Client) -> None:
    def answer(*_: object) -> None:
        connection.publish(HELLO, b"answer")
        connection.stop()

    told = Told()
    connection = Connection(broker.address.address_for(N1), (ORDER,), answer, told.on_connected, told.reasons.append)
    connection.start()
    assert wait_until(lambda: connection.connected)
    server.publish(ORDER, b"order")
    assert wait_until(lambda: server.payloads() == [b"answer"] and told.reasons == ["stopped"])


def test_a_queue_that_does_not_empty_is_congestion_and_its_loss_is_told() -> None:
    with Nonsense(b"", reads=False) as endpoint:
        told = Told()
        connection = Connection(endpoint.address_for(N1), (ORDER,), told.on_message, told.on_connected,
                                told.reasons.append, queue_bytes=2_000_000, backoff=SOON)
        connection.start()
        assert wait_until(lambda: connection.connected)
        assert wait_until(lambda: is_congested(connection))
        connection.stop()
        assert told.reasons[0].startswith("stopped; ")
        assert told.reasons[0].endswith(" messages unsent")


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0b"])
def test_a_topic_that_is_none_cannot_be_published_to(broker: EmbeddedNats, topic: str) -> None:
    with joined(broker.address.address_for(N1), Told()) as node, pytest.raises(ValueError, match="published"):
        node.publish(topic, b"")


BAD_TOPIC = b"\x30\x05\x00\x02\xff\xfeX"
GOOD_TOPIC = b"\x30\x05\x00\x02abX"


def test_a_topic_that_is_not_text_is_passed_over() -> None:
    with Nonsense(BAD_TOPIC + GOOD_TOPIC) as endpoint:
        told = Told()
        with joined(endpoint.address_for(N1), told):
            assert wait_until(lambda: told.messages == [("ab", b"X", False)])
        assert told.connected == 1


@pytest.mark.parametrize("nonsense", [
    b"\x30\x01\x00", b"\x30\x03\xff\xff\x00", b"\xf0\x00", b"\x90\x00", b"\x20\x00", b"\x30\xff\xff\xff\xff\xff",
    b"\x00\x00", b"\x62\x00", b"\x40\x01\x00", b"\xd0\x00" * 5,
])
def test_a_broker_that_talks_nonsense_is_survived(nonsense: bytes) -> None:
    with Nonsense(nonsense + GOOD_TOPIC) as endpoint:
        told = Told()
        with joined(endpoint.address_for(N1), told):
            assert wait_until(lambda: told.connected >= 2 or bool(told.messages))


def test_stopping_twice_or_without_a_start_or_in_the_middle_of_a_try_is_no_mistake(broker: EmbeddedNats) -> None:
    told = Told()
    connection = Connection(broker.address.address_for(N1), (), told.on_message, told.on_connected, told.reasons.append)
    connection.stop()
    with Nonsense(b"", answers=False) as mute, joined(mute.address_for(N1), told) as trying:
        time.sleep(0.1)
        began = time.monotonic()
        trying.stop()
        assert time.monotonic() - began < 1.5
    assert told.connected == 0


def reached(told: Told, times: int) -> Callable[[], bool]:
    return lambda: told.connected == times


def has_length(things: list[Exception], length: int) -> bool:
    return len(things) == length


def is_congested(connection: Connection) -> bool:
    try:
        connection.publish(HELLO, b"x" * 100_000)
    except Congested:
        return True
    return False


class Nonsense:
    """A broker that welcomes everybody, then says `words`, or none at all."""

    def __init__(self, words: bytes, reads: bool = True, answers: bool = True) -> None:
        self._words, self._reads, self._answers = words, reads, answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Endpoint:
        return Endpoint("127.0.0.1", self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(client,), daemon=True))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self._answers:
                client.recv(4096)
                client.sendall(b"\x20\x02\x00\x00")
                client.recv(4096)
                client.sendall(b"\x90\x03\x00\x01\x00" + self._words)
            client.settimeout(0.05)
            while not self._done.is_set():
                with contextlib.suppress(TimeoutError):
                    if self._reads and not client.recv(4096):
                        return
                    self._done.wait(0.05)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
