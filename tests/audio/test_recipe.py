import math
import subprocess
import sys
import threading
from array import array
from pathlib import Path

import imageio_ffmpeg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.chime import write_chime
from audio.engine import SAMPLE_RATE, Engine
from audio.errors import AudioError
from audio.limits import Limits
from audio.loudness import measure
from audio.recipe import Part, Recipe, Rendition, Role, gated_level, render, sounding, sweep
from tests.audio.sounds import cut, ffmpeg, silence, talk, wav_of

EDGES_MS = 400  # the lead and the tail that trimming leaves


def rendered(engine: Engine, work: Path, *parts: Path | Part) -> Rendition:
    return render(engine, Recipe(tuple(part if isinstance(part, Part) else Part(part) for part in parts)), work)


def refusal(engine: Engine, work: Path, path: Path, limits: Limits | None = None) -> AudioError:
    """The error of rendering `path`; nothing may be left in the work folder."""
    work.mkdir()
    with pytest.raises(AudioError) as caught:
        rendered(Engine(engine.ffmpeg, limits or Limits()), work, path)
    assert list(work.iterdir()) == []
    return caught.value


def heard(path: Path) -> "array[int]":
    """Decode a rendition with the system's ffmpeg."""
    raw = path.with_suffix(".heard")
    ffmpeg("-i", str(path), "-f", "s16le", "-ar", "48000", "-ac", "1", str(raw))
    samples = array("h", raw.read_bytes())
    raw.unlink()
    return samples


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "opus", "mp3", "m4a", "aac", "webm"])
def test_every_format_becomes_the_same_kind_of_rendition(
    kind: str, engine: Engine, clips: dict[str, Path], tmp_path: Path
) -> None:
    made = rendered(engine, tmp_path, clips[kind])
    assert list(tmp_path.iterdir()) == [made.path]
    assert made.path.name == f"{made.sha256}.ogg"
    assert made.path.read_bytes().startswith(b"OggS")
    assert b"OpusHead\x01\x01" in made.path.read_bytes()[:64]
    assert made.size_bytes == made.path.stat().st_size
    assert abs(made.duration_ms - 2000) <= 60


@pytest.mark.parametrize(
    "filters",
    ["volume=-35dB", "volume=20dB", "highpass=f=2000", "acompressor", "tremolo=f=0.5:d=0.9", "lowpass=f=300", "aecho"],
)
def test_quiet_loud_thin_and_uneven_talk_all_come_out_at_the_same_loudness(
    filters: str, engine: Engine, tmp_path: Path
) -> None:
    made = rendered(engine, tmp_path, talk(tmp_path / "a.mp3", 6, filters=filters))
    on_the_encoded_file = measure(engine, made.path)
    assert abs(on_the_encoded_file.integrated_lufs + 16) <= 1
    assert on_the_encoded_file.true_peak_dbtp <= -1
    assert made.integrated_lufs == on_the_encoded_file.integrated_lufs
    assert made.true_peak_dbtp == on_the_encoded_file.true_peak_dbtp


def test_clicks_over_faint_talk_still_keep_below_the_peak(engine: Engine, tmp_path: Path) -> None:
    faint = array("h", (round(300 * math.sin(number / 40)) for number in range(6 * SAMPLE_RATE)))
    for at in range(5000, len(faint), 60_000):
        faint[at] = 32767
    made = rendered(engine, tmp_path, wav_of(tmp_path / "a.wav", faint.tobytes()))
    assert made.true_peak_dbtp <= -1
    assert abs(made.integrated_lufs + 16) <= 1


def test_the_duration_is_exactly_what_a_decoder_gives(engine: Engine, tmp_path: Path) -> None:
    for seconds in (1.0, 1.2345, 2.5):
        made = rendered(engine, tmp_path, talk(tmp_path / "a.wav", seconds, "wav"))
        assert len(heard(made.path)) == made.duration_ms * 48


