"""The server's links to its brokers: what is said goes to all of them, what any of them hears comes in."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from firmware_bridge.wire import Address, Backoff, Connection, NotConnected, WireError

RECONNECT = Backoff(0.2, 5.0)


class Link(Protocol):
    """What the bridge needs of `wire.Connection`; the broker in memory has one too."""

    @property
    def connected(self) -> bool:
        """True while messages can be published."""

    def start(self) -> None:
        """Begin to connect."""

    def stop(self) -> None:
        """Say goodbye."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand over one message. Raises WireError."""


class LinkMaker(Protocol):
    """`wire.Connection` itself, or `MemoryBroker.connection`."""

    def __call__(self, addresses: Address | Sequence[Address], subscriptions: Sequence[str],
                 on_message: Callable[[str, bytes, bool], None], on_connected: Callable[[], None],
                 on_disconnected: Callable[[str], None]) -> Link:
        """A link that is not started yet."""


def connect(addresses: Address | Sequence[Address], subscriptions: Sequence[str],
            on_message: Callable[[str, bytes, bool], None], on_connected: Callable[[], None],
            on_disconnected: Callable[[str], None]) -> Link:
    """The server's link over MQTT: it returns within seconds, since all nodes wait for it."""
    return Connection(addresses, subscriptions, on_message, on_connected, on_disconnected, backoff=RECONNECT)


class Links:
    """One link to each of `addresses`, which are independent brokers.

    A node is joined to one of them, nobody here knows to which: so everything is published to all that are there.
    Callbacks run on the thread of the link they are about, which `on_connected` and `on_disconnected` name by its
    place in `addresses`; `on_message` may run on several threads at once.
    """

    def __init__(self, addresses: Sequence[Address], subscriptions: Sequence[str],
                 on_message: Callable[[str, bytes, bool], None], on_connected: Callable[[int], None],
                 on_disconnected: Callable[[int, str], None], make_link: LinkMaker = connect) -> None:
        self._links = tuple(
            make_link(address, subscriptions, on_message, partial(on_connected, at), partial(on_disconnected, at))
            for at, address in enumerate(addresses))

    @property
    def connected(self) -> bool:
        """True while at least one broker is joined."""
        return any(one.connected for one in self._links)

    def start(self) -> None:
        """Begin to connect to all; returns at once."""
        for one in self._links:
            one.start()

    def stop(self) -> None:
        """Send what is queued and say goodbye."""
        for one in self._links:
            one.stop()

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand over one message to every broker that is there. Raises WireError when none took it."""
        taken, failed = False, None
        for one in self._links:
            try:
                one.publish(topic, payload)
                taken = True
            except WireError as error:
                failed = error
        if not taken:
            raise failed or NotConnected(topic)

    def publish_at(self, at: int, topic: str, payload: bytes) -> None:
        """Hand over one message to one broker. Raises WireError."""
        self._links[at].publish(topic, payload)
