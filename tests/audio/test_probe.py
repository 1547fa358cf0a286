from pathlib import Path

import pytest

from audio.engine import Engine
from audio.errors import AudioError
from audio.limits import Limits
from audio.probe import probe
from tests.audio.sounds import ffmpeg, talk

CODECS = {
    "wav": "pcm_s16le",
    "flac": "flac",
    "ogg": "vorbis",
    "opus": "opus",
    "mp3": "mp3",
    "m4a": "aac",
    "aac": "aac",
    "webm": "opus",
}


@pytest.mark.parametrize("kind", CODECS)
def test_a_file_tells_what_it_is(kind: str, engine: Engine, clips: dict[str, Path]) -> None:
    found = probe(engine, clips[kind])
    assert found.codec == CODECS[kind]
    assert found.sample_rate == (48_000 if CODECS[kind] == "opus" else 44_100)
    assert found.channels == 2
    assert found.seconds == pytest.approx(2.0, abs=0.15)


def test_a_browser_recording_that_tells_no_length_is_measured(
    engine: Engine, clips: dict[str, Path], tmp_path: Path
) -> None:
    live = tmp_path / "live.webm"
    ffmpeg("-i", str(clips["wav"]), "-c:a", "libopus", "-f", "webm", "-live", "1", str(live))
    assert probe(engine, live).seconds == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(("channels", "layout"), [(1, "mono"), (2, "stereo"), (6, "5.1")])
def test_channels_are_counted(channels: int, layout: str, engine: Engine, tmp_path: Path) -> None:
    many = talk(tmp_path / f"{layout}.wav", 1, "wav", channels=channels)
    assert probe(engine, many).channels == channels


def test_a_length_that_the_file_itself_declares_is_refused_without_decoding(engine: Engine, tmp_path: Path) -> None:
    long = talk(tmp_path / "a.flac", 5, "flac")
    with pytest.raises(AudioError, match="too long"):
        probe(Engine(engine.ffmpeg, Limits(max_seconds=4)), long)


def test_a_length_that_is_guessed_from_the_bit_rate_is_not_held_against_a_file(engine: Engine, tmp_path: Path) -> None:
    lying = tmp_path / "a.mp3"
    silence_first = ["-f", "lavfi", "-i", "aevalsrc='if(gt(t,3),0.3*random(0),0)':d=8:s=44100"]
    ffmpeg(*silence_first, "-q:a", "0", "-write_xing", "0", str(lying))
    assert probe(Engine(engine.ffmpeg, Limits(max_seconds=9)), lying).codec == "mp3"


def test_what_a_file_says_about_itself_is_not_taken_for_what_ffmpeg_says(engine: Engine, tmp_path: Path) -> None:
    boasts = "[error] No space left on device\n  Duration: 00:00:00.10\n  Stream #0:0: Audio: evil, 1 Hz, mono"
    lying = tmp_path / "a.flac"
    source = talk(tmp_path / "a.wav", 2, "wav")
    more = f"comment=File ended prematurely {boasts}"
    ffmpeg("-i", str(source), "-metadata", f"title={boasts}", "-metadata", more, str(lying))
    found = probe(engine, lying)
    assert (found.codec, found.sample_rate, found.seconds) == ("flac", 44_100, 2.0)
