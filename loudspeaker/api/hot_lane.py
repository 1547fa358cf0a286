"""The short way for what poles fetch most: a small recording that lies in memory, for a token seen seconds ago.

It stands before the application in uvicorn's protocol, and answers plain `GET /recordings/{sha256}` alone. Whatever is
unusual about a request takes the long way, which knows all cases.
"""

import asyncio
import contextlib
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from loudspeaker.api.ranges import MEDIA_TYPE, wanted_part
from loudspeaker.conductor.house import House
from loudspeaker.conductor.shelf import Sheet
from loudspeaker.users.secrets import digest

LONGEST_HEAD = 4096
PIECE = 256 * 1024
FIRST = 16 * 1024
"""Goes out in one with the head."""
STALLED_S = 60.0
"""A node that takes nothing for so long is gone."""
_PATH = re.compile(rb"/recordings/([0-9a-f]{64})")
USUAL = frozenset({b"host", b"authorization", b"range", b"if-range", b"accept", b"accept-encoding", b"user-agent",
                   b"connection"})


@dataclass(frozen=True)
class Asked:
    """A plain download."""

    sha256: str
    token: str
    range: str
    if_range: str | None


@dataclass
class _Giving:
    """An answer under way."""

    node: str
    sheet: Sheet
    at: int
    end: int
    began: float
    head: bytes
    direct: int | None
    """The connection's descriptor, where the kernel may send past the transport."""
    waiting: int | None = None
    """A second descriptor of it, since asyncio guards its transport's own: told when there is room."""
    stalled: asyncio.TimerHandle | None = None


def read_plain(data: bytes) -> Asked | None:
    """The download that `data` asks for; None for all that is not exactly one usual request."""
    if not data.startswith(b"GET /recordings/") or len(data) > LONGEST_HEAD or data.find(b"\r\n\r\n") != len(data) - 4:
        return None
    first, *lines = data[:-4].split(b"\r\n")
    words = first.split(b" ")
    path = _PATH.fullmatch(words[1]) if len(words) == 3 and words[2] == b"HTTP/1.1" else None
    fields = [line.partition(b":") for line in lines]
    headers = {name.lower(): value.strip(b" \t") for name, _, value in fields}
    if path is None or len(headers) != len(lines) or not headers.keys() <= USUAL or b"host" not in headers:
        return None
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer" or not token or headers.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    if_range = headers.get(b"if-range")
    return Asked(path[1].decode(), token.strip().decode("latin-1"), headers.get(b"range", b"").decode("latin-1"),
                 None if if_range is None else if_range.decode("latin-1"))


class HotLane(H11Protocol):
    """Uvicorn's protocol with the short way. `house` gives the running server's parts, None while there are none."""

    def __init__(self, *arguments: Any, house: Callable[[], House | None], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._house = house
        self._giving: _Giving | None = None
        self._later = b""

    def data_received(self, data: bytes) -> None:
        """Answer at once what is usual; leave the rest to the application."""
        if self._giving is not None:
            self._later += data
            if len(self._later) > LONGEST_HEAD:
                self.transport.abort()
        elif not self._begin(data):
            super().data_received(data)

    def pause_writing(self) -> None:
        """The client is slower than we are."""
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        """There is room again."""
        self.flow.resume_writing()
        if self._giving is not None:
            self._give()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, with or without all that it asked for."""
        self._end()
        super().connection_lost(exc)

    def _begin(self, data: bytes) -> bool:
        house, asked = self._house(), read_plain(data)
        if house is None or asked is None or self.conn.our_state is not h11.IDLE or self.conn.trailing_data[0]:
            return False
        now, held = self.loop.time(), house.shelf.held(asked.sha256)
        node = house.known.node(digest(asked.token), now)
        if held is None or node is None or not house.known.is_approved(asked.sha256, now):
            return False
        part = wanted_part(asked.range, asked.if_range, len(held.data), f'"{asked.sha256}"')
        if part is None:
            return False
        self._unset_keepalive_if_required()
        wait = house.turnstile.enter(node, now)
        if wait is not None:
            self.transport.write(_busy(wait))
            self._await_next()
            return True
        self._giving = _Giving(node, held, *part, now, _head(asked.sha256, part, len(held.data)), self._descriptor())
        self._give()
        return True

    def _give(self) -> None:
        """Give as much as is taken now; the rest when there is room again."""
        giving = self._giving
        if giving is None:
            return
        if self.transport.is_closing():
            self._end()
            return
        try:
            whole = (self._give_by_transport(giving) if giving.direct is None
                     else self._give_directly(giving, giving.direct))
        except OSError:
            self.transport.abort()
            return
        if giving.stalled is not None:
            giving.stalled.cancel()
        if not whole:
            giving.stalled = self.loop.call_later(STALLED_S, self.transport.abort)
            return
        self._end()
        self._await_next()
        if self._later:
            later, self._later = self._later, b""
            self.data_received(later)

    def _give_directly(self, giving: _Giving, direct: int) -> bool:
        """By the kernel, straight from the memory that all share; the head goes out with the first of it."""
        with contextlib.suppress(BlockingIOError):
            while giving.head:
                first = giving.sheet.data[giving.at:min(giving.at + FIRST, giving.end)]
                sent = os.writev(direct, (giving.head, first))
                giving.at += max(0, sent - len(giving.head))
                giving.head = giving.head[sent:]
            while giving.at < giving.end:
                giving.at += os.sendfile(direct, giving.sheet.file, giving.at, giving.end - giving.at)
            return True
        if giving.waiting is None:
            giving.waiting = os.dup(direct)
            self.loop.add_writer(giving.waiting, self._give)
        return False

    def _give_by_transport(self, giving: _Giving) -> bool:
        self.transport.write(giving.head)
        giving.head = b""
        while giving.at < giving.end and not self.flow.write_paused:
            piece = giving.sheet.data[giving.at:min(giving.at + PIECE, giving.end)]
            self.transport.write(piece)
            giving.at += len(piece)
        return giving.at >= giving.end

    def _descriptor(self) -> int | None:
        """Of the connection, past asyncio's buffer; None over TLS, and while that buffer holds some."""
        if self.scheme == "https" or self.transport.get_write_buffer_size() > 0:
            return None
        return int(self.transport.get_extra_info("socket").fileno())

    def _end(self) -> None:
        house, giving = self._house(), self._giving
        if giving is not None:
            if giving.stalled is not None:
                giving.stalled.cancel()
            if giving.waiting is not None:
                self.loop.remove_writer(giving.waiting)
                os.close(giving.waiting)
            self._giving = None
            if house is not None:
                house.turnstile.leave(giving.node, self.loop.time() - giving.began)

    def _await_next(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)


def _head(sha256: str, part: tuple[int, int], size: int) -> bytes:
    begin, end = part
    partly = part != (0, size)
    covers = f"Content-Range: bytes {begin}-{end - 1}/{size}\r\n" if partly else ""
    status = "206 Partial Content" if partly else "200 OK"
    return (f"HTTP/1.1 {status}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {end - begin}\r\n{covers}"
            f'ETag: "{sha256}"\r\nAccept-Ranges: bytes\r\nCache-Control: private, max-age=31536000, immutable\r\n'
            "X-Content-Type-Options: nosniff\r\n\r\n").encode()


def _busy(wait_s: float) -> bytes:
    return f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {math.ceil(wait_s)}\r\nContent-Length: 0\r\n\r\n".encode()
