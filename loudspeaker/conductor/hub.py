"""News for open pages: what changed, told to every listening event stream without touching the database."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from threading import Lock

QUEUE_LENGTH = 50


class Hub:
    """Fans short topic names (`nodes`, `playbacks`, `faults`, `recordings`) out to event streams. Thread-safe."""

    def __init__(self) -> None:
        self._listeners: dict[asyncio.Queue[str | None], asyncio.AbstractEventLoop] = {}
        self._lock = Lock()

    def announce(self, *topics: str) -> None:
        """Tell every listener that these topics have news. Callable from any thread."""
        with self._lock:
            listeners = list(self._listeners.items())
        for queue, loop in listeners:
            with suppress(RuntimeError):  # a loop that has ended listens no more
                for topic in topics:
                    loop.call_soon_threadsafe(_offer, queue, topic)

    async def listen(self) -> AsyncGenerator[str, None]:
        """Topics as they have news, until the hub closes."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_LENGTH)
        with self._lock:
            self._listeners[queue] = asyncio.get_running_loop()
        try:
            while (topic := await queue.get()) is not None:
                yield topic
        finally:
            with self._lock:
                self._listeners.pop(queue, None)

    def close(self) -> None:
        """End every stream, so that shutdown does not wait for open pages."""
        with self._lock:
            listeners = list(self._listeners.items())
        for queue, loop in listeners:
            loop.call_soon_threadsafe(_end, queue)


def _offer(queue: asyncio.Queue[str | None], topic: str) -> None:
    # a full queue means a slow page, which will refresh everything anyway
    if not queue.full():
        queue.put_nowait(topic)


def _end(queue: asyncio.Queue[str | None]) -> None:
    while queue.full():
        queue.get_nowait()
    queue.put_nowait(None)
