"""The ear that judges the demo: what is late, missing or not in the plan does not get past it."""

import json
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tests.system import heard

RATE = 16_000
FIRST = datetime(2026, 3, 15, 5, 0, tzinfo=UTC)


def noise(seconds: float) -> heard.Samples:
    """A sound that resembles nothing but itself."""
    return np.asarray(np.random.default_rng(7).normal(0, 0.1, round(seconds * RATE)), dtype=np.float32)


def a_record(folder: Path, sound: heard.Samples, at_s: float, stray: float = 0.0) -> heard.Sound:
    """Ten seconds of a pole: `sound` from `at_s` on, and a click of height `stray` at the eighth second."""
    samples = np.zeros(10 * RATE, dtype=np.float32)
    begin = round(at_s * RATE)
    samples[begin:begin + len(sound)] = sound
    samples[8 * RATE] = stray
    with wave.open(str(folder / "pole.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    (folder / "pole.json").write_text(json.dumps({"first_sample_utc": FIRST.isoformat(), "sample_rate": RATE}))
    return heard.read_sound(folder, "pole")


def planned(at_s: float, seconds: float) -> list[dict[str, Any]]:
    """A plan of one segment."""
    at = (FIRST + timedelta(seconds=at_s)).isoformat()
    return [{"items": [{"segments": [{"at_utc": at, "from_ms": 0, "to_ms": round(seconds * 1000)}]}]}]


def test_a_sound_at_its_instant_is_found_there(tmp_path: Path) -> None:
    found, late = heard.find(a_record(tmp_path, noise(2), 3.0), noise(2), FIRST + timedelta(seconds=3))
    assert found > 0.99
    assert abs(late) < 1


def test_a_late_sound_is_found_late(tmp_path: Path) -> None:
    found, late = heard.find(a_record(tmp_path, noise(2), 3.15), noise(2), FIRST + timedelta(seconds=3))
    assert found > 0.99
    assert abs(late - 150) < 1


def test_half_a_sound_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    found, _ = heard.find(a_record(tmp_path, noise(2)[:RATE], 3.0), noise(2), FIRST + timedelta(seconds=3))
    assert found < 0.9


def test_one_click_outside_the_plan_is_loud(tmp_path: Path) -> None:
    a_record(tmp_path, noise(2), 3.0, stray=0.01)
    assert heard.loudest_outside(tmp_path, "pole", planned(3.0, 2.0)) > heard.SILENCE


def test_silence_outside_the_plan_is_silence(tmp_path: Path) -> None:
    a_record(tmp_path, noise(2), 3.0)
    assert heard.loudest_outside(tmp_path, "pole", planned(3.0, 2.0)) < heard.SILENCE
