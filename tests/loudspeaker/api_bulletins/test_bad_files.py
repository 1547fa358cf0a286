"""Files that are not what they should be: one clear sentence each, and nothing is left behind."""

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.loudspeaker.api_bulletins.test_uploads import left_behind
from tests.loudspeaker.commune import Commune, upload, upload_headers, write_bulletin
from tests.loudspeaker.sounds import converted, silence, speech_like

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the files matter here, not the tables


@dataclass
class Trap:
    """A server that nobody may call."""

    address: str
    calls: list[str]


@pytest.fixture
def trap() -> Iterator[Trap]:
    calls: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Trap(f"http://127.0.0.1:{server.server_port}", calls)
        server.shutdown()
        thread.join()


def bad_file(name: str, folder: Path, trap: Trap) -> bytes:
    """The content of one kind of bad file."""
    if name == "truncated mp3":
        mp3 = converted(speech_like(8), folder, "-b:a", "64k", suffix=".mp3")
        return mp3[:len(mp3) // 3]
    if name == "silent flac":
        return converted(silence(3600, 8000), folder, "-compression_level", "12", suffix=".flac")
    return {
        "text": "Kính thưa bà con nhân dân! Đây là một tệp văn bản.\n".encode() * 50,
        "hls playlist": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{trap.address}/a.ts\n".encode(),
        "concat script": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "no seconds": silence(0),
        "picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20,
    }[name]


@pytest.mark.parametrize(("kind", "filename", "code"), [
    ("text", "bản tin.mp3", "not_audio"),
    ("truncated mp3", "bản tin.mp3", "truncated"),
    ("hls playlist", "bản tin.mp3", "playlist"),
    ("concat script", "bản tin.wav", "playlist"),
    ("silent flac", "bản tin.flac", "silent"),
    ("no seconds", "bản tin.wav", "zero_length"),
    ("picture", "bản tin.ogg", "not_audio"),
])
def test_a_bad_file_gets_one_clear_sentence_and_leaves_nothing(
        commune: Commune, tmp_path: Path, trap: Trap, kind: str, filename: str, code: str) -> None:
    data = bad_file(kind, tmp_path, trap)
    recording = upload(commune, write_bulletin(commune), data, filename=filename)
    seen = commune.client(commune.editor).get(f"/api/v1/recordings/{recording}").json()
    assert (seen["state"], seen["error"]["code"]) == ("failed", code)
    told = seen["error"]
    assert told["title"].endswith(".")
    assert told["title"].isascii() is False, "said in Vietnamese"
    assert told["what_to_do"].isascii() is False
    english = commune.client(commune.editor).get(f"/api/v1/recordings/{recording}?lang=en").json()["error"]
    assert english["title"].isascii()
    assert english["what_to_do"].isascii()
    assert not seen["can_retry"]
    assert left_behind(commune) == []
    assert trap.calls == []


def test_an_empty_file_is_refused_at_once(commune: Commune) -> None:
    answer = commune.client(commune.editor).post("/api/v1/uploads", headers=upload_headers(write_bulletin(commune), 0))
    assert (answer.status_code, answer.json()["code"], answer.json()["title"]) == (422, "empty_file", "Tệp rỗng.")
    assert left_behind(commune) == []


def test_a_wrong_extension_does_not_matter(commune: Commune, tmp_path: Path) -> None:
    data = converted(speech_like(2), tmp_path, "-b:a", "64k", suffix=".mp3")
    recording = upload(commune, write_bulletin(commune), data, filename="bản tin.docx")
    assert commune.client(commune.editor).get(f"/api/v1/recordings/{recording}").json()["state"] == "ready"