def test_the_same_input_gives_the_same_bytes(engine: Engine, clips: dict[str, Path], tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    assert rendered(engine, first, clips["mp3"]).sha256 == rendered(engine, second, clips["mp3"]).sha256


def test_silence_at_both_ends_is_trimmed_and_pauses_are_kept(engine: Engine, tmp_path: Path) -> None:
    padded = talk(tmp_path / "a.wav", 2, "wav", "adelay=5000:all=1,apad=pad_dur=7")
    assert abs(rendered(engine, tmp_path, padded).duration_ms - (2000 + EDGES_MS)) <= 60
    pause = talk(tmp_path / "b.wav", 6, "wav", "volume='if(between(t,2,4),0,1)':eval=frame")
    assert abs(rendered(engine, tmp_path, pause).duration_ms - 6000) <= 60


def test_hiss_far_below_the_talk_counts_as_silence(engine: Engine, tmp_path: Path) -> None:
    hiss = tmp_path / "a.wav"
    source = "aevalsrc='if(between(t,3,5),0.5*sin(2*PI*300*t),0)+0.001*random(0)':s=44100:d=8"
    ffmpeg("-f", "lavfi", "-i", source, str(hiss))
    assert abs(rendered(engine, tmp_path, hiss).duration_ms - (2000 + EDGES_MS)) <= 60


def test_chimes_and_parts_are_joined_in_order_at_one_level(engine: Engine, tmp_path: Path) -> None:
    chime = write_chime(tmp_path / "chime.wav")
    loud = talk(tmp_path / "loud.wav", 2, "wav")
    faint = talk(tmp_path / "faint.mp3", 3, "mp3", "volume=-25dB")
    made = rendered(engine, tmp_path, Part(chime, Role.CHIME), loud, faint, Part(chime, Role.CHIME))
    assert abs(made.duration_ms - (2200 + 2000 + 3000 + 2200 + 3 * 400)) <= 120
    samples = heard(made.path)
    level = [max(samples[at * 48 : (at + 1500) * 48]) for at in (100, 2800, 5400, 8500)]
    assert max(level) < 3 * min(level)


def test_channels_of_opposite_polarity_are_not_taken_for_silence(engine: Engine, tmp_path: Path) -> None:
    inverted = talk(tmp_path / "a.wav", 2, "wav", "aformat=channel_layouts=mono,pan=stereo|c0=c0|c1=-1*c0")
    assert rendered(engine, tmp_path, inverted).duration_ms > 1900


def test_the_waveform_follows_the_sound(engine: Engine, tmp_path: Path) -> None:
    source = talk(tmp_path / "a.wav", 4, "wav", "volume='if(between(t,1,3),0,1)':eval=frame")
    made = rendered(engine, tmp_path, source)
    assert len(made.waveform) == -(-made.duration_ms // 50)
    assert min(made.waveform[:18]) > 10
    assert max(made.waveform[24:56]) < 5


def test_progress_never_goes_back_and_ends_at_one(engine: Engine, clips: dict[str, Path], tmp_path: Path) -> None:
    steps: list[float] = []
    render(engine, Recipe((Part(clips["mp3"]), Part(clips["wav"]))), tmp_path, steps.append)
    assert steps == sorted(steps)
    assert steps[-1] == 1.0


def test_rendering_can_be_cancelled_and_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    cancelled = threading.Event()
    with pytest.raises(AudioError, match="cancelled"):
        render(engine, Recipe((Part(talk(tmp_path / "a.mp3", 30)),)), work, lambda _: cancelled.set(), cancelled)
    assert list(work.iterdir()) == []


def test_a_text_a_nothing_and_a_playlist_are_refused_by_name(engine: Engine, tmp_path: Path) -> None:
    playlist = b"#EXTM3U\nfile:///etc/passwd\n"
    cases = {"not_audio": b"Kinh moi ba con nghe ban tin\n", "empty_file": b"", "playlist": playlist}
    for code, content in cases.items():
        upload = tmp_path / f"{code}.mp3"
        upload.write_bytes(content)
        assert refusal(engine, tmp_path / f"work-{code}", upload).code == code


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "opus", "mp3", "m4a", "aac", "webm"])
def test_a_file_that_breaks_off_is_refused(kind: str, engine: Engine, clips: dict[str, Path], tmp_path: Path) -> None:
    broken = cut(clips[kind], tmp_path / "a", 0.6)
    assert refusal(engine, tmp_path / "work", broken).code == "truncated"


@pytest.fixture(scope="session")
def an_hour_of_silence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return silence(tmp_path_factory.mktemp("bomb") / "bomb.flac", 3600)


def test_an_hour_of_silence_in_a_small_flac_is_refused(
    engine: Engine, an_hour_of_silence: Path, tmp_path: Path
) -> None:
    assert an_hour_of_silence.stat().st_size < 2_000_000
    assert refusal(engine, tmp_path / "work", an_hour_of_silence).code == "silent"


def test_the_hiss_of_an_unplugged_microphone_counts_as_silent(engine: Engine, tmp_path: Path) -> None:
    hiss = tmp_path / "a.mp3"
    ffmpeg("-f", "lavfi", "-i", "anoisesrc=d=3:a=0.003:r=44100", "-b:a", "96k", str(hiss))
    assert refusal(engine, tmp_path / "work", hiss).code == "silent"


@pytest.mark.parametrize("name", ["a.amr", "a.3gp"])
def test_a_recording_of_an_old_telephone_is_taken(name: str, engine: Engine, tmp_path: Path) -> None:
    source, recorded = talk(tmp_path / "a.wav", 2, "wav"), tmp_path / name
    encoder = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(source), "-ar", "8000", "-ac", "1"]
    subprocess.run([*encoder, "-c:a", "libopencore_amrnb", str(recorded)], check=True)
    assert abs(rendered(engine, tmp_path, recorded).duration_ms - 2000) <= 60


