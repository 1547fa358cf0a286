"""The broker's twin in memory, for tests: same users, same rights, no sockets."""

import queue
import threading
from collections.abc import Callable, Iterable, Sequence

from firmware_bridge.bridge.broker.base import BrokerError, BrokerUser, Endpoint, checked_users
from firmware_bridge.contract import topics
from firmware_bridge.wire import Address, CannotConnect, NotConnected, SubscriptionRefused, Will
from firmware_bridge.wire.connection import log_error

Delivery = Callable[[], None]


class MemoryBroker:
    """Delivers on one thread of its own, in the order of publishing. `connection` makes clients of it."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._users: dict[str, BrokerUser] = {}
        self._clients: dict[str, MemoryConnection] = {}
        self._lock = threading.RLock()
        self._deliveries: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> Endpoint:
        """A name only; nothing listens there."""
        return Endpoint("memory", 1)

    @property
    def addresses(self) -> tuple[Endpoint, ...]:
        """The one address."""
        return (self.address,)

    def start(self) -> None:
        """Begin to deliver."""
        if self._thread is not None:
            raise BrokerError("the broker already runs")
        self._thread = threading.Thread(target=self._run, name="memory-broker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Drop every client, then end; may be called twice."""
        for client in list(self._clients.values()):
            self.drop(client, "the broker stopped", speak_will=False)
        thread, self._thread = self._thread, None
        if thread is not None:
            self._deliveries.put(None)
            thread.join()

    def set_users(self, users: Iterable[BrokerUser]) -> None:
        """These and no others: who is gone or changed credentials is cut off."""
        listed = {one.username: one for one in checked_users(users)}
        with self._lock:
            self._users = listed
            clients = list(self._clients.values())
        for client in clients:
            if self._login(client.address) is None:
                self.drop(client, "the user was removed")
            else:
                client.keep_allowed()

    def healthy(self) -> bool:
        """True between start and stop."""
        return self._thread is not None

    def show_certificate(self) -> None:
        """There is none."""

    def connection(
        self,
        addresses: Address | Sequence[Address],
        subscriptions: Sequence[str],
        on_message: Callable[[str, bytes, bool], None],
        on_connected: Callable[[], None],
        on_disconnected: Callable[[str], None],
        will: Will | Callable[[], Will] | None = None,
        *,
        on_error: Callable[[Exception], None] = log_error,
    ) -> "MemoryConnection":
        """A client that looks like `wire.Connection`; it does not reconnect by itself: `start` it again."""
        address = addresses if isinstance(addresses, Address) else addresses[0]
        return MemoryConnection(self, address, subscriptions, on_message, on_connected, on_disconnected, will, on_error)

    def join(self, client: "MemoryConnection") -> None:
        """Log a client in; an older one with the same client id is thrown out. Raises CannotConnect."""
        with self._lock:
            if self._thread is None:
                raise CannotConnect(client.address, "the broker is down")
            if self._login(client.address) is None:
                raise CannotConnect(client.address, "Not authorized")
            older = self._clients.get(client.address.client_id)
        if older is not None:
            self.drop(older, "another client took over the client id")
        self._clients[client.address.client_id] = client

    def leave(self, client: "MemoryConnection") -> None:
        """A goodbye: the will is forgotten."""
        self.drop(client, "stopped", speak_will=False)

    def drop(self, client: "MemoryConnection", why: str, speak_will: bool = True) -> None:
        """Cut a client off, as a lost link does: its will is published if it has the right."""
        with self._lock:
            if self._clients.get(client.address.client_id) is not client:
                return
            del self._clients[client.address.client_id]
        will = client.current_will
        if speak_will and will is not None:
            self.publish(client.address.username, will.topic, will.payload)
        self._deliveries.put(lambda: client.lost(why))

    def publish(self, username: str, topic: str, payload: bytes) -> None:
        """Hand a message to everybody who subscribed to it; without the right it goes nowhere."""
        with self._lock:
            user = self._users.get(username)
            if user is None or not self._may_publish(user, topic):
                return
            for client in self._clients.values():
                if client.wants(topic):
                    self._deliveries.put(lambda to=client: to.deliver(topic, payload))  # type: ignore[misc]

    def allowed_filter(self, address: Address, topic_filter: str) -> bool:
        """True when the user may subscribe to this filter."""
        user = self._login(address)
        if user is None:
            return False
        if user.rights is None:
            return topic_filter.startswith(f"{topics.ROOT}/{self._site}/")
        return topic_filter in user.rights.subscribe

    def _may_publish(self, user: BrokerUser, topic: str) -> bool:
        if user.rights is None:
            return topic.startswith(f"{topics.ROOT}/{self._site}/")
        return topic in user.rights.publish

    def _login(self, address: Address) -> BrokerUser | None:
        user = self._users.get(address.username)
        return user if user is not None and user.password == address.password else None

    def _run(self) -> None:
        while (delivery := self._deliveries.get()) is not None:
            delivery()


