import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio import pcm

SECOND = 48_000 * 2


def tone(path: Path, seconds: float, amplitude: int = 16_384) -> Path:
    """A square wave: its RMS is its amplitude."""
    period = amplitude.to_bytes(2, "little") * 24 + (-amplitude & 0xFFFF).to_bytes(2, "little") * 24
    path.write_bytes(period * round(seconds * 1000))
    return path


def test_levels_are_in_decibels_of_full_scale(tmp_path: Path) -> None:
    assert pcm.levels(tone(tmp_path / "a", 0.1)) == pytest.approx([-6.02] * 5, abs=0.01)
    (tmp_path / "b").write_bytes(bytes(SECOND // 10))
    assert pcm.levels(tmp_path / "b") == [-100.0] * 5


@given(seconds=st.floats(0.001, 150))
def test_a_waveform_has_at_most_2000_points_and_none_too_few(
    seconds: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tone(tmp_path_factory.getbasetemp() / "a", seconds)
    points = pcm.peaks(path)
    assert len(points) <= 2000
    assert len(points) == -(-pcm.duration_ms(path) // 50) or len(points) > 1000
    assert set(points) == {127}


@given(cut=st.tuples(st.integers(0, 2500), st.integers(0, 2500)).map(sorted))
def test_a_piece_is_appended_sample_by_sample(cut: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    source = tone(tmp_path_factory.getbasetemp() / "piece", 2.5)
    target = io.BytesIO()
    pcm.append(target, source, cut[0], cut[1], 0.0)
    assert target.getvalue() == source.read_bytes()[cut[0] * 96 : cut[1] * 96]


def test_a_gain_and_fades_are_applied(tmp_path: Path) -> None:
    target = io.BytesIO()
    pcm.append(target, tone(tmp_path / "a", 1), 0, 1000, -6.0206, fade_ms=100)
    faded = tmp_path / "b"
    faded.write_bytes(target.getvalue())
    levels = pcm.levels(faded)
    assert levels[25] == pytest.approx(-12.04, abs=0.05)
    assert levels[0] < levels[2] < levels[25]
    assert levels[-1] < levels[-3] < levels[25]