def test_a_wav_of_no_seconds_is_refused(engine: Engine, tmp_path: Path) -> None:
    assert refusal(engine, tmp_path / "work", wav_of(tmp_path / "a.wav", b"")).code == "zero_length"


def test_too_long_and_too_large_are_refused_with_their_limits(
    engine: Engine, clips: dict[str, Path], tmp_path: Path
) -> None:
    for kind in ("mp3", "flac"):
        error = refusal(engine, tmp_path / kind, clips[kind], Limits(max_seconds=1))
        assert (error.code, error.params["limit_seconds"]) == ("too_long", 1)
    error = refusal(engine, tmp_path / "large", clips["wav"], Limits(max_input_bytes=1000))
    assert (error.code, error.params["limit_bytes"]) == ("too_large", 1000)


def test_a_video_without_sound_is_refused(engine: Engine, tmp_path: Path) -> None:
    mute = tmp_path / "a.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=1:s=64x64", "-c:v", "mpeg4", str(mute))
    assert refusal(engine, tmp_path / "work", mute).code == "not_audio"


def test_the_sound_of_a_video_is_taken(engine: Engine, tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    sound = talk(tmp_path / "a.wav", 2, "wav")
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=2:s=64x64", "-i", str(sound), "-c:v", "mpeg4", "-c:a", "aac", str(video))
    assert abs(rendered(engine, tmp_path, video).duration_ms - 2000) <= 60


def test_an_mp3_with_a_cover_picture_is_taken(engine: Engine, clips: dict[str, Path], tmp_path: Path) -> None:
    covered, cover = tmp_path / "a.mp3", tmp_path / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=1:s=64x64", "-frames:v", "1", str(cover))
    ffmpeg("-i", str(clips["mp3"]), "-i", str(cover), "-map", "0:a", "-map", "1:v", "-c", "copy", str(covered))
    assert abs(rendered(engine, tmp_path, covered).duration_ms - 2000) <= 60


def test_a_wrong_extension_and_a_name_with_dots_and_vietnamese_letters_do_not_matter(
    engine: Engine, clips: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "uploads" / "sâu"
    folder.mkdir(parents=True)
    named = folder / "Bản tin sáng – Đài xã.wav"
    named.write_bytes(clips["mp3"].read_bytes())
    made = rendered(engine, tmp_path, folder / ".." / "sâu" / named.name)
    assert made.path.parent == tmp_path


def test_the_part_at_fault_is_named_by_its_number(engine: Engine, clips: dict[str, Path], tmp_path: Path) -> None:
    quiet = silence(tmp_path / "quiet.flac", 2)
    with pytest.raises(AudioError) as caught:
        rendered(engine, tmp_path, clips["mp3"], quiet)
    assert (caught.value.code, caught.value.params["part"]) == ("silent", 1)


def test_a_full_disk_is_named_and_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    told = on_a_small_disk(tmp_path, "render", str(engine.ffmpeg), str(talk(tmp_path / "a.wav", 60, "wav")))
    assert told == "disk_full []"


def test_too_little_room_is_seen_before_work_starts(engine: Engine, clips: dict[str, Path], tmp_path: Path) -> None:
    error = refusal(engine, tmp_path / "work", clips["mp3"], Limits(free_bytes=1 << 60))
    assert error.code == "disk_full"


def on_a_small_disk(folder: Path, *arguments: str) -> str:
    """Run `small_disk.py` with a 4 MiB disk of its own mounted, as root or anybody; return what it says."""
    disk = folder / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=4m none "$0" && exec "$@"'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(disk), sys.executable]
    ended = subprocess.run(
        [*command, "-m", "tests.audio.small_disk", str(disk), *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_a_sweep_removes_what_a_killed_server_left(tmp_path: Path) -> None:
    (tmp_path / "render-x").mkdir()
    (tmp_path / "render-x" / "0.raw").write_bytes(b"1")
    (tmp_path / "kept.ogg").write_bytes(b"1")
    assert sweep(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["kept.ogg"]


def test_a_recipe_needs_something_to_say(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="body"):
        Recipe((Part(tmp_path / "chime.wav", Role.CHIME),))


@given(levels=st.lists(st.floats(-100, 0), min_size=1).filter(lambda levels: max(levels) >= -55))
def test_what_sounds_lies_inside_and_holds_the_loudest(levels: list[float]) -> None:
    first, last = sounding(levels)
    assert 0 <= first <= levels.index(max(levels)) <= last < len(levels)
    assert max(levels) - 25 <= gated_level(levels) <= max(levels) + 1e-9
