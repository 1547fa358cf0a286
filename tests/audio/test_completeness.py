from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.completeness import check_complete
from audio.errors import AudioError
from audio.formats import detect
from tests.audio.sounds import cut, ffmpeg, talk

CHECKED = ["wav", "ogg", "opus", "mp3", "m4a", "aac", "webm"]


@pytest.mark.parametrize("kind", [*CHECKED, "flac"])
def test_a_whole_file_is_whole(kind: str, clips: dict[str, Path]) -> None:
    check_complete(clips[kind], detect(clips[kind]))


@pytest.mark.parametrize("keep", [0.3, 0.62, 0.97])
@pytest.mark.parametrize("kind", CHECKED)
def test_a_file_that_breaks_off_is_found_out(kind: str, keep: float, clips: dict[str, Path], tmp_path: Path) -> None:
    broken = cut(clips[kind], tmp_path / "a", keep)
    with pytest.raises(AudioError, match="truncated"):
        check_complete(broken, detect(clips[kind]))


def test_an_mp3_without_a_header_that_counts_is_found_out_by_its_last_frame(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mp3"
    source = talk(tmp_path / "t.wav", kind="wav")
    ffmpeg("-i", str(source), "-b:a", "96k", "-write_xing", "0", "-id3v2_version", "0", str(whole))
    data = whole.read_bytes()
    check_complete(whole, detect(whole))
    for missing in (1, 50, 200):
        broken = tmp_path / "broken.mp3"
        broken.write_bytes(data[:-missing])
        with pytest.raises(AudioError, match="truncated"):
            check_complete(broken, detect(broken))


def test_an_mp3_with_an_old_tag_at_its_end_is_whole(clips: dict[str, Path], tmp_path: Path) -> None:
    tagged = tmp_path / "a.mp3"
    tagged.write_bytes(clips["mp3"].read_bytes() + b"TAG" + b"Ban tin sang".ljust(125, b"\0"))
    check_complete(tagged, detect(tagged))


def test_a_browser_recording_without_lengths_is_whole(clips: dict[str, Path], tmp_path: Path) -> None:
    live = tmp_path / "live.webm"
    ffmpeg("-i", str(clips["wav"]), "-c:a", "libopus", "-f", "webm", "-live", "1", str(live))
    check_complete(live, detect(live))


def test_a_wav_whose_recorder_never_wrote_its_length_is_whole(clips: dict[str, Path], tmp_path: Path) -> None:
    data = bytearray(clips["wav"].read_bytes())
    at = data.index(b"data") + 4
    for size in (0, 0xFFFFFFFF):
        data[at : at + 4] = size.to_bytes(4, "little")
        path = tmp_path / "a.wav"
        path.write_bytes(data)
        check_complete(path, detect(path))


@given(data=st.data())
def test_no_damage_makes_the_check_fall_over(
    data: st.DataObject, clips: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    kind = data.draw(st.sampled_from(CHECKED))
    content = bytearray(clips[kind].read_bytes()[: data.draw(st.integers(16, 4000))])
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    with suppress(AudioError):
        check_complete(path, detect(path))
