import wave
from pathlib import Path

from audio.chime import write_chime


def test_the_chime_is_two_seconds_of_sound_that_starts_and_ends_in_silence(tmp_path: Path) -> None:
    with wave.open(str(write_chime(tmp_path / "chime.wav"))) as chime:
        assert (chime.getnchannels(), chime.getsampwidth(), chime.getframerate()) == (1, 2, 48_000)
        samples = memoryview(chime.readframes(chime.getnframes())).cast("h")
    assert 2.0 <= len(samples) / 48_000 <= 2.5
    assert 6_000 < max(samples) < 32_000
    assert abs(samples[0]) < 50
    assert abs(samples[-1]) < 50


def test_the_chime_is_always_the_same(tmp_path: Path) -> None:
    first, second = write_chime(tmp_path / "1.wav"), write_chime(tmp_path / "2.wav")
    assert first.read_bytes() == second.read_bytes()
