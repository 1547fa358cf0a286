"""Recordings by way of the broker: who asked for which bytes, and one block at a time for each node in turn."""

import json
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from audio.errors import AudioError
from firmware_bridge.bridge.server import Bridge
from firmware_bridge.contract import envelope
from firmware_bridge.contract.blocks import Block, BlockRequest
from firmware_bridge.wire import WireError
from loudspeaker.approvals import service
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.conductor.house import House

TOTAL_RATE: Final = 4 * 1024 * 1024
"""Bytes a second for all nodes together."""
NODE_RATE: Final = 256 * 1024
"""And for each."""
BURST_S: Final = 0.25
MOST_NODES: Final = 10_000
MOST_REQUESTS: Final = 16
"""Of one node."""
KNOWN_S: Final = 30.0
"""How long it is believed that a recording is approved."""
MOST_KNOWN: Final = 16
IDLE_S: Final = 1.0
log = structlog.get_logger("blocks")

Whole = Callable[[str, str], "Content | None"]
"""`(sha256, what)`: the bytes asked for, None where there are none that a node may have."""


@dataclass(frozen=True)
class Content:
    """Something that can be read in pieces."""

    total: int
    read: Callable[[int, int], bytes]
    """From, and how many."""


class Bucket:
    """Bytes that may be sent: `rate` a second, saved up for a quarter of one."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate, self._level, self._at = rate, rate * BURST_S, now

    def wait_s(self, now: float) -> float:
        """Seconds until something may be sent."""
        self._level = min(self._rate * BURST_S, self._level + (now - self._at) * self._rate)
        self._at = now
        return max(0.0, -self._level / self._rate)

    def take(self, count: int) -> None:
        """These bytes were sent; it may go below zero, and then takes its time."""
        self._level -= count


@dataclass
class _Asking:
    """What one node still waits for: requests that continue each other."""

    requests: deque[BlockRequest]
    bucket: Bucket
    done: int = 0
    """Bytes of the first request that were sent."""

    def ask(self, request: BlockRequest) -> None:
        """Continue what is being answered, or begin anew."""
        last = self.requests[-1] if self.requests else None
        if last is None or (last.sha256, last.what, last.offset + last.length) != (
                request.sha256, request.what, request.offset):
            self.requests.clear()
            self.done = 0
        if len(self.requests) < MOST_REQUESTS:
            self.requests.append(request)

    def sent(self, request: BlockRequest, count: int) -> None:
        """So many bytes of `request` have gone; 0 ends it. It may have been replaced meanwhile."""
        self.bucket.take(count)
        if not self.requests or self.requests[0] is not request:
            return
        self.done += count
        if count == 0 or self.done >= request.length:
            self.requests.popleft()
            self.done = 0


class BlockQueue:
    """Who gets the next block: each node in turn, none faster than its rate, all no faster than theirs. Pure."""

    def __init__(self, now: float, total_rate: float = TOTAL_RATE, node_rate: float = NODE_RATE) -> None:
        self._total, self._node_rate = Bucket(total_rate, now), node_rate
        self._asking: OrderedDict[str, _Asking] = OrderedDict()

    @property
    def nodes(self) -> int:
        """How many are waiting."""
        return len(self._asking)

    def ask(self, node: str, request: BlockRequest, now: float) -> None:
        """Take a request; dropped when too many nodes wait."""
        if node not in self._asking:
            if len(self._asking) >= MOST_NODES:
                return
            self._asking[node] = _Asking(deque(), Bucket(self._node_rate, now))
        self._asking[node].ask(request)

    def next(self, now: float) -> tuple[str, BlockRequest, int] | float:
        """The node whose turn it is, its request and how far it was answered; else seconds to wait."""
        wait = self._total.wait_s(now)
        if wait > 0:
            return wait
        waits = [IDLE_S]
        for node, asking in self._asking.items():
            wait = asking.bucket.wait_s(now)
            if wait <= 0:
                return node, asking.requests[0], asking.done
            waits.append(wait)
        return min(waits)

    def sent(self, node: str, request: BlockRequest, count: int) -> None:
        """So many bytes went to the node (0: its request is over), and the others come first."""
        asking = self._asking[node]
        asking.sent(request, count)
        self._total.take(count)
        self._asking.move_to_end(node)
        if not asking.requests:
            del self._asking[node]


class BlockDesk:
    """Answers block requests in a thread of its own. `send(node, block)` raises WireError without a broker."""

    def __init__(self, whole: Whole, send: Callable[[str, Block], None],
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._whole, self._send, self._clock = whole, send, clock
        self._queue = BlockQueue(clock())
        self._changed = threading.Condition()
        self._known: OrderedDict[tuple[str, str], tuple[float, Content | None]] = OrderedDict()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="blocks", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End; nodes ask again."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout=5)

    def ask(self, node: str, request: BlockRequest) -> None:
        """A node asks. Never blocks for long."""
        with self._changed:
            self._queue.ask(node, request, self._clock())
            self._changed.notify()

    def _run(self) -> None:
        while (due := self._next()) is not None:
            node, request, done = due
            try:
                count = self._answer(node, request, done)
            except (AudioError, OSError, SQLAlchemyError, WireError) as failure:
                log.info("block not sent", node=node, failure=repr(failure))
                count = 0
            with self._changed:
                self._queue.sent(node, request, count)

    def _next(self) -> tuple[str, BlockRequest, int] | None:
        with self._changed:
            while not self._stopping:
                due = self._queue.next(self._clock())
                if isinstance(due, tuple):
                    return due
                self._changed.wait(due)
        return None

    def _answer(self, node: str, request: BlockRequest, done: int) -> int:
        """Send the next block; its size, 0 when there is no more."""
        content = self._content(request.sha256, request.what)
        if content is None:
            self._send(node, Block(ask=request.ask, offset=0, total=0))
            return 0
        offset = request.offset + done
        count = min(request.block, request.length - done, content.total - offset)
        if count <= 0:
            return 0
        self._send(node, Block(ask=request.ask, offset=offset, total=content.total, data=content.read(offset, count)))
        return count

    def _content(self, sha256: str, what: str) -> Content | None:
        at, found = self._known.get((sha256, what), (self._clock() - 2 * KNOWN_S, None))
        if self._clock() - at > KNOWN_S:
            found = self._whole(sha256, what)
            self._known[sha256, what] = (self._clock(), found)
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return found


def whole_of(house: House) -> Whole:
    """What nodes may have of this house: approved sounds, and the statements that approve them."""
    def find(sha256: str, what: str) -> Content | None:
        with house.database.read() as session:
            if what == "statements":
                found = service.statements_of(session, sha256)
                raw = json.dumps([envelope.to_dict(one) for one in found]).encode()
                return Content(len(raw), lambda at, count: raw[at:at + count]) if found else None
            approved = session.exec(select(col(Recording.id)).where(
                Recording.sha256 == sha256, Recording.state == RecordingState.APPROVED).limit(1)).first()
        return _sound(house, sha256) if approved is not None else None
    return find


def serve_blocks(house: House, bridge: Bridge) -> BlockDesk:
    """A started desk that answers what comes over `bridge`."""
    desk = BlockDesk(whole_of(house), bridge.publish_block)
    bridge.on_block_request = desk.ask
    desk.start()
    return desk


def _sound(house: House, sha256: str) -> Content:
    path = house.store.path_of(sha256)
    held = house.shelf.fetch(sha256)
    if held is not None:
        data = held.data
        return Content(len(data), lambda at, count: data[at:at + count])

    def read(at: int, count: int) -> bytes:
        with path.open("rb") as file:
            file.seek(at)
            return file.read(count)
    return Content(path.stat().st_size, read)
