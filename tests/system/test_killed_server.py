"""A real server, killed without warning in the middle of an upload, goes on where its disk says."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from loudspeaker.conductor.opening import open_house
from loudspeaker.settings import Settings
from loudspeaker.users.models import ApiToken, Role
from loudspeaker.users.secrets import digest
from tests.loudspeaker.builders import START, a_commune, a_user
from tests.loudspeaker.commune import TUS, upload_headers
from tests.loudspeaker.sounds import speech_like, wav

TOKEN = "editor-token"
CHUNK = 256 * 1024
READY_S, DONE_S = 60.0, 120.0


class Server:
    """`loudspeaker serve` in a process of its own."""

    def __init__(self, data: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loudspeaker", "serve", "--data", str(data), "--port", "0", "--json"],
            stdout=subprocess.PIPE, env=kept | {"LOUDSPEAKER_DISK_FLOOR_BYTES": "0"})
        self.client = httpx.Client(base_url=self._address(), headers={"Authorization": f"Bearer {TOKEN}"},
                                   timeout=30, trust_env=False)

    def _address(self) -> str:
        lines: queue.Queue[bytes] = queue.Queue()
        assert self._process.stdout is not None
        threading.Thread(target=lambda out: lines.put(out.readline()), args=(self._process.stdout,)).start()
        return str(json.loads(lines.get(timeout=READY_S))["url"])

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self._end()

    def stop(self) -> None:
        """In order."""
        self._process.terminate()
        self._end()

    def _end(self) -> None:
        self._process.wait(15)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self.client.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A prepared installation: one commune, one editor with a token."""
    folder = tmp_path / "data"
    with open_house(Settings(data=folder), lambda: START) as house, house.database.work() as session:
        editor = a_user(session, Role.EDITOR, a_commune(session))
        session.add(ApiToken(user_id=editor.id, name="test", token_hash=digest(TOKEN), created_at=START))
    return folder


def sent_until_cut(sound: bytes, offset: int, cut_at: int, server: Server) -> Iterator[bytes]:
    for start in range(offset, cut_at, CHUNK):
        yield sound[start:start + CHUNK]
    time.sleep(0.5)
    server.kill()
    yield sound[cut_at:cut_at + CHUNK]


def begin(server: Server, sound: bytes) -> str:
    place = server.client.get("/api/v1/session").json()["roles"][0]["place_id"]
    made = server.client.post("/api/v1/bulletins", json={"place_id": place, "title": "Bản tin dài"})
    assert made.status_code == 201, made.text
    answer = server.client.post("/api/v1/uploads", headers=upload_headers(made.json()["id"], len(sound)))
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def patch(server: Server, address: str, offset: int, content: Iterator[bytes] | bytes) -> httpx.Response:
    return server.client.patch(address, content=content, headers=TUS | {
        "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"})


def test_an_upload_survives_kill_9_twice_and_becomes_a_recording(data: Path) -> None:
    block = speech_like(1, rate=192_000)[44:]  # many bytes for few seconds
    sound = wav(block * 60, 192_000)
    server, address, offset = Server(data), "", 0
    for cut_at in (10 * 1024 * 1024, 20 * 1024 * 1024):
        address = address or begin(server, sound)
        with pytest.raises(httpx.HTTPError):
            patch(server, address, offset, sent_until_cut(sound, offset, cut_at, server))
        server = Server(data)
        before, offset = offset, int(server.client.head(address, headers=TUS).headers["Upload-Offset"])
        assert before < offset <= cut_at
        assert (data / "uploads" / f"{address.rsplit('/', 1)[-1]}.part").stat().st_size >= offset
    made = patch(server, address, offset, sound[offset:])
    assert made.status_code == 204, made.text
    server.kill()
    server = Server(data)
    try:
        recording = wait_until_done(server, made.headers["Recording-Id"])
    finally:
        server.stop()
    assert (recording["state"], recording["error"]) == ("ready", None)
    assert abs(int(str(recording["duration_ms"])) - 60_000) < 1000
    assert list((data / "uploads").iterdir()) == []


def wait_until_done(server: Server, recording: str) -> dict[str, object]:
    until = time.monotonic() + DONE_S
    while time.monotonic() < until:
        told: dict[str, object] = server.client.get(f"/api/v1/recordings/{recording}").json()
        if told["state"] != "processing":
            return told
        time.sleep(0.2)
    raise AssertionError(f"still processing after {DONE_S:.0f} s")
