"""Frame headers of mp3, aac (ADTS) and amr, only as far as telling what a file is and where it breaks off.

Sources: ISO/IEC 11172-3 2.4.1.3 (MPEG audio header), ISO/IEC 13818-7 6.2 (ADTS), RFC 4867 5 (AMR storage),
id3.org (ID3v2).
"""

from collections.abc import Callable
from typing import Final, Protocol

START_WINDOW: Final = 32 * 1024
AGREEING_FRAMES: Final = 4
MPEG_HEADER: Final = 4
ADTS_HEADER: Final = 7

BIT_RATES: Final = {  # kb/s by (version 1, layer)
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
SAMPLE_RATES: Final = (44100, 48000, 32000)
AMR_SIZES: Final = {
    b"#!AMR\n": (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1),
    b"#!AMR-WB\n": (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1),
}


class Bytes(Protocol):
    """`bytes` or a memory map."""

    def __len__(self) -> int: ...
    def __getitem__(self, where: slice, /) -> bytes: ...


FrameLength = Callable[[bytes], int]


def after_id3(data: Bytes) -> int:
    """Offset of the first byte after any ID3v2 tags at the start; 0 without a tag."""
    at = 0
    while data[at : at + 3] == b"ID3" and len(data[at : at + 10]) == 10:
        header = data[at : at + 10]
        size = header[6] << 21 | header[7] << 14 | header[8] << 7 | header[9]
        at += 10 + size + (10 if header[5] & 0x10 else 0)
    return at


def mpeg_frame(header: bytes) -> int:
    """Length in bytes of the MPEG audio frame that starts with these 4 bytes; 0 if they start none."""
    if len(header) < MPEG_HEADER or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate_index, sample_index, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or rate_index in (0, 15) or sample_index == 3:
        return 0
    first = version == 3
    rate = BIT_RATES[first, layer][rate_index] * 1000
    samples_per_second = SAMPLE_RATES[sample_index] >> {3: 0, 2: 1, 0: 2}[version]
    if layer == 1:
        return (12 * rate // samples_per_second + padding) * 4
    return (144 if first or layer == 2 else 72) * rate // samples_per_second + padding


def adts_frame(header: bytes) -> int:
    """Length in bytes of the ADTS frame that starts with these 7 bytes; 0 if they start none."""
    if len(header) < ADTS_HEADER or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length > ADTS_HEADER else 0


def looks_like(frame: FrameLength, data: bytes, within: int) -> bool:
    """Whether `AGREEING_FRAMES` frames (or all up to the end) follow each other from some offset below `within`."""
    return any(data[at] == 0xFF and _agree(frame, data, at) for at in range(min(within, len(data))))


def first_frame(frame: FrameLength, data: Bytes, start: int) -> int:
    """Offset at or after `start` where frames that agree begin; -1 if there are none in the window."""
    window = data[start : start + 2 * START_WINDOW]
    for at in range(min(START_WINDOW, len(window))):
        if window[at] == 0xFF and _agree(frame, window, at):
            return start + at
    return -1


def _agree(frame: FrameLength, data: bytes, at: int) -> bool:
    seen = 0
    kind = data[at + 1 : at + 2]
    while seen < AGREEING_FRAMES:
        header = data[at : at + ADTS_HEADER]
        length = frame(header)
        if length == 0 or header[1:2] != kind:
            return seen > 1 and len(header) < MPEG_HEADER
        at += length
        seen += 1
    return True
