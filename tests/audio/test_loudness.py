from pathlib import Path

import pytest

from audio.engine import Engine
from audio.errors import AudioError
from audio.loudness import measure, read_summary
from tests.audio.sounds import ffmpeg, silence


def sine(path: Path, dbfs: float) -> Path:
    """1 kHz on both channels: by BS.1770 its loudness in LUFS is its peak level in dBFS."""
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc='sin(2*PI*1000*t)|sin(2*PI*1000*t)':s=48000:d=5,volume={dbfs}dB", str(path))
    return path


@pytest.mark.parametrize("dbfs", [-6.0, -16.0, -30.0])
def test_a_sine_of_a_known_level_is_measured_right(dbfs: float, engine: Engine, tmp_path: Path) -> None:
    found = measure(engine, sine(tmp_path / "a.wav", dbfs))
    assert found.integrated_lufs == pytest.approx(dbfs, abs=0.1)
    assert found.true_peak_dbtp == pytest.approx(dbfs, abs=0.1)


def test_silence_lies_at_the_gate(engine: Engine, tmp_path: Path) -> None:
    found = measure(engine, silence(tmp_path / "a.flac", 3))
    assert found.integrated_lufs == -70.0
    assert found.true_peak_dbtp == float("-inf")


def test_a_log_without_a_summary_is_an_error() -> None:
    with pytest.raises(AudioError, match="decode failed"):
        read_summary(["nothing here"])
