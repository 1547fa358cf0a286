"""A bad link for TCP, in user space: latency, jitter, rate, stalls, slices, cuts, black holes; and it counts bytes.

Stands where the kernel's netem is missing. One `Proxy` is one line: all its connections share the rate.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Final, Self

SEGMENT: Final = 1460
"""Bytes that are carried at once: a TCP segment."""
IN_FLIGHT: Final = 256
"""Segments under way at most, each way of a connection."""
RESET: Final = struct.pack("ii", 1, 0)
HEADERS: Final = 40
"""Bytes of IPv4 and TCP that a segment costs on the wire, at least."""


@dataclass(frozen=True)
class Line:
    """How the link is now. Rates in bytes a second each way; None is as fast as it goes."""

    latency_s: float = 0.0
    """Each way."""
    jitter_s: float = 0.0
    """Added to the latency, drawn evenly from 0; order is kept."""
    bytes_per_s: float | None = None
    segment: int = SEGMENT
    """Small values slice what passes into small writes."""
    loss: float = 0.0
    """Share of segments that are lost and sent again: what follows waits `stall_s`."""
    stall_s: float = 0.3


@dataclass
class Carried:
    """What has passed, in bytes of TCP payload and in segments."""

    up: int = 0
    down: int = 0
    up_segments: int = 0
    down_segments: int = 0
    connections: int = 0

    @property
    def on_the_wire(self) -> int:
        """Bytes both ways with IP and TCP headers, an acknowledgement for every second segment, and handshakes."""
        segments = self.up_segments + self.down_segments
        return self.up + self.down + HEADERS * (segments + segments // 2 + 7 * self.connections)


@dataclass(eq=False)
class _Pair:
    """One connection through the proxy."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)


class Proxy:
    """Listens on a loopback port of its own and carries everything to `host`:`port`.

    All methods may be called from any thread, and take effect at once. Use it as a context manager.
    """

    def __init__(self, host: str, port: int, line: Line = Line(), seed: int = 0) -> None:
        self.line = line
        """May be replaced at any time."""
        self.carried = Carried()
        self.port = 0
        self._target = (host, port)
        self._draw = random.Random(seed).random
        self._pairs: set[_Pair] = set()
        self._free_at = {True: 0.0, False: 0.0}
        self._cuts: list[tuple[bool, int]] = []
        self._closed_to_all = False
        self._flowing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._flowing.set()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._do(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def open_connections(self) -> int:
        """Connections that are carried now."""
        return len(self._pairs)

    def change(self, **what: Any) -> None:
        """Replace some fields of the line."""
        self.line = replace(self.line, **what)

    def cut(self) -> None:
        """Reset every connection; new ones are welcome."""
        self._do(self._cut)

    def cut_after(self, byte_counts: list[int], down: bool = True) -> None:
        """Reset every connection each time that so many bytes in all (counted from the beginning) have passed."""
        self._cuts = sorted((down, count) for count in byte_counts)

    def freeze(self) -> None:
        """Become a black hole: nothing passes and nobody is told. New connections are accepted, and silent."""
        self._do(self._flowing.clear)

    def thaw(self) -> None:
        """Let everything flow again, what waited first."""
        self._do(self._flowing.set)

    def refuse(self, refusing: bool = True) -> None:
        """Reset every new connection, or no more."""
        self._closed_to_all = refusing

    def _do(self, action: Callable[[], None]) -> None:
        """Do it on the loop, and return when it is done."""
        done = threading.Event()

        def act() -> None:
            action()
            done.set()

        self._loop.call_soon_threadsafe(act)
        done.wait(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._gone())

    async def _gone(self) -> None:
        left = [task for task in asyncio.all_tasks(self._loop) if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        self._cut()

    def _cut(self) -> None:
        for pair in list(self._pairs):
            self._drop(pair)

    def _drop(self, pair: _Pair) -> None:
        self._pairs.discard(pair)
        for writer in (pair.near, pair.far):
            _reset(writer)
        for task in pair.tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        if self._closed_to_all:
            _reset(near)
            return
        await self._flowing.wait()
        try:
            far_reader, far = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(near)
            return
        self.carried.connections += 1
        pair = _Pair(near, far)
        self._pairs.add(pair)
        for source, sink, down in ((reader, far, False), (far_reader, near, True)):
            _undelayed(sink)
            pair.tasks.append(self._loop.create_task(self._carry(pair, source, sink, down)))
        try:
            await asyncio.gather(*pair.tasks)
        except (OSError, asyncio.CancelledError):
            self._drop(pair)
        else:
            self._pairs.discard(pair)
            near.close()
            far.close()

    async def _carry(self, pair: _Pair, source: asyncio.StreamReader, sink: asyncio.StreamWriter, down: bool) -> None:
        """One way of a connection: through the narrow part at the line's rate, then for its latency under way."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT)
        arriving = self._loop.create_task(self._arrive(under_way, sink))
        pair.tasks.append(arriving)
        due = 0.0
        while segment := await source.read(self.line.segment):
            await self._pass(len(segment), down)
            stall = self.line.stall_s if self._draw() < self.line.loss else 0.0
            delay = self.line.latency_s + self._draw() * self.line.jitter_s + stall
            due = max(due, self._loop.time() + delay)
            await under_way.put((due, segment))
            await self._cut_if_due()
        await under_way.put((due, b""))
        await arriving

    async def _pass(self, count: int, down: bool) -> None:
        await self._flowing.wait()
        if self.line.bytes_per_s:
            begin = max(self._loop.time(), self._free_at[down])
            self._free_at[down] = begin + count / self.line.bytes_per_s
            await asyncio.sleep(self._free_at[down] - self._loop.time())
        if down:
            self.carried.down += count
            self.carried.down_segments += 1
        else:
            self.carried.up += count
            self.carried.up_segments += 1

    async def _arrive(self, under_way: "asyncio.Queue[tuple[float, bytes]]", sink: asyncio.StreamWriter) -> None:
        while True:
            due, segment = await under_way.get()
            if (wait := due - self._loop.time()) > 0:
                await asyncio.sleep(wait)
            await self._flowing.wait()
            if not segment:
                if sink.can_write_eof():
                    sink.write_eof()
                return
            sink.write(segment)
            await sink.drain()

    async def _cut_if_due(self) -> None:
        reached = [one for one in self._cuts if (self.carried.down if one[0] else self.carried.up) >= one[1]]
        if reached:
            self._cuts = [one for one in self._cuts if one not in reached]
            self._cut()
            await asyncio.sleep(0)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End it by RST, as a line that breaks does; nothing that waits is sent."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


def _undelayed(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
