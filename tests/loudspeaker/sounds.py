"""Sounds for tests of the server, made by arithmetic or by the real ffmpeg."""

import io
import math
import random
import shutil
import subprocess
import wave
from array import array
from pathlib import Path

RATE = 16_000


def speech_like(seconds: float, seed: int = 1, rate: int = RATE) -> bytes:
    """A wav of syllable-like bursts of sound with pauses; every seed differs."""
    chance = random.Random(seed)
    pitch = 110 + chance.random() * 90
    samples = array("h")
    for number in range(round(seconds * rate)):
        at = number / rate
        loud = max(0.0, math.sin(2 * math.pi * 3.1 * at)) ** 0.5
        tone = math.sin(2 * math.pi * pitch * at) + 0.5 * math.sin(2 * math.pi * pitch * 3 * at)
        samples.append(round(9000 * loud * tone + chance.uniform(-300, 300)))
    return wav(samples.tobytes(), rate)


def silence(seconds: float, rate: int = RATE) -> bytes:
    """A wav in which nothing can be heard."""
    return wav(bytes(2 * round(seconds * rate)), rate)


def wav(raw: bytes, rate: int = RATE) -> bytes:
    """A mono 16-bit wav of `raw`."""
    target = io.BytesIO()
    with wave.open(target, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(raw)
    return target.getvalue()


def converted(source: bytes, folder: Path, *arguments: str, suffix: str) -> bytes:
    """`source` as ffmpeg writes it with `arguments` to a file ending in `suffix`."""
    ffmpeg = shutil.which("ffmpeg")
    assert ffmpeg, "ffmpeg is missing: apt-get install ffmpeg"
    given, made = folder / "given.wav", folder / f"made{suffix}"
    given.write_bytes(source)
    subprocess.run(
        [ffmpeg, "-nostdin", "-loglevel", "error", "-y", "-i", str(given), *arguments, str(made)], check=True)
    return made.read_bytes()
