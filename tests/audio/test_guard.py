"""Evil uploads: nothing is called, opened or left; and each layer of the guard holds alone."""

import shutil
import struct
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import audio.engine
from audio import process
from audio.engine import Engine, file_address, guarded_input
from audio.errors import AudioError
from audio.formats import FORMATS, MP3, WAV, Format
from audio.limits import Limits
from audio.process import Finished
from audio.recipe import Part, Recipe, render
from tests.audio.sounds import talk
from tests.audio.traps import Traps, traps


def hls(set_up: Traps) -> bytes:
    segments = f"#EXTINF:2,\nhttp://127.0.0.1:{set_up.port}/a.ts\n#EXTINF:2,\nfile://{set_up.canary}\n"
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n{segments}#EXT-X-ENDLIST\n".encode()


def concat(set_up: Traps) -> bytes:
    return f"ffconcat version 1.0\nfile {set_up.canary.name}\nfile http://127.0.0.1:{set_up.port}/a.mp3\n".encode()


def web_address(set_up: Traps) -> bytes:
    return f"http://127.0.0.1:{set_up.port}/a.mp3\n".encode()


def tag_then_playlist(set_up: Traps) -> bytes:
    return b"ID3\x04\0\0\0\0\0\x10" + bytes(16) + hls(set_up)


def wave_head_then_playlist(set_up: Traps) -> bytes:
    return b"RIFF\xff\xff\xff\xffWAVE" + hls(set_up)


def ogg_head_then_concat(set_up: Traps) -> bytes:
    return b"OggS\0" + concat(set_up)


def mp4_with_a_reference_outside(set_up: Traps) -> bytes:
    """A `moov` whose sound lies in another file (data reference `alis`/`url `, QuickTime File Format)."""
    def atom(name: bytes, *parts: bytes) -> bytes:
        body = b"".join(parts)
        return struct.pack(">I", 8 + len(body)) + name + body

    address = str(set_up.canary).encode() + b"\0"
    reference = atom(b"dref", struct.pack(">II", 0, 1), atom(b"url ", b"\0\0\0\0", address))
    entry = bytes(6) + struct.pack(">HHHIHHHHI", 1, 0, 0, 0, 1, 16, 0, 0, 44100 << 16)
    table = atom(
        b"stbl",
        atom(b"stsd", struct.pack(">II", 0, 1), atom(b"sowt", entry)),
        atom(b"stts", struct.pack(">IIII", 0, 1, 20000, 1)),
        atom(b"stsc", struct.pack(">IIIII", 0, 1, 1, 20000, 1)),
        atom(b"stsz", struct.pack(">III", 0, 2, 20000)),
        atom(b"stco", struct.pack(">III", 0, 1, 44)),
    )
    media = atom(
        b"mdia",
        atom(b"mdhd", struct.pack(">IIIIII", 0, 0, 0, 44100, 20000, 0)),
        atom(b"hdlr", bytes(8) + b"soun" + bytes(13)),
        atom(b"minf", atom(b"smhd", bytes(8)), atom(b"dinf", reference), table),
    )
    track = atom(b"trak", atom(b"tkhd", b"\0\0\0\1", bytes(8), struct.pack(">I", 1), bytes(68)), media)
    movie = atom(b"moov", atom(b"mvhd", bytes(12), struct.pack(">II", 44100, 20000), bytes(80)), track)
    return atom(b"ftyp", b"qt  ", bytes(4)) + movie


Evil = Callable[[Traps], bytes]
EVIL: list[Evil] = [hls, concat, web_address, tag_then_playlist, wave_head_then_playlist, ogg_head_then_concat]


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return talk(tmp_path / "canary.wav", kind="wav")


def without_the_sandbox(command: list[str], limits: Limits, **_: object) -> Finished:
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    return Finished(ended.returncode, tuple((ended.stdout + ended.stderr).decode(errors="replace").splitlines()))


