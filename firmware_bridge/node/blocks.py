"""Recordings by way of the broker: a few blocks asked for at a time, so that a command never waits long behind them."""

import contextlib
import queue
import random
import time
from collections.abc import Callable

import structlog

from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.blocks import Block, BlockRequest
from firmware_bridge.node.fetching import Check, NotHad, Part
from firmware_bridge.node.store import MAX_STATEMENTS_BYTES
from firmware_bridge.wire import WireError

BLOCK_BYTES = 4096
SMALLEST_WINDOW = 2 * BLOCK_BYTES
LARGEST_WINDOW = 8 * BLOCK_BYTES
AHEAD_S = 1.0
"""What is asked for ahead of what has come: this much of the link's time."""
PATIENCE_S = 10.0
"""After so long without a block, ask again."""
TRIES = 6
_WAITING = 4096


class BlockSource:
    """The broker as a way for recordings. `publish` sends a request and raises WireError without a connection."""

    def __init__(self, publish: Callable[[bytes], None], patience_s: float = PATIENCE_S,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._publish, self._patience_s, self._clock = publish, patience_s, clock
        self._came: queue.Queue[Block | None] = queue.Queue(_WAITING)
        self._ask = random.getrandbits(31)
        self._first_ask = self._ask

    def take(self, payload: bytes) -> None:
        """A block has come, whole or torn by the end of the connection. Called on the wire's thread."""
        try:
            self._came.put_nowait(Block.from_bytes(payload))
        except MalformedPayload as error:
            structlog.get_logger("blocks").warning("malformed_block", detail=str(error)[:200])
        except queue.Full:
            return  # it is asked for again

    def connected(self) -> None:
        """There is a connection anew: what was asked for will not come any more. Called on the wire's thread."""
        with contextlib.suppress(queue.Full):
            self._came.put_nowait(None)

    def recording(self, part: Part, check: Check) -> None:
        """Append to `part` what is missing."""
        if not part.is_whole:
            self._pull(part.sha256, "recording", part, check)

    def statements(self, sha256: str, check: Check) -> bytes:
        """The JSON list of the recording's statements."""
        sheet = _Sheet()
        self._pull(sha256, "statements", sheet, check)
        return sheet.raw

    def _pull(self, sha256: str, what: str, into: "Part | _Sheet", check: Check) -> None:
        """Ask, and append what continues what is here, until the end is reached."""
        pull = _Pull(into.have, self._clock())
        self._forget_what_came()
        self._first_ask = (self._ask + 1) % 2**32
        silent_since = self._clock()
        while pull.end is None or into.have < pull.end:
            if pull.needs_more(into.have):
                self._request(sha256, what, *pull.extend(into.have))
            block = self._next_block()
            if block is None or block.offset > into.have:  # silence, a new connection, or one between was lost
                if block is None and self._clock() - silent_since > TRIES * self._patience_s:
                    raise NotHad("nothing comes by way of the broker", reached=False)
                self._first_ask = (self._ask + 1) % 2**32
                pull.begin_again(into.have)
                continue
            silent_since = self._clock()
            check(len(block.data))
            if block.total == 0:
                raise NotHad("the server does not have it")
            new = block.data[into.have - block.offset:]
            into.add(new)
            pull.came(len(new), block.total, self._clock())

    def _forget_what_came(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._came.get_nowait()

    def _request(self, sha256: str, what: str, offset: int, length: int) -> None:
        self._ask = (self._ask + 1) % 2**32
        request = BlockRequest.model_validate({
            "ask": self._ask, "sha256": sha256, "what": what, "offset": offset,
            "length": length, "block": BLOCK_BYTES})
        try:
            self._publish(request.to_bytes())
        except WireError:
            return  # patience asks again, when there may be a connection

    def _next_block(self) -> Block | None:
        """The next block of this pull; None after a while without one, and on a new connection."""
        until = self._clock() + self._patience_s
        while (left := until - self._clock()) > 0:
            try:
                block = self._came.get(timeout=left)
            except queue.Empty:
                return None
            if block is None or (block.ask - self._first_ask) % 2**32 <= (self._ask - self._first_ask) % 2**32:
                return block
        return None


class _Pull:
    """How far was asked, and how fast blocks come: so how much to ask for ahead."""

    def __init__(self, have: int, now: float) -> None:
        self.window = SMALLEST_WINDOW
        self.end: int | None = None
        self._asked_to = have
        self._since, self._bytes = now, 0

    def needs_more(self, have: int) -> bool:
        """Whether half of what may be under way has come, and there is more."""
        return self._asked_to - have <= self.window // 2 and (self.end is None or self._asked_to < self.end)

    def extend(self, have: int) -> tuple[int, int]:
        """Offset and length to ask for next."""
        offset = max(self._asked_to, have)
        self._asked_to = max(have + self.window, offset + BLOCK_BYTES)
        return offset, self._asked_to - offset

    def begin_again(self, have: int) -> None:
        """What is under way will not come."""
        self._asked_to = have

    def came(self, count: int, end: int, now: float) -> None:
        """Some bytes of the whole, which ends at `end`."""
        self.end = end
        self._bytes += count
        if self._bytes >= self.window and now > self._since:
            fits = int(AHEAD_S * self._bytes / (now - self._since)) // BLOCK_BYTES * BLOCK_BYTES
            self.window = max(SMALLEST_WINDOW, min(fits, 2 * self.window, LARGEST_WINDOW))
            self._since, self._bytes = now, 0


class _Sheet:
    """Statements as they come: small, so in memory."""

    def __init__(self) -> None:
        self.raw = b""

    @property
    def have(self) -> int:
        return len(self.raw)

    def add(self, data: bytes) -> None:
        self.raw += data
        if len(self.raw) > MAX_STATEMENTS_BYTES:
            raise NotHad("the statements are too long")
