"""The opening chime (nhạc hiệu), made by arithmetic so that no sample need be shipped."""

import math
import wave
from array import array
from pathlib import Path
from typing import Final

from audio.engine import SAMPLE_RATE

SECONDS: Final = 2.2
TONES: Final = ((0.0, 523.25), (0.4, 659.26), (0.8, 783.99))  # C5 E5 G5: start in seconds, pitch in Hz
PARTIALS: Final = ((1.0, 1.0), (2.0, 0.35), (3.0, 0.12), (4.2, 0.06))
DECAY_PER_SECOND: Final = 2.6
ATTACK_SECONDS: Final = 0.008
AMPLITUDE: Final = 0.28


def write_chime(path: Path) -> Path:
    """Write the chime (2.2 s, mono, 16 bit, 48 kHz) as wav to `path`, always the same bytes; return `path`."""
    samples = array("h", (round(32767 * _at(number / SAMPLE_RATE)) for number in range(round(SECONDS * SAMPLE_RATE))))
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(samples.tobytes())
    return path


def _at(moment: float) -> float:
    ending = min(1.0, (SECONDS - moment) / 0.2)
    return AMPLITUDE * ending * sum(_tone(moment - start, pitch) for start, pitch in TONES if moment >= start)


def _tone(since: float, pitch: float) -> float:
    envelope = min(1.0, since / ATTACK_SECONDS) * math.exp(-DECAY_PER_SECOND * since)
    return envelope * sum(share * math.sin(2 * math.pi * pitch * part * since) for part, share in PARTIALS) / 1.53