@pytest.mark.parametrize("evil", [*EVIL, mp4_with_a_reference_outside])
def test_an_evil_upload_is_refused_and_touches_nothing(
    evil: Evil, engine: Engine, canary: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    upload = tmp_path / "bản tin ..％2f.mp3"
    with traps(canary) as set_up:
        upload.write_bytes(evil(set_up))
        with pytest.raises(AudioError):
            render(engine, Recipe((Part(upload),)), work)
    assert (set_up.calls, set_up.opened, list(work.iterdir())) == ([], False, [])


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize("evil", EVIL)
def test_the_arguments_alone_hold_whatever_the_content_was_taken_for(
    evil: Evil, form: Format, engine: Engine, canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio.engine, "run_shut_in", without_the_sandbox)
    upload = tmp_path / "upload.mp3"
    with traps(canary) as set_up:
        upload.write_bytes(evil(set_up))
        with suppress(AudioError):
            engine.decode(upload, form, tmp_path / "out.raw")
    assert (set_up.calls, set_up.opened) == ([], False)


def open_wide(engine: Engine, set_up: Traps, folder: Path) -> None:
    """Hand playlists to ffmpeg as a careless program would: any format, any protocol."""
    protocols = "file,http,tcp,crypto,data"
    for number, evil in enumerate((web_playlist, file_playlist, concat)):
        upload = folder / f"upload{number}.m3u8"
        upload.write_bytes(evil(set_up))
        with suppress(AudioError):
            engine.run(["-protocol_whitelist", protocols, "-i", str(upload), "-f", "null", "-"], reads=[upload])


def web_playlist(set_up: Traps) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:{set_up.port}/a.ts\n#EXT-X-ENDLIST\n".encode()


def file_playlist(set_up: Traps) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{set_up.canary}\n#EXT-X-ENDLIST\n".encode()


def test_with_every_layer_removed_the_traps_do_spring(
    engine: Engine, canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio.engine, "run_shut_in", without_the_sandbox)
    with traps(canary) as set_up:
        open_wide(engine, set_up, tmp_path)
    assert set_up.calls
    assert set_up.opened


def test_the_sandbox_alone_holds_where_the_kernel_can(engine: Engine, canary: Path, tmp_path: Path) -> None:
    with traps(canary) as set_up:
        open_wide(engine, set_up, tmp_path)
    assert set_up.calls == []
    assert set_up.opened is False


def test_a_sound_in_an_mp4_that_points_outside_is_not_fetched_even_by_arguments_alone(
    engine: Engine, canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio.engine, "run_shut_in", without_the_sandbox)
    upload = tmp_path / "a.m4a"
    with traps(canary) as set_up:
        upload.write_bytes(mp4_with_a_reference_outside(set_up))
        with pytest.raises(AudioError):
            render(engine, Recipe((Part(upload),)), tmp_path)
    assert set_up.opened is False


def test_the_child_sees_no_network_at_all(tmp_path: Path) -> None:
    with traps(talk(tmp_path / "canary.wav", kind="wav")) as set_up:
        call = f"exec 3<>/dev/tcp/127.0.0.1/{set_up.port}"
        ended = process.run_shut_in([shutil.which("bash") or "bash", "-c", call], Limits(), file_bytes=0)
    assert ended.status != 0
    assert set_up.calls == []


@pytest.mark.parametrize("layer", ["-f", "-format_whitelist", "-codec_whitelist", "-protocol_whitelist", "-t"])
def test_the_guard_names_every_layer(layer: str, tmp_path: Path) -> None:
    arguments = guarded_input(tmp_path / "a", MP3, 7)
    assert layer in arguments[: arguments.index("-i")]


def test_a_decoder_that_is_not_listed_is_not_opened(engine: Engine, tmp_path: Path) -> None:
    from_telephony = talk(tmp_path / "a.wav", kind="wav")
    narrow = Format("wav", WAV.demuxer, ("pcm_alaw",))
    with pytest.raises(AudioError):
        engine.decode(from_telephony, narrow, tmp_path / "out.raw")


def test_no_part_of_a_name_is_a_protocol_or_an_option(engine: Engine, tmp_path: Path) -> None:
    for name in ("-i.mp3", "http:ban tin.mp3", "concat:a|b.mp3", "%d.mp3", "Đài truyền thanh ..\\..\\x.mp3"):
        render(engine, Recipe((Part(talk(tmp_path / "a.mp3").rename(tmp_path / name)),)), tmp_path)
    assert file_address(Path("/a/-b")) == "file:/a/-b"
