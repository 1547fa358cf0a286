"""A loudspeaker as a microphone hears it: what the node played, later, softer, and with the world around it."""

import time
import wave
from array import array
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HORN_GAIN = 0.3
"""How loud the horn is at the microphone, of full scale."""
PATIENCE_S = 30.0

Sound = NDArray[np.float64]


class World:
    """Wind, hum, traffic and hiss at a microphone, `snr_db` below a good horn (of its tones' power)."""

    def __init__(self, seed: int, snr_db: float, tone: float = HORN_GAIN * 0.25 * 32768) -> None:
        self._chance = np.random.default_rng(seed)
        self._level = tone / np.sqrt(2) * 10 ** (-snr_db / 20)

    def late_s(self) -> float:
        """A sound card's delay."""
        return float(self._chance.uniform(0.0, 0.7))

    def around(self, sound: Sound, rate: int) -> Sound:
        """What the microphone gives."""
        count = len(sound)
        hiss = self._chance.normal(0.0, 1.0, count)
        wind = np.cumsum(self._chance.normal(0.0, 1.0, count) * 0.05)
        wind -= np.convolve(wind, np.ones(1000) / 1000, "same")
        at = np.arange(count) / rate
        hum = np.sin(2 * np.pi * 50 * at + self._chance.uniform(0, 6)) + 0.5 * np.sin(2 * np.pi * 150 * at)
        horn = np.sin(2 * np.pi * np.cumsum(self._chance.uniform(300, 700) + 40 * np.sin(at)) / rate)
        horn *= (at > 1.0) & (at < 1.4)
        noise = hiss + wind / max(float(np.std(wind)), 1e-9) + hum + 2 * horn
        return np.asarray(sound + noise * self._level / 2)


class WavMicrophone:
    """Hears what a wav player writes, through a horn of `gain_db`, in a `world`. None of it when the horn is dead."""

    def __init__(self, path: Path, world: World, gain_db: Callable[[], float | None]) -> None:
        self._path, self._world, self._gain_db = path, world, gain_db

    def record(self, seconds: float, rate: int) -> "array[int]":
        """Wait until so much has been written, then hear it. Raises OSError."""
        begin, count = self._written(), round(seconds * rate)
        deadline = time.monotonic() + seconds + PATIENCE_S
        while self._written() < begin + count:
            if time.monotonic() > deadline:
                raise OSError("the wav does not grow")
            time.sleep(0.02)
        with self._path.open("rb") as file:
            file.seek(44 + 2 * begin)
            played = np.frombuffer(file.read(2 * count), "<i2").astype(np.float64)
        return through(played, self._gain_db(), self._world, rate)

    def _written(self) -> int:
        return max(0, (self._path.stat().st_size - 44) // 2)


def through(played: Sound, gain_db: float | None, world: World, rate: int) -> "array[int]":
    """Samples that were played, as they are heard."""
    late = round(world.late_s() * rate)
    heard = np.concatenate([np.zeros(late), played])[:len(played)]
    heard = heard * (0.0 if gain_db is None else HORN_GAIN * 10 ** (gain_db / 20))
    return array("h", np.clip(world.around(heard, rate), -32768, 32767).astype(np.int16).tolist())


def read_wav(path: Path) -> tuple[Sound, int]:
    """Samples and rate of a mono wav."""
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64), file.getframerate()
