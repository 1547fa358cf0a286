"""Whether a file breaks off before its own end, as far as its bytes can tell (docs/audio.md lists what they cannot)."""

import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Final

from audio import frames
from audio.errors import AudioError
from audio.formats import ADTS, AMR, MP3, MP4, OGG, WAV, WEBM, Format

UNKNOWN_FROM: Final = 0x7FFFF000  # what recorders write that cannot go back to the header
XING_SLACK: Final = 2048
OGG_PAGE_HEADER: Final = 27
OGG_TAIL: Final = 2 * 65_307  # the largest page, twice
OGG_LAST_PAGE: Final = 0x04
EBML_SEGMENT: Final = b"\x18\x53\x80\x67"


def check_complete(path: Path, form: Format) -> None:
    """Raise `truncated` if the file at `path`, of format `form`, ends before what it announces."""
    whole = CHECKS.get(form)
    if whole is None or path.stat().st_size == 0:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if not whole(data):
            raise AudioError("truncated", format=form.name)


def _wav(data: mmap.mmap) -> bool:
    if data[:4] == b"RF64":
        return True
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"data":
            return size == 0 or size >= UNKNOWN_FROM or at + 8 + size <= len(data)
        at += 8 + size + (size & 1)
    return False


def _mp3(data: mmap.mmap) -> bool:
    start = frames.first_frame(frames.mpeg_frame, data, frames.after_id3(data))
    if start < 0:
        return True
    announced = _xing_bytes(data, start)
    if start + announced > len(data) + XING_SLACK:
        return False
    return _last_frame_whole(data, start, frames.mpeg_frame, frames.MPEG_HEADER)


def _xing_bytes(data: mmap.mmap, start: int) -> int:
    """Bytes of sound that a Xing or Info header in the first frame announces; 0 without one."""
    first = data[start : start + 200]
    for name in (b"Xing", b"Info"):
        at = first.find(name)
        if at >= 0:
            flags = int.from_bytes(first[at + 4 : at + 8], "big")
            field = at + 8 + (4 if flags & 1 else 0)
            return int.from_bytes(first[field : field + 4], "big") if flags & 2 else 0
    return 0


def _adts(data: mmap.mmap) -> bool:
    start = frames.first_frame(frames.adts_frame, data, frames.after_id3(data))
    return start < 0 or _last_frame_whole(data, start, frames.adts_frame, frames.ADTS_HEADER)


def _last_frame_whole(data: mmap.mmap, at: int, frame: frames.FrameLength, header: int) -> bool:
    """Walk frame by frame; what is no frame (a tag at the end, damage in the middle) ends the walk in peace."""
    size = len(data)
    while at < size:
        length = frame(data[at : at + header])
        if length == 0:
            return size - at >= header or data[at] != 0xFF
        at += length
    return at == size


def _amr(data: mmap.mmap) -> bool:
    magic = next(magic for magic in frames.AMR_SIZES if data[: len(magic)] == magic)
    sizes, at = frames.AMR_SIZES[magic], len(magic)
    while at < len(data):
        length = sizes[data[at] >> 3 & 15]
        if length == 0:
            return True
        at += length
    return at == len(data)


def _ogg(data: mmap.mmap) -> bool:
    tail = max(0, len(data) - OGG_TAIL)
    at = data.rfind(b"OggS", tail)
    header = data[at : at + OGG_PAGE_HEADER]
    if at < 0 or len(header) < OGG_PAGE_HEADER:
        return False
    lacing = data[at + OGG_PAGE_HEADER : at + OGG_PAGE_HEADER + header[26]]
    whole = at + OGG_PAGE_HEADER + header[26] + sum(lacing) <= len(data)
    return whole and bool(header[5] & OGG_LAST_PAGE)


def _mp4(data: mmap.mmap) -> bool:
    at, seen = 0, set()
    while at + 8 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        seen.add(name)
        if size == 0:
            break
        if size < 8 or at + size > len(data):
            return False
        at += size
    return b"moov" in seen


def _webm(data: mmap.mmap) -> bool:
    at = data.find(EBML_SEGMENT, 0, 4096)
    if at < 0 or at + 12 > len(data):
        return False
    lead = data[at + 4]
    width = 9 - lead.bit_length()
    size = int.from_bytes(data[at + 4 : at + 4 + width], "big") & ~(1 << 7 * width)
    unknown = size == (1 << 7 * width) - 1
    return unknown or at + 4 + width + size <= len(data)


CHECKS: Final[dict[Format, Callable[[mmap.mmap], bool]]] = {
    WAV: _wav,
    MP3: _mp3,
    ADTS: _adts,
    AMR: _amr,
    OGG: _ogg,
    MP4: _mp4,
    WEBM: _webm,
}
