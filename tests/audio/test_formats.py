from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.errors import AudioError
from audio.formats import FORMATS, detect

NAMES = {kind: kind for kind in ("wav", "flac", "ogg", "mp3", "m4a", "aac", "webm")} | {"opus": "ogg"}
WMA = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"


def refusal(path: Path, content: bytes) -> AudioError:
    path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        detect(path)
    return caught.value


@pytest.mark.parametrize("kind", NAMES)
def test_the_content_decides_whatever_the_name_says(kind: str, clips: dict[str, Path], tmp_path: Path) -> None:
    misnamed = tmp_path / "bản tin.txt"
    misnamed.write_bytes(clips[kind].read_bytes())
    assert detect(misnamed).name == NAMES[kind]


def test_an_mp3_is_known_without_any_tag_and_behind_a_tag_with_a_large_picture(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    tagged = clips["mp3"].read_bytes()
    bare = tagged[tagged.index(b"\xff\xfb") :]
    size = 300_000
    tag = b"ID3\x04\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + bytes(size)
    for number, content in enumerate((bare, tag + bare, b"\0" * 500 + bare)):
        path = tmp_path / str(number)
        path.write_bytes(content)
        assert detect(path).name == "mp3"


def test_an_amr_from_an_old_telephone_is_known(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"#!AMR\n" + (b"\x3c" + bytes(31)) * 50)
    assert detect(path).name == "amr"


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    assert refusal(tmp_path / "a.mp3", b"").code == "empty_file"


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/a.ts\n",
        b"\xef\xbb\xbf\n  #EXTM3U\r\n#EXT-X-VERSION:3\r\n",
        b"[playlist]\nFile1=http://127.0.0.1/a.mp3\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"# a comment first\nfile '/etc/passwd'\n",
        b"file canary.wav\n",
        b"<?xml version='1.0'?><MPD></MPD>",
        b"<asx version='3.0'><entry/></asx>",
        b"http://127.0.0.1/a.mp3\n",
        b"concat:/etc/passwd\n",
        b"[Reference]\nRef1=http://127.0.0.1/a.asf\n",
    ],
)
def test_a_list_of_other_files_is_called_a_playlist(content: bytes, tmp_path: Path) -> None:
    assert refusal(tmp_path / "bản tin.mp3", content).code == "playlist"


def test_a_text_is_not_sound_even_where_it_names_a_web_page(tmp_path: Path) -> None:
    text = "BẢN TIN SÁNG\n\nKính mời bà con đọc tại\nhttps://xabinhminh.example.vn\n".encode() * 100
    assert refusal(tmp_path / "a.mp3", text).params == {"kind": "text"}


@pytest.mark.parametrize(
    ("content", "kind"), [(b"MThd\0\0\0\6", "midi"), (WMA, "wma"), (b"FORM\0\0\0\0AIFF", "aiff")]
)
def test_sound_of_a_kind_that_is_not_taken_is_named(content: bytes, kind: str, tmp_path: Path) -> None:
    error = refusal(tmp_path / "a.mp3", content + bytes(100))
    assert (error.code, error.params) == ("unsupported", {"kind": kind})


@pytest.mark.parametrize("head", [b"\xff\xd8\xff\xe0", b"PK\3\4", b"%PDF-1.7\n\xff\xfb\x90\0"])
def test_pictures_archives_and_documents_are_not_sound(head: bytes, tmp_path: Path) -> None:
    assert refusal(tmp_path / "a.mp3", head + bytes(5000)).code == "not_audio"


@given(content=st.binary(min_size=1, max_size=3000))
def test_any_bytes_are_either_a_format_or_a_refusal(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    with suppress(AudioError):
        assert detect(path) in FORMATS
