"""Whether the loudspeaker sounds as it did when it was installed: tones played, heard, and compared. No IO.

The tones are searched for coherently (one bin of a Fourier transform over a whole tone, Goertzel's idea with fixed
tables), so that wind, traffic and hum hide little: 0.36 s of a tone stand 35 dB above the noise around it.
"""

import math
import statistics
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import mul

from firmware_bridge.contract.base import Instant, Payload

RATE = 16_000
BANDS = (500, 800, 1250, 2000, 3150, 5000)
"""Hz: what a horn carries. Whole periods fit into a block, so that no tone leaks into another's band."""
BLOCK = RATE // 50
"""Samples of 20 ms."""
TONE, STEP = 20, 25
"""Blocks that a tone lasts, and from one tone's begin to the next."""
EDGE = 1
"""Blocks at either end of a tone that are left out: it fades in and out, and begins between two blocks."""
AMPLITUDE = 0.25
"""−12 dB of full scale."""
SECONDS = len(BANDS) * STEP * BLOCK / RATE
FULL_SCALE = 32768.0
CLEAR = 10.0
"""A tone is there when its power is so many times the noise's in its band."""
WEAK_DB = -6.0
"""From here on the loudspeaker is weak: half of the sound pressure is gone."""
HIDDEN_DB = -20.0
"""What lies below the reference by more than this counts as silent; noise above it leaves the question open."""


class Verdict(StrEnum):
    """What the self-test heard."""

    GOOD = "good"
    WEAK = "weak"
    SILENT = "silent"
    UNCLEAR = "unclear"
    """Too noisy to tell: try again."""


@dataclass(frozen=True)
class Levels:
    """What was heard in each of `BANDS`, in dB of full scale: the tone, and the noise that could pass for one."""

    tones: tuple[float, ...]
    noise: tuple[float, ...]

    def is_clear(self, band: int) -> bool:
        """Whether the tone of a band stands out of the noise."""
        return self.tones[band] >= self.noise[band] + 10 * math.log10(CLEAR)


class Reference(Payload):
    """What was heard at installation, when a person heard that it was good."""

    taken: Instant
    tones: dict[int, float]
    """dB of full scale by frequency in Hz."""


@dataclass(frozen=True)
class Heard:
    """The outcome: `bands` is the difference to the reference in dB by frequency, None where nothing was heard."""

    verdict: Verdict
    bands: Mapping[int, float | None]


def tones() -> "array[int]":
    """The test's sound: one tone after the other, `SECONDS` long, mono at `RATE`."""
    samples = array("h")
    for band in BANDS:
        for n in range(TONE * BLOCK):
            fade = min(1.0, n / BLOCK, (TONE * BLOCK - n) / BLOCK)
            samples.append(round(FULL_SCALE * AMPLITUDE * fade * math.sin(2 * math.pi * band * n / RATE)))
        samples.extend([0] * ((STEP - TONE) * BLOCK))
    return samples


def listen(samples: "array[int]") -> Levels:
    """Find the tones in a recording at `RATE`, wherever they begin. Raises ValueError when it is too short."""
    blocks = len(samples) // BLOCK
    starts = range(blocks - len(BANDS) * STEP + 1)
    if not starts:
        raise ValueError(f"{len(samples) / RATE:.1f} s were recorded, {SECONDS} s are needed")
    powers = [_tone_powers(samples, band, blocks) for band in BANDS]
    begin = max(starts, key=lambda start: sum(each[start + n * STEP] for n, each in enumerate(powers)))
    levels = [_levels(each, begin, begin + n * STEP) for n, each in enumerate(powers)]
    return Levels(tuple(tone for tone, _ in levels), tuple(noise for _, noise in levels))


def compare(reference: Mapping[int, float], heard: Levels) -> Heard:
    """Hold what was heard against the reference. Raises ValueError when it has none of the bands."""
    known = [n for n, band in enumerate(BANDS) if band in reference]
    if not known:
        raise ValueError("the reference holds no tone")
    lost = {n: heard.tones[n] - reference[BANDS[n]] for n in known}
    there = [n for n in known if heard.is_clear(n) and lost[n] > HIDDEN_DB]
    bands = {BANDS[n]: round(lost[n], 1) if n in there else None for n in known}
    if 2 * len(there) > len(known):
        weak = statistics.median(lost[n] if n in there else HIDDEN_DB for n in known) <= WEAK_DB
        return Heard(Verdict.WEAK if weak else Verdict.GOOD, bands)
    hidden = [n for n in known if heard.noise[n] + 10 * math.log10(CLEAR) > reference[BANDS[n]] + HIDDEN_DB]
    return Heard(Verdict.UNCLEAR if 2 * len(hidden) > len(known) else Verdict.SILENT, bands)


def reference_of(heard: Levels) -> dict[int, float]:
    """The tones that are clear, by frequency. Raises ValueError when fewer than half of them are."""
    clear = {band: round(heard.tones[n], 1) for n, band in enumerate(BANDS) if heard.is_clear(n)}
    if 2 * len(clear) <= len(BANDS):
        raise ValueError("too little was heard: is the microphone connected, and the amplifier on?")
    return clear


def _tone_powers(samples: "array[int]", band: int, blocks: int) -> list[float]:
    """For every block, the power of `band` over the inner blocks of a tone that would begin there (1.0: full scale)."""
    angles = [2 * math.pi * band * n / RATE for n in range(BLOCK)]
    cosine, sine = [math.cos(one) for one in angles], [math.sin(one) for one in angles]
    real, imaginary = [0.0], [0.0]
    for start in range(0, blocks * BLOCK, BLOCK):
        block = samples[start:start + BLOCK]
        real.append(real[-1] + sum(map(mul, block, cosine)))
        imaginary.append(imaginary[-1] + sum(map(mul, block, sine)))
    inner = TONE - 2 * EDGE
    scale = (FULL_SCALE * BLOCK * inner / 2) ** 2
    return [(_stretch(real, start, inner) ** 2 + _stretch(imaginary, start, inner) ** 2) / scale
            for start in range(EDGE, blocks - inner - EDGE + 1)]


def _stretch(sums: Sequence[float], start: int, length: int) -> float:
    return sums[start + length] - sums[start]


def _levels(powers: Sequence[float], begin: int, own: int) -> tuple[float, float]:
    """The level of a band's tone at `own`, and of what is there while the band is silent, in dB."""
    end = begin + len(BANDS) * STEP
    silent = [power for at, power in enumerate(powers)
              if at % 3 == 0 and (at + TONE <= own or own + TONE <= at) and at + TONE <= end]
    noise = statistics.fmean(silent)
    return _decibels(powers[own]), _decibels(noise)


def _decibels(power: float) -> float:
    return 10 * math.log10(max(power, 1e-12))
