"""Renditions over HTTP: whole or in part, resumable, from memory where they are small."""

import re
from collections.abc import AsyncIterator
from mmap import mmap
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from audio.errors import AudioError
from audio.store import ContentStore
from loudspeaker.conductor.shelf import Shelf
from loudspeaker.errors import NotFoundError

MEDIA_TYPE: Final = "audio/ogg"
BLOCK: Final = 256 * 1024
ONE_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


async def deliver(request: Request, shelf: Shelf, store: ContentStore, sha256: str, cache: str) -> Response:
    """`rendition_response`, in a thread only where the disk is touched."""
    if shelf.held(sha256) is not None:
        return rendition_response(request, shelf, store, sha256, cache)
    return await to_thread.run_sync(rendition_response, request, shelf, store, sha256, cache)


def rendition_response(request: Request, shelf: Shelf, store: ContentStore, sha256: str, cache: str) -> Response:
    """The answer to GET or HEAD for a rendition (RFC 9110: Range, If-Range, If-None-Match). ETag is the SHA-256.

    Raises NotFoundError when its file is gone.
    """
    try:
        held = shelf.fetch(sha256)
        size = len(held.data) if held is not None else store.path_of(sha256).stat().st_size
    except AudioError as failure:
        raise NotFoundError("The stored sound is no longer there.") from failure
    headers = {"ETag": f'"{sha256}"', "Accept-Ranges": "bytes", "Cache-Control": cache}
    if f'"{sha256}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    wanted = wanted_part(request.headers.get("range", ""), request.headers.get("if-range"), size, f'"{sha256}"')
    if wanted is None:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    start, end = wanted
    part = (start, end) != (0, size)
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    status = 206 if part else 200
    if request.method == "HEAD":
        return Response(None, status, headers, MEDIA_TYPE)
    if held is not None and end - start <= BLOCK:
        return Response(held.data[start:end], status, headers, MEDIA_TYPE)
    if held is not None:
        return StreamingResponse(_pieces(held.data, start, end), status, headers, MEDIA_TYPE)
    return StreamingResponse(_blocks(store.path_of(sha256), start, end), status, headers, MEDIA_TYPE)


def wanted_part(range_: str, if_range: str | None, size: int, etag: str) -> tuple[int, int] | None:
    """The asked bytes, end not included; all where no single range is asked; None where it cannot be satisfied."""
    asked = ONE_RANGE.fullmatch(range_.strip())
    if asked is None or if_range not in (None, etag) or asked[1] == asked[2] == "":
        return 0, size
    if asked[1] == "":
        start, end = max(0, size - int(asked[2])), size
    else:
        start, end = int(asked[1]), min(size, int(asked[2]) + 1 if asked[2] else size)
        if asked[2] and int(asked[2]) < start:
            return 0, size
    return (start, end) if start < end else None


async def _pieces(held: mmap, start: int, end: int) -> AsyncIterator[bytes]:
    """Of what lies in memory; a slow client holds one piece of it, not a copy of the whole."""
    for begin in range(start, end, BLOCK):
        yield held[begin:min(end, begin + BLOCK)]


async def _blocks(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        await file.seek(start)
        while start < end and (block := await file.read(min(BLOCK, end - start))):
            start += len(block)
            yield block