class MemoryConnection:
    """A client of the broker in memory, with the manners of `wire.Connection`."""

    def __init__(self, broker: MemoryBroker, address: Address, subscriptions: Sequence[str],
                 on_message: Callable[[str, bytes, bool], None], on_connected: Callable[[], None],
                 on_disconnected: Callable[[str], None], will: Will | Callable[[], Will] | None,
                 on_error: Callable[[Exception], None]) -> None:
        self.address = address
        self.current_will: Will | None = None
        self._broker = broker
        self._filters = tuple(subscriptions)
        self._held: tuple[str, ...] = ()
        self._on_message, self._on_connected, self._on_disconnected = on_message, on_connected, on_disconnected
        self._will, self._on_error = will, on_error
        self._connected = False

    @property
    def connected(self) -> bool:
        """True while the broker knows us."""
        return self._connected

    def start(self) -> None:
        """Join; a refusal goes to `on_error`."""
        self.current_will = self._will() if callable(self._will) else self._will
        try:
            self._broker.join(self)
        except CannotConnect as error:
            self._on_error(error)
            return
        self._connected = True
        self.set_subscriptions(self._filters)
        self._on_connected()

    def stop(self) -> None:
        """Say goodbye."""
        self._broker.leave(self)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish now. Raises NotConnected."""
        if not self._connected:
            raise NotConnected(topic)
        self._broker.publish(self.address.username, topic, payload)

    def set_subscriptions(self, subscriptions: Sequence[str]) -> None:
        """Hold exactly these filters; those not allowed go to `on_error`."""
        self._filters = tuple(dict.fromkeys(subscriptions))
        refused = tuple(one for one in self._filters if not self._broker.allowed_filter(self.address, one))
        self._held = tuple(one for one in self._filters if one not in refused)
        if refused and self._connected:
            self._on_error(SubscriptionRefused(refused))

    def keep_allowed(self) -> None:
        """Let go of the filters that are no longer allowed."""
        self._held = tuple(one for one in self._held if self._broker.allowed_filter(self.address, one))

    def wants(self, topic: str) -> bool:
        """True when a held filter matches."""
        return any(matches(one, topic) for one in self._held)

    def deliver(self, topic: str, payload: bytes) -> None:
        """A message from the broker."""
        if self._connected:
            self._on_message(topic, payload, False)

    def lost(self, why: str) -> None:
        """The broker let go of us."""
        if self._connected:
            self._connected = False
            self._on_disconnected(why)


def matches(topic_filter: str, topic: str) -> bool:
    """True when an MQTT filter (`+` one level, `#` the rest) covers `topic`."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        return len(levels) >= len(wanted) - 1 and all(
            one in ("+", level) for one, level in zip(wanted[:-1], levels, strict=False))
    return len(wanted) == len(levels) and all(one in ("+", level) for one, level in zip(wanted, levels, strict=True))
