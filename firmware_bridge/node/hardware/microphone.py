"""The ear of the self-test: a microphone in front of the horn, or a line back from the amplifier."""

import subprocess
import sys
from array import array
from typing import Protocol

PATIENCE_S = 5.0


class NoMicrophone(OSError):
    """Nothing is there to hear with."""


class Microphone(Protocol):
    """Hears mono 16-bit samples."""

    def record(self, seconds: float, rate: int) -> "array[int]":
        """What is heard from now on, for `seconds`. Raises OSError (NoMicrophone when there is none)."""


class NullMicrophone:
    """There is none."""

    def record(self, seconds: float, rate: int) -> "array[int]":
        """Raises NoMicrophone."""
        raise NoMicrophone("no microphone is connected")


class ArecordMicrophone:
    """An ALSA input, by arecord (alsa-utils)."""

    def __init__(self, device: str) -> None:
        self._device = device

    def record(self, seconds: float, rate: int) -> "array[int]":
        """Record. Raises OSError."""
        command = ["arecord", "-q", "-D", self._device, "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", str(rate),
                   "-s", str(round(seconds * rate))]
        try:
            done = subprocess.run(command, capture_output=True, timeout=seconds + PATIENCE_S, check=True)
        except subprocess.CalledProcessError as error:
            raise OSError(f"arecord: {error.stderr.decode(errors='replace').strip()[:200]}") from error
        except subprocess.TimeoutExpired as error:
            raise OSError("arecord does not end") from error
        return samples_of(done.stdout)


def samples_of(raw: bytes) -> "array[int]":
    """Little-endian 16-bit samples."""
    samples = array("h", raw[:len(raw) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
