"""What the wire hands over waits here, bounded, until the server's one writer drains it in batches."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog

from firmware_bridge.bridge.decode import Malformed, Received, Why, decode

WAITING = 50_000
"""Messages that may wait. More are dropped and counted: nodes repeat what was not receipted."""
SAY_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True)
class Batch:
    """What came in since the last drain, in order of arrival."""

    received: tuple[Received, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    dropped: int = 0
    """Messages lost because the inbox was full."""


_Waiting: TypeAlias = tuple[str, bytes, bool, datetime]
"""Topic, payload, retained, instant of arrival."""


class Complaints:
    """Counts malformed messages per reason, and says which are worth a line in the log: one per node and minute."""

    def __init__(self) -> None:
        self.counts: Counter[Why] = Counter()
        self._said: dict[str, datetime] = {}

    def worth_saying(self, complaint: Malformed, now: datetime) -> bool:
        """Count `complaint`; True when its node was not complained about within the last minute."""
        self.counts[complaint.why] += 1
        if now - self._said.get(complaint.node, now - SAY_AGAIN) < SAY_AGAIN:
            return False
        self._said = {node: at for node, at in self._said.items() if now - at < SAY_AGAIN}
        self._said[complaint.node] = now
        return True


class Inbox:
    """One queue between the wire's thread (`put`) and the ingest loop's thread (`drain`)."""

    def __init__(self, site: str, public_key_of: Callable[[str], str | None], now: Callable[[], datetime],
                 waiting: int = WAITING) -> None:
        self.complaints = Complaints()
        self._site, self._public_key_of, self._now = site, public_key_of, now
        self._waiting: deque[_Waiting] = deque()
        self._most = waiting
        self._dropped = 0
        self._arrived = threading.Event()
        self._closed = False

    @property
    def depth(self) -> int:
        """Messages waiting now."""
        return len(self._waiting)

    def put(self, topic: str, payload: bytes, retained: bool = False) -> None:
        """Take a message from the wire. Never blocks; what does not fit is counted in the next batch."""
        if len(self._waiting) >= self._most:
            self._dropped += 1
            return
        self._waiting.append((topic, payload, retained, self._now()))
        if not self._arrived.is_set():
            self._arrived.set()

    def close(self) -> None:
        """Wake a waiting `drain`; from now on it does not wait."""
        self._closed = True
        self._arrived.set()

    def drain(self, max_messages: int = 500, wait_s: float = 0.05, idle_s: float = 1.0) -> Batch:
        """Wait up to `idle_s` for a first message, then collect for `wait_s` or until `max_messages`; decode them."""
        taken = self._take(max_messages, wait_s, idle_s)
        dropped, self._dropped = self._dropped, 0
        received: list[Received] = []
        malformed: list[Malformed] = []
        for one in taken:
            read = self._read(one)
            if isinstance(read, Received):
                received.append(read)
            else:
                malformed.append(read)
                self._complain(read, one[3])
        if dropped:
            structlog.get_logger("inbox").error("inbox_full", dropped=dropped)
        return Batch(tuple(received), tuple(malformed), dropped)

    def _take(self, max_messages: int, wait_s: float, idle_s: float) -> list[_Waiting]:
        if not self._arrived.wait(0 if self._closed else idle_s):
            return []
        deadline = time.monotonic() + wait_s
        while len(self._waiting) < max_messages and (left := deadline - time.monotonic()) > 0 and not self._closed:
            time.sleep(min(left, 0.005))
        self._arrived.clear()  # before taking: what arrives from here on sets it again
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), max_messages))]
        if self._waiting or self._closed:
            self._arrived.set()
        return taken

    def _read(self, one: _Waiting) -> Received | Malformed:
        topic, payload, retained, at = one
        read = decode(topic, payload, self._site, self._public_key_of, at)
        if retained:
            return Malformed(read.node, topic, Why.RETAINED, "nothing in this protocol is retained")
        return read

    def _complain(self, complaint: Malformed, now: datetime) -> None:
        if self.complaints.worth_saying(complaint, now):
            structlog.get_logger("inbox").warning(
                "malformed_message", node=complaint.node, topic=complaint.topic, why=complaint.why,
                detail=complaint.detail)
