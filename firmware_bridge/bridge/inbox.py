"""What the wire hands over waits here, bounded, until the server's one writer drains it in batches."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

import structlog

from firmware_bridge.bridge.decode import Malformed, Received, Why, decode
from firmware_bridge.bridge.throttle import Throttle
from firmware_bridge.contract.topics import BadTopic, Up, parse_up

WAITING = 50_000
"""Messages that may wait. More are dropped and counted: nodes repeat what was not receipted."""
BATCH = 4000
"""Messages drained at once when they wait: a node's row is then written once for all it said meanwhile."""
WAITING_BYTES = 256 * 1024 * 1024
SHARE = 600
"""Messages of one node that are taken within each `SHARE_S`, so that none crowds out the others. A node at work sends
one in forty seconds; one that brings in the journal of a week, a few each second."""
SHARE_S = 10
SAY_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True)
class Batch:
    """What came in since the last drain, in order of arrival."""

    received: tuple[Received, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    dropped: int = 0
    """Messages lost because the inbox was full."""
    alarms: tuple["Alarm", ...] = ()
    """What a person should hear of, at most one for each node, reason and minute."""


class AlarmReason(StrEnum):
    """Why somebody should look at a node."""

    FLOODING = "flooding"
    """It sends more than its share; the rest is dropped."""
    FORGED_JOURNAL = "forged_journal"
    """What came as its journal is not signed by its key, or is another's."""


@dataclass(frozen=True)
class Alarm:
    """A node that does what no honest one does; `count` is how often since the last one."""

    node: str
    reason: AlarmReason
    count: int


ALARMING = {Why.SIGNATURE: AlarmReason.FORGED_JOURNAL, Why.WRONG_NODE: AlarmReason.FORGED_JOURNAL}


class Alarms:
    """Counts, and tells each count once a minute."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, AlarmReason]] = Counter()
        self._told: dict[tuple[str, AlarmReason], datetime] = {}

    def add(self, node: str, reason: AlarmReason, count: int = 1) -> None:
        """Something happened, `count` times."""
        self._counts[node, reason] += count

    def due(self, now: datetime) -> tuple[Alarm, ...]:
        """What was not told within the last minute; it counts as told."""
        if not self._counts:
            return ()
        self._told = {key: at for key, at in self._told.items() if timedelta(0) <= now - at < SAY_AGAIN}
        ready = [key for key in self._counts if key not in self._told]
        self._told |= dict.fromkeys(ready, now)
        return tuple(Alarm(*key, self._counts.pop(key)) for key in ready)


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
    """One queue between the wire's threads (`put`) and the ingest loop's thread (`drain`)."""

    def __init__(self, site: str, public_key_of: Callable[[str], str | None], now: Callable[[], datetime],
                 waiting: int = WAITING, waiting_bytes: int = WAITING_BYTES, share: int = SHARE) -> None:
        self.complaints = Complaints()
        self.lost = 0
        """Messages dropped since the start, for whatever reason."""
        self._site, self._public_key_of, self._now = site, public_key_of, now
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._most, self._most_bytes = waiting, waiting_bytes
        self._share = Throttle(share, timedelta(seconds=SHARE_S))
        self._alarms = Alarms()
        self._excess: Counter[str] = Counter()
        self._dropped = 0
        self._lock = threading.Lock()
        self._arrived = threading.Event()
        self._closed = False

    @property
    def depth(self) -> int:
        """Messages waiting now."""
        return len(self._waiting)

    def put(self, topic: str, payload: bytes, retained: bool = False) -> None:
        """Take a message from the wire. Never blocks for long; what does not fit is counted in the next batch."""
        now = self._now()
        sender = topic.rpartition("/")[0]
        with self._lock:
            if not self._share.allows(sender, now):
                self._excess[sender] += 1
                self.lost += 1
                return
            if len(self._waiting) >= self._most or self._bytes + len(payload) > self._most_bytes:
                self._dropped += 1
                self.lost += 1
                return
            self._bytes += len(payload)
            self._waiting.append((topic, payload, retained, now))
        if not self._arrived.is_set():
            self._arrived.set()

    def close(self) -> None:
        """Wake a waiting `drain`; from now on it does not wait."""
        self._closed = True
        self._arrived.set()

    def drain(self, max_messages: int = BATCH, wait_s: float = 0.05, idle_s: float = 1.0) -> Batch:
        """Wait up to `idle_s` for a first message, then collect for `wait_s` or until `max_messages`; decode them."""
        taken = self._take(max_messages, wait_s, idle_s)
        with self._lock:
            dropped, self._dropped = self._dropped, 0
            excess, self._excess = self._excess, Counter()
        received: list[Received] = []
        malformed: list[Malformed] = []
        for one in taken:
            read = self._read(one)
            if isinstance(read, Received):
                received.append(read)
            else:
                malformed.append(read)
                self._complain(read, one[3])
        self._note_excess(excess)
        if dropped:
            structlog.get_logger("inbox").error("inbox_full", dropped=dropped)
        return Batch(tuple(received), tuple(malformed), dropped, self._alarms.due(self._now()))

    def _take(self, max_messages: int, wait_s: float, idle_s: float) -> list[_Waiting]:
        if not self._arrived.wait(0 if self._closed else idle_s):
            return []
        deadline = time.monotonic() + wait_s
        while len(self._waiting) < max_messages and (left := deadline - time.monotonic()) > 0 and not self._closed:
            time.sleep(min(left, 0.005))
        self._arrived.clear()  # before taking: what arrives from here on sets it again
        with self._lock:
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), max_messages))]
            self._bytes -= sum(len(one[1]) for one in taken)
        if self._waiting or self._closed:
            self._arrived.set()
        return taken

    def _read(self, one: _Waiting) -> Received | Malformed:
        topic, payload, retained, at = one
        read = decode(topic, payload, self._site, self._public_key_of, at)
        if retained:
            return Malformed(read.node, topic, Why.RETAINED, "nothing in this protocol is retained")
        return read

    def _note_excess(self, excess: Counter[str]) -> None:
        for sender, count in excess.items():
            try:
                node = parse_up(f"{sender}/{Up.HEARTBEAT}", self._site).node
            except BadTopic:
                continue
            self._alarms.add(node, AlarmReason.FLOODING, count)

    def _complain(self, complaint: Malformed, now: datetime) -> None:
        if complaint.why in ALARMING:
            self._alarms.add(complaint.node, ALARMING[complaint.why])
        if self.complaints.worth_saying(complaint, now):
            structlog.get_logger("inbox").warning(
                "malformed_message", node=complaint.node, topic=complaint.topic, why=complaint.why,
                detail=complaint.detail)
