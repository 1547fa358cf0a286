"""Headerless 16-bit mono sound at 48 kHz on disk: levels, silence, joining; read in short blocks, never whole."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from audio.engine import SAMPLE_BYTES, SAMPLE_RATE, raw_segment

BLOCK_MS: Final = 20
SECOND_BYTES: Final = SAMPLE_RATE * SAMPLE_BYTES
MS_BYTES: Final = SECOND_BYTES // 1000
FULL_SCALE: Final = 32768.0
FLOOR_DBFS: Final = -100.0
MAX_PEAKS: Final = 2000
PEAK_MS: Final = 50




def blocks(path: Path, milliseconds: int) -> Iterator[bytes]:
    """Yield the sound of `path` in pieces of `milliseconds`, the last one shorter."""
    with path.open("rb") as file:
        while data := file.read(milliseconds * MS_BYTES):
            yield data[: len(data) - len(data) % SAMPLE_BYTES]


def levels(path: Path) -> list[float]:
    """RMS of each block of 20 ms in dBFS; −100 for digital silence."""
    return [decibels(raw_segment(data).rms) for data in blocks(path, BLOCK_MS) if data]


def decibels(amplitude: float) -> float:
    """Amplitude of 0 to 32768 in dBFS, not below −100."""
    return max(FLOOR_DBFS, 20 * math.log10(amplitude / FULL_SCALE)) if amplitude > 0 else FLOOR_DBFS


def duration_ms(path: Path) -> int:
    """Length in whole milliseconds, rounded up."""
    return -(-path.stat().st_size // MS_BYTES)


def peaks(path: Path) -> bytes:
    """Waveform: the peak of each stretch as 0–255, a stretch being 50 ms or as much as keeps to 2,000 values."""
    stretch = max(PEAK_MS, -(-duration_ms(path) // MAX_PEAKS))
    return bytes(min(255, raw_segment(data).max * 255 // 32767) for data in blocks(path, stretch) if data)


def append(target: BinaryIO, source: Path, from_ms: int, to_ms: int, gain_db: float, fade_ms: int = 0) -> None:
    """Append `from_ms`–`to_ms` of `source` to `target`, louder by `gain_db`, faded in and out over `fade_ms`."""
    with source.open("rb") as file:
        file.seek(from_ms * MS_BYTES)
        left = (to_ms - from_ms) * MS_BYTES
        first = True
        while left > 0 and (data := file.read(min(left, SECOND_BYTES))):
            left -= len(data)
            piece = raw_segment(data[: len(data) - len(data) % SAMPLE_BYTES]).apply_gain(gain_db)
            if first and fade_ms:
                piece = piece.fade_in(min(fade_ms, len(piece)))
            if left <= 0 and fade_ms:
                piece = piece.fade_out(min(fade_ms, len(piece)))
            target.write(piece.raw_data)
            first = False


def append_silence(target: BinaryIO, milliseconds: int) -> None:
    """Append digital silence."""
    target.write(bytes(milliseconds * MS_BYTES))
