"""The bytes of resumable uploads: streamed to disk, and acknowledged only once they are there for good."""

import asyncio
import errno
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from anyio import to_thread
from starlette.requests import ClientDisconnect

from audio.store import sync_folder
from loudspeaker.bulletins.uploads import PART_FOLDER, part_path
from loudspeaker.errors import ConflictError, InvalidError, UnavailableError

WRITE_BYTES = 1024 * 1024
MARK_BYTES = 8 * 1024 * 1024
MARK_SECONDS = 5.0
"""After so much, or so long, what has arrived is made durable and acknowledged: at most this is sent again."""
HANDOVER_SECONDS = 10.0
IDLE_SECONDS = 120.0

Acknowledge = Callable[[int], Awaitable[None]]
"""Told how many bytes from the beginning are on the disk for good."""


class DiskFullError(UnavailableError):
    """There is no room for what is to be uploaded."""

    code = "disk_full"
    title = "The server's disk is full, so the file cannot be taken now."
    kept = "What was uploaded before was kept."
    advice = "Tell the technician to free some space; then try again."


@dataclass
class _Turn:
    """Whose turn it is to write an upload; a newcomer asks the holder to stop."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    users: int = 0


class UploadFolder:
    """The unfinished uploads below `data`; `floor_bytes` are left free on its disk."""

    def __init__(self, data: Path, floor_bytes: int) -> None:
        self._data = data
        self._floor = floor_bytes
        self._turns: dict[str, _Turn] = {}

    def must_have_room(self, wanted_bytes: int) -> None:
        """Raises DiskFullError unless so many bytes fit above the floor."""
        self._data.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._data).free - wanted_bytes < self._floor:
            raise DiskFullError

    def remove(self, path: str) -> None:
        """Remove a file below the data folder; one that is not there is fine."""
        (self._data / path).unlink(missing_ok=True)

    def sweep(self, wanted: frozenset[str], older_than: float) -> int:
        """Remove files that no row wants and that were last written before `older_than` (Unix time); how many."""
        gone = 0
        for file in (self._data / PART_FOLDER).glob("*"):
            with suppress(FileNotFoundError):
                if f"{PART_FOLDER}/{file.name}" not in wanted and file.stat().st_mtime < older_than:
                    file.unlink()
                    gone += 1
        return gone

    @asynccontextmanager
    async def turn(self, upload_id: str) -> AsyncIterator[asyncio.Event]:
        """The right to be alone with an upload; the event says that somebody else wants it.

        Whoever comes later is the client itself, back from a broken link, so the earlier one stops. Raises
        ConflictError when it does not stop in time.
        """
        turn = self._turns.setdefault(upload_id, _Turn())
        turn.users += 1
        turn.stop.set()
        try:
            try:
                await asyncio.wait_for(turn.lock.acquire(), HANDOVER_SECONDS)
            except TimeoutError:
                raise ConflictError("This file is being uploaded from somewhere else.", code="upload_busy",
                                    advice="Wait a moment; it goes on by itself.") from None
            turn.stop.clear()
            try:
                yield turn.stop
            finally:
                turn.lock.release()
        finally:
            turn.users -= 1
            if turn.users == 0:
                self._turns.pop(upload_id, None)

    async def receive(self, upload_id: str, offset: int, length: int, chunks: AsyncIterator[bytes],
                      acknowledge: Acknowledge, stop: asyncio.Event) -> int:
        """Write `chunks` from `offset` on; return how many bytes are there for good when they end.

        Stops early, keeping what came, when the client is gone or `stop` is set. The whole file (`length`) is durable
        on return but not yet acknowledged. Raises InvalidError when more comes than announced, and DiskFullError.
        """
        writer = _Writer(self._data / part_path(upload_id), offset, acknowledge, length)
        await to_thread.run_sync(writer.open)
        try:
            with suppress(ClientDisconnect):
                async for chunk in _until(stop, chunks):
                    await writer.take(chunk)
            await writer.mark()
        except OSError as failure:
            if failure.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError from failure
            raise
        finally:
            await to_thread.run_sync(writer.close)
        return writer.durable


async def _until(stop: asyncio.Event, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks, until `stop` is set or none comes for two minutes: a dead link may never say that it is dead."""
    stopped = asyncio.ensure_future(stop.wait())
    try:
        while True:
            coming = asyncio.ensure_future(anext(chunks, None))
            done, _ = await asyncio.wait({coming, stopped}, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if coming not in done:
                coming.cancel()
                with suppress(asyncio.CancelledError):
                    await coming
                return
            if (chunk := coming.result()) is None:
                return
            yield chunk
    finally:
        stopped.cancel()


class _Writer:
    """Appends in large writes; marks what is durable."""

    def __init__(self, path: Path, offset: int, acknowledge: Acknowledge, length: int) -> None:
        self.durable = offset
        self._path = path
        self._length = length
        self._acknowledge = acknowledge
        self._waiting = bytearray()
        self._written = offset
        self._marked_at = time.monotonic()
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """What lies beyond the acknowledged offset may have holes, so it is written over."""
        fresh = not self._path.exists()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=WRITE_BYTES)
        self._file.seek(self.durable)
        if fresh:
            sync_folder(self._path.parent)

    async def take(self, chunk: bytes) -> None:
        """Write what is given, sooner or later. Raises InvalidError, OSError."""
        if self._written + len(self._waiting) + len(chunk) > self._length:
            raise InvalidError("More bytes came than the upload announced.", code="upload_too_long",
                               advice="Start the upload again.")
        self._waiting += chunk
        if len(self._waiting) >= WRITE_BYTES:
            await to_thread.run_sync(self._write)
        since = self._written + len(self._waiting) - self.durable
        if since >= MARK_BYTES or time.monotonic() - self._marked_at >= MARK_SECONDS:
            await self.mark()

    async def mark(self) -> None:
        """Make durable what came, then say so; the last byte is acknowledged by whoever completes the upload."""
        self._marked_at = time.monotonic()
        if self._written + len(self._waiting) == self.durable:
            return
        await to_thread.run_sync(self._sync)
        if self._written < self._length:
            await self._acknowledge(self._written)
        self.durable = self._written

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what cannot be flushed was not acknowledged
                self._file.close()

    def _write(self) -> None:
        assert self._file is not None  # noqa: S101 (opened first)
        self._file.write(self._waiting)
        self._written += len(self._waiting)
        self._waiting.clear()

    def _sync(self) -> None:
        assert self._file is not None  # noqa: S101 (opened first)
        self._write()
        self._file.flush()
        os.fsync(self._file.fileno())
