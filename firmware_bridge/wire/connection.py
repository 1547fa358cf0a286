"""A connection that keeps itself up: its own thread, its own reconnect policy, a bounded queue to send from."""

import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from firmware_bridge.wire.address import Address, Will
from firmware_bridge.wire.backoff import Backoff
from firmware_bridge.wire.errors import CannotConnect, Congested, NotConnected
from firmware_bridge.wire.session import Session

KEEPALIVE_S = 45
"""A peer that fell silent is seen after twice this: 90 s. Shorter costs a pole on 4G a quarter of a megabyte a day."""
STEADY_S = 10.0
"""A connection that held this long was a success: the next wait starts small again."""
GOODBYE_S = 1.0
"""How long `stop` goes on sending what is queued."""
QUEUE_MESSAGES = 20_000
QUEUE_BYTES = 64 * 1024 * 1024


def log_error(error: Exception) -> None:
    """What happens to errors that nobody asked to hear."""
    structlog.get_logger("wire").warning("wire_error", error=str(error), kind=type(error).__name__)


class Connection:
    """Stays joined to one of `addresses`, from `start` to `stop`, taking the next one when one is gone.

    All callbacks run on the connection's own thread and should be short; one that raises is reported to `on_error`.
    `on_connected` comes after the broker confirmed the subscriptions, `on_disconnected(reason)` once for each
    `on_connected`, before it `on_torn(topic, payload so far)` where a message was cut off. `will` may be a function,
    asked before each attempt. What is queued when a connection is lost is dropped and counted in the reason: delivery
    is settled end to end.
    """

    def __init__(
        self,
        addresses: Address | Sequence[Address],
        subscriptions: Sequence[str],
        on_message: Callable[[str, bytes, bool], None],
        on_connected: Callable[[], None],
        on_disconnected: Callable[[str], None],
        will: Will | Callable[[], Will] | None = None,
        *,
        on_error: Callable[[Exception], None] = log_error,
        on_torn: Callable[[str, bytes], None] = lambda _topic, _payload: None,
        backoff: Backoff = Backoff(),  # noqa: B008 - frozen
        keepalive_s: int = KEEPALIVE_S,
        queue_messages: int = QUEUE_MESSAGES,
        queue_bytes: int = QUEUE_BYTES,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._addresses = (addresses,) if isinstance(addresses, Address) else tuple(addresses)
        if not self._addresses:
            raise ValueError("a connection needs at least one address")
        self._filters = tuple(dict.fromkeys(subscriptions))
        self._on_message, self._on_connected, self._on_disconnected = on_message, on_connected, on_disconnected
        self._on_error, self._on_torn = on_error, on_torn
        self._will = will
        self._backoff, self._keepalive_s, self._draw = backoff, keepalive_s, draw
        self._queue_messages, self._queue_bytes = queue_messages, queue_bytes
        self._queue: deque[tuple[str, bytes]] = deque()
        self._queued_bytes = 0
        self._lock = threading.Lock()
        self._connected = False
        self._stopping, self._moving = threading.Event(), threading.Event()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._thread: threading.Thread | None = None

    @property
    def connected(self) -> bool:
        """True between `on_connected` and `on_disconnected`."""
        return self._connected

    def start(self) -> None:
        """Begin to connect; returns at once. A connection is started once."""
        if self._thread is not None:
            raise RuntimeError("a connection is started once")
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send what is queued (up to 1 s), say goodbye and end. May be called twice, and from a callback."""
        self._stopping.set()
        self._wake()
        if self._thread is None:
            self._close_wake()
        elif self._thread is not threading.current_thread():
            self._thread.join(GOODBYE_S + 1.0)

    def publish(self, topic: str, payload: bytes) -> None:
        """Queue a message for sending now. Thread-safe. Raises NotConnected, Congested, ValueError (a wildcard)."""
        if not topic or "+" in topic or "#" in topic or "\0" in topic:
            raise ValueError(f"{topic!r} cannot be published to")
        with self._lock:
            if not self._connected:
                raise NotConnected(topic)
            if len(self._queue) >= self._queue_messages or self._queued_bytes + len(payload) > self._queue_bytes:
                raise Congested(f"{len(self._queue)} messages are waiting")
            self._queue.append((topic, payload))
            self._queued_bytes += len(payload)
        self._wake()

    def set_subscriptions(self, subscriptions: Sequence[str]) -> None:
        """Hold exactly these filters from now on: at once when connected, else with the next connection."""
        self._filters = tuple(dict.fromkeys(subscriptions))
        self._wake()

    def set_addresses(self, addresses: Sequence[Address]) -> None:
        """Be joined to one of these from now on: a connection under way is closed in order, and a new one made."""
        if not addresses:
            raise ValueError("a connection needs at least one address")
        self._addresses = tuple(addresses)
        self._moving.set()
        self._wake()

    def _wake(self) -> None:
        if threading.current_thread() is self._thread:
            return
        try:
            self._wake_write.send(b".")
        except (BlockingIOError, OSError):
            return  # a full pipe wakes as well; a closed one has nobody to wake

    def _run(self) -> None:
        failures = turn = 0
        while not self._stopping.is_set():
            self._moving.clear()
            session = self._open(self._addresses[turn % len(self._addresses)])
            lived = self._serve(session) if session is not None else 0.0
            failures = 1 if lived >= STEADY_S else failures + 1
            turn += 1
            self._stopping.wait(self._backoff.delay_s(failures, len(self._addresses), self._draw()))
        self._close_wake()

    def _close_wake(self) -> None:
        self._wake_read.close()
        self._wake_write.close()

    def _open(self, address: Address) -> Session | None:
        session: Session | None = None

        def attempt() -> None:
            nonlocal session
            will = self._will() if callable(self._will) else self._will
            opened = Session(address, will, self._keepalive_s, self._wake_read, self._deliver, self._report)
            opened.open(self._filters, self._stopping.is_set)
            session = opened

        error = _failure(attempt)
        if error is not None and not self._stopping.is_set():
            self._report(error if isinstance(error, CannotConnect) else CannotConnect(address, repr(error)))
        return session

    def _serve(self, session: Session) -> float:
        """Turn the session until it is lost or we stop. Returns the seconds it lived."""
        since = time.monotonic()
        with self._lock:
            self._connected = True
        self._guarded(self._on_connected)
        error: Exception | None = None
        while error is None and not (self._stopping.is_set() or self._moving.is_set()):
            error = _failure(lambda: self._turn(session))
        if error is None:
            error = _failure(lambda: self._say_goodbye(session))
        elif (torn := session.torn()) is not None:
            self._guarded(self._on_torn, *torn)
        _failure(session.close)
        with self._lock:
            self._connected = False
            unsent = len(self._queue)
            self._queue.clear()
            self._queued_bytes = 0
        why = "stopped" if error is None else str(error) or repr(error)
        self._guarded(self._on_disconnected, f"{why}; {unsent} messages unsent" if unsent else why)
        return time.monotonic() - since

    def _turn(self, session: Session) -> None:
        if session.subscribed != self._filters:
            session.subscribe(self._filters)
        session.turn(0.0 if self._queue and session.writable else 1.0)
        self._send_queued(session)

    def _send_queued(self, session: Session) -> None:
        for _ in range(256):
            if not session.writable:
                return
            with self._lock:
                if not self._queue:
                    return
                topic, payload = self._queue.popleft()
                self._queued_bytes -= len(payload)
            session.publish(topic, payload)

    def _say_goodbye(self, session: Session) -> None:
        deadline = time.monotonic() + GOODBYE_S
        while (self._queue or not session.writable) and time.monotonic() < deadline:
            self._send_queued(session)
            session.turn(0.05 if not session.writable else 0.0)

    def _deliver(self, topic: str, payload: bytes, retained: bool) -> None:
        try:
            self._on_message(topic, payload, retained)
        except Exception as error:  # noqa: BLE001 - as in `_failure`, without its cost for each message
            self._report(error)

    def _guarded(self, callback: Callable[..., None], *arguments: object) -> None:
        error = _failure(lambda: callback(*arguments))
        if error is not None:
            self._report(error)

    def _report(self, error: Exception) -> None:
        failed = _failure(lambda: self._on_error(error))
        if failed is not None:
            log_error(failed)


def _failure(action: Callable[[], object]) -> Exception | None:
    """What `action` raised. The thread must outlive a callback's mistakes and whatever a broker makes paho raise."""
    try:
        action()
    except Exception as error:  # noqa: BLE001
        return error
    return None
