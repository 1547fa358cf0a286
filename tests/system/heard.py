"""What was heard: a node's wav held against its plan by correlation, and silence everywhere else."""

import json
import subprocess
import wave
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import correlate

Samples = npt.NDArray[np.float32]
SEARCH_S = 0.5
"""How far around its instant a segment is looked for."""
GUARD_S = 0.15
"""Edges of a segment that are not asked to be silent."""
SILENCE = 10 ** (-60 / 20)


@dataclass(frozen=True)
class Finding:
    """Where one planned segment was found: correlation in [-1, 1] and how late, in ms."""

    node: str
    broadcast: str
    sha256: str
    correlation: float
    late_ms: float


@dataclass(frozen=True)
class Sound:
    """A node's recording: samples in [-1, 1] and the instant of the first."""

    samples: Samples
    rate: int
    first: datetime

    def index(self, at: datetime) -> int:
        """Sample number of an instant."""
        return round((at - self.first).total_seconds() * self.rate)


def read_sound(folder: Path, node: str) -> Sound:
    """The wav and its side file as the demo writes them."""
    about = json.loads((folder / f"{node}.json").read_text())
    with wave.open(str(folder / f"{node}.wav")) as file:
        assert file.getnchannels() == 1
        assert file.getsampwidth() == 2
        samples = _samples(file.readframes(file.getnframes()))
        rate = file.getframerate()
    assert rate == about["sample_rate"]
    return Sound(samples, rate, datetime.fromisoformat(about["first_sample_utc"]))


def decode(ffmpeg: str, rendition: Path, rate: int) -> Samples:
    """A rendition as mono samples in [-1, 1]."""
    raw = subprocess.run([ffmpeg, "-v", "error", "-i", str(rendition), "-f", "s16le", "-ac", "1", "-ar", str(rate),
                          "-"], check=True, capture_output=True).stdout
    return _samples(raw)


def _samples(raw: bytes) -> Samples:
    return np.asarray(np.frombuffer(raw, dtype="<i2") / np.float32(32768), dtype=np.float32)


def find(sound: Sound, reference: Samples, at: datetime) -> tuple[float, float]:
    """Best normalised correlation of `reference` around `at`, and how many ms late it lies."""
    reach = round(SEARCH_S * sound.rate)
    begin = max(0, sound.index(at) - reach)
    window = sound.samples[begin:sound.index(at) + len(reference) + reach]
    if len(window) < len(reference):
        return 0.0, float("inf")
    products = correlate(window, reference, mode="valid", method="fft")
    energy = np.concatenate(([0.0], np.cumsum(window.astype(np.float64) ** 2)))
    in_window = np.maximum(energy[len(reference):] - energy[:-len(reference)], 1e-12)
    normalised = products / np.sqrt(in_window * np.sum(reference.astype(np.float64) ** 2))
    best = int(np.argmax(normalised))
    return float(normalised[best]), (begin + best - sound.index(at)) / sound.rate * 1000


def findings(folder: Path, ffmpeg: str) -> list[Finding]:
    """Every planned segment of every node, looked for in that node's wav."""
    result = []
    decoded: dict[tuple[str, int], Samples] = {}
    for node, rows in by_node(plan_of(folder)).items():
        sound = read_sound(folder, node)
        for row in rows:
            for item in row["items"]:
                key = (item["sha256"], sound.rate)
                if key not in decoded:
                    decoded[key] = decode(ffmpeg, folder / f"{item['sha256']}.ogg", sound.rate)
                for segment in item["segments"]:
                    cut = decoded[key][segment["from_ms"] * sound.rate // 1000:segment["to_ms"] * sound.rate // 1000]
                    found, late = find(sound, cut, datetime.fromisoformat(segment["at_utc"]))
                    result.append(Finding(node, row["broadcast"], item["sha256"], found, late))
    return result


def loudest_outside(folder: Path, node: str, rows: list[dict[str, Any]]) -> float:
    """The largest sample, in [0, 1], outside all planned segments of a node."""
    sound = read_sound(folder, node)
    outside = np.ones(len(sound.samples), dtype=bool)
    for row in rows:
        for item in row["items"]:
            for segment in item["segments"]:
                start = sound.index(datetime.fromisoformat(segment["at_utc"]))
                length = (segment["to_ms"] - segment["from_ms"]) * sound.rate // 1000
                guard = round(GUARD_S * sound.rate)
                outside[max(0, start - guard):start + length + guard] = False
    rest = np.abs(sound.samples[outside])
    return float(rest.max()) if len(rest) else 0.0


def plan_of(folder: Path) -> list[dict[str, Any]]:
    """The demo's plan."""
    plan: list[dict[str, Any]] = json.loads((folder / "plan.json").read_text())
    return plan


def by_node(plan: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The plan's rows, node by node."""
    result: dict[str, list[dict[str, Any]]] = {}
    for row in plan:
        result.setdefault(row["node"], []).append(row)
    return result


def after(at_utc: str, milliseconds: int) -> str:
    """The instant so much later, as the plan writes instants."""
    later = datetime.fromisoformat(at_utc) + timedelta(milliseconds=milliseconds)
    return later.isoformat(timespec="milliseconds").replace("+00:00", "Z")
