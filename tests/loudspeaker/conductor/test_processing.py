"""Every recording is brought to an end, whatever happens to disk, database, ffmpeg or server."""

import dataclasses
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from audio.store import ContentStore
from loudspeaker.bulletins import recordings
from loudspeaker.bulletins.models import Recording
from loudspeaker.conductor import processing
from loudspeaker.conductor.house import House
from loudspeaker.conductor.processing import Processing
from tests.loudspeaker.api_bulletins.test_uploads import left_behind
from tests.loudspeaker.commune import TUS, Commune, approved, send_bytes, start_upload, upload, write_bulletin
from tests.loudspeaker.sounds import speech_like

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def seen(commune: Commune, recording: str) -> dict[str, Any]:
    answer: dict[str, Any] = commune.client(commune.editor).get(f"/api/v1/recordings/{recording}").json()
    return answer


def waiting(commune: Commune, sound: bytes, seconds: float = 1800) -> str:
    """A recording whose file is there but which no worker has taken up, as after a crash."""
    house = commune.house
    (house.settings.data / "uploads").mkdir(exist_ok=True)
    (house.settings.data / "uploads" / "crashed.part").write_bytes(sound)
    bulletin = write_bulletin(commune)
    with house.database.work() as session:
        return recordings.add_recording(
            session, commune.actor(session, commune.editor), commune.clock(), bulletin, language="vi",
            source_name="bản tin.wav", source_path="uploads/crashed.part", with_chime=False, seconds=seconds).id


def another_worker(house: House, **changes: Any) -> Processing:
    """A second set of workers on the same house, with some parts changed."""
    parts: dict[str, Any] = {"data": house.settings.data, "seconds": 60.0, "keep_hours": 24, "site": house.site,
             "database": house.database, "hub": house.hub, "store": house.store, "engine": house.engine,
             "folder": house.uploads, "now": house.now}
    return Processing(**(parts | changes))


@contextmanager
def working(made: Processing) -> Iterator[Processing]:
    made.start()
    yield made
    made.close()


def a_stuck_ffmpeg(folder: Path) -> Path:
    """A program that never says anything."""
    return a_program(folder, "exec sleep 60")


def a_program(folder: Path, body: str) -> Path:
    file = folder / "ffmpeg"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def test_a_rendition_is_measured_and_its_original_removed(commune: Commune) -> None:
    recording = upload(commune, write_bulletin(commune), speech_like(4))
    made = seen(commune, recording)
    assert made["state"] == "ready"
    assert abs(made["integrated_lufs"] + 16) <= 1
    assert made["true_peak_dbtp"] <= -1
    assert left_behind(commune) == [f"recordings/{made['sha256'][:2]}/{made['sha256']}.ogg"]
    waveform = commune.client(commune.editor).get(f"/api/v1/recordings/{recording}/waveform")
    assert 50 <= len(waveform.content) <= 2000


def test_a_chime_comes_before_where_it_is_wanted(commune: Commune) -> None:
    bulletin, sound = write_bulletin(commune), speech_like(2)
    without = seen(commune, upload(commune, bulletin, sound, chime="0"))
    chimed = seen(commune, upload(commune, bulletin, sound, chime="1"))
    assert 1500 < chimed["duration_ms"] - without["duration_ms"] < 4000


def test_the_machine_speaks_a_script(commune: Commune) -> None:
    bulletin = write_bulletin(commune, script="Kính thưa bà con. Sáng mai tiêm phòng tại nhà văn hóa.")
    client = commune.client(commune.editor)
    made = client.post(f"/api/v1/bulletins/{bulletin}/speak", json={"voice": "vi-north", "with_chime": False})
    assert made.status_code == 202, made.text
    assert commune.house.processing.wait()
    spoken = seen(commune, made.json()["id"])
    assert (spoken["state"], spoken["language"]) == ("ready", "vi")
    assert spoken["voice"].startswith("espeak-ng")
    assert spoken["duration_ms"] > 2000
    assert len(left_behind(commune)) == 1


@pytest.mark.parametrize(("given", "field"), [
    ({"text": "…"}, "text"), ({"text": "a" * 60_001}, "text"), ({"text": "Hello", "voice": "xx"}, "voice")])
def test_what_cannot_be_spoken_is_refused_at_once(commune: Commune, given: dict[str, str], field: str) -> None:
    answer = commune.client(commune.editor).post(f"/api/v1/bulletins/{write_bulletin(commune)}/speak", json=given)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert left_behind(commune) == []


def test_what_a_crash_interrupted_is_taken_up_again(commune: Commune) -> None:
    recording = waiting(commune, speech_like(2))
    (commune.house.settings.data / "work" / "recording-left").mkdir(parents=True)
    commune.clock.forward(timedelta(days=3))
    with working(another_worker(commune.house)) as workers:
        assert workers.wait()
    with commune.house.database.read() as session:
        assert session.get_one(Recording, recording).state == "ready"
    assert [one.split("/")[0] for one in left_behind(commune)] == ["recordings"]


def test_a_lost_original_fails_with_a_reason(commune: Commune) -> None:
    recording = waiting(commune, b"")
    (commune.house.settings.data / "uploads" / "crashed.part").unlink()
    with working(another_worker(commune.house)) as workers:
        assert workers.wait()
    assert seen(commune, recording)["error"]["code"] == "original_gone"


def test_closing_leaves_it_for_the_next_start(commune: Commune, tmp_path: Path) -> None:
    recording = waiting(commune, speech_like(2))
    stuck = dataclasses.replace(commune.house.engine, ffmpeg=a_stuck_ffmpeg(tmp_path))
    workers = another_worker(commune.house, engine=stuck)
    workers.start()
    time.sleep(0.3)
    began = time.monotonic()
    workers.close()
    assert time.monotonic() - began < 3
    assert seen(commune, recording)["state"] == "processing"
    with working(another_worker(commune.house)) as fresh:
        assert fresh.wait()
    assert seen(commune, recording)["state"] == "ready"


def test_a_stuck_ffmpeg_is_ended_in_time_and_can_be_tried_again(commune: Commune, tmp_path: Path) -> None:
    recording = waiting(commune, speech_like(2))
    stuck = dataclasses.replace(commune.house.engine, ffmpeg=a_stuck_ffmpeg(tmp_path))
    with working(another_worker(commune.house, engine=stuck, seconds=0.5)) as workers:
        assert workers.wait(10)
    failed = seen(commune, recording)
    assert (failed["state"], failed["error"]["code"], failed["can_retry"]) == ("failed", "timed_out", True)
    commune.client(commune.editor).post(f"/api/v1/recordings/{recording}/retry")
    assert commune.house.processing.wait()
    assert seen(commune, recording)["state"] == "ready"


def test_a_killed_ffmpeg_fails_with_a_reason(commune: Commune, tmp_path: Path) -> None:
    recording = waiting(commune, speech_like(2))
    killed = dataclasses.replace(commune.house.engine, ffmpeg=a_program(tmp_path, "kill -9 $$"))
    with working(another_worker(commune.house, engine=killed)) as workers:
        assert workers.wait(10)
    failed = seen(commune, recording)
    assert (failed["state"], failed["error"]["code"], failed["can_retry"]) == ("failed", "engine_stopped", True)


def test_a_missing_ffmpeg_fails_with_a_reason_and_keeps_the_file(commune: Commune, tmp_path: Path) -> None:
    recording = waiting(commune, speech_like(2))
    missing = dataclasses.replace(commune.house.engine, ffmpeg=tmp_path / "nowhere")
    with working(another_worker(commune.house, engine=missing)) as workers:
        assert workers.wait(10)
    assert seen(commune, recording)["state"] == "failed"


def test_a_full_disk_fails_with_a_reason_and_can_be_tried_again(commune: Commune) -> None:
    recording = waiting(commune, speech_like(2))
    full = ContentStore(commune.house.store.root, free_bytes=2**62)
    with working(another_worker(commune.house, store=full)) as workers:
        assert workers.wait()
    failed = seen(commune, recording)
    assert (failed["error"]["code"], failed["can_retry"]) == ("disk_full", True)
    assert left_behind(commune) == ["uploads/crashed.part"]
    commune.client(commune.editor).post(f"/api/v1/recordings/{recording}/retry")
    assert commune.house.processing.wait()
    assert seen(commune, recording)["state"] == "ready"


def test_an_editor_may_stop_it(commune: Commune, tmp_path: Path) -> None:
    recording = waiting(commune, speech_like(2))
    stuck = dataclasses.replace(commune.house.engine, ffmpeg=a_stuck_ffmpeg(tmp_path))
    workers = another_worker(commune.house, engine=stuck)
    workers.start()
    commune.house.processing = workers
    answer = commune.client(commune.editor).post(f"/api/v1/recordings/{recording}/cancel")
    assert answer.json()["error"]["code"] == "cancelled"
    assert workers.wait(5)
    assert seen(commune, recording)["can_retry"]
    again = commune.client(commune.editor).post(f"/api/v1/recordings/{recording}/cancel")
    assert again.status_code == 409


def test_a_failing_commit_leaves_it_in_processing_and_the_next_round_makes_it_good(
        commune: Commune, monkeypatch: pytest.MonkeyPatch) -> None:
    recording, broken = waiting(commune, speech_like(2)), Event()
    broken.set()

    def fail(session: Session, *_: Any) -> None:
        ready = any(isinstance(one, Recording) and one.state == "ready" for one in session.dirty)
        if broken.is_set() and ready:
            raise OperationalError("COMMIT", {}, Exception("database is locked"))

    event.listen(Session, "before_flush", fail)
    try:
        with working(another_worker(commune.house)) as workers:
            assert workers.wait()
            assert seen(commune, recording)["state"] == "processing"
            assert seen(commune, recording)["sha256"] is None
            broken.clear()
            workers.sweep()
            assert workers.wait()
    finally:
        event.remove(Session, "before_flush", fail)
    assert seen(commune, recording)["state"] == "ready"


def test_what_nobody_works_on_past_its_time_fails(commune: Commune) -> None:
    recording = waiting(commune, speech_like(2), seconds=10)
    commune.clock.forward(timedelta(seconds=11))
    commune.house.processing.sweep()
    assert seen(commune, recording)["error"]["code"] == "timed_out"


def test_originals_of_failures_go_when_nobody_tries_again(commune: Commune) -> None:
    recording = waiting(commune, speech_like(2), seconds=10)
    commune.clock.forward(timedelta(seconds=11))
    commune.house.processing.sweep()
    os.utime(commune.house.settings.data / "uploads" / "crashed.part", (0, 0))
    commune.clock.forward(timedelta(hours=11))
    commune.house.processing.sweep()
    assert left_behind(commune) == ["uploads/crashed.part"]
    commune.clock.forward(timedelta(hours=14))
    commune.house.processing.sweep()
    assert left_behind(commune) == []
    with commune.house.database.read() as session:
        assert session.get_one(Recording, recording).source_path == ""


def test_exactly_what_was_revoked_cannot_come_back(commune: Commune) -> None:
    bulletin, sound = write_bulletin(commune), speech_like(2)
    first = upload(commune, bulletin, sound)
    with commune.house.database.work() as session:
        recording = session.get_one(Recording, first)
        recording.state = "approved"
        session.add(recording)
    client = commune.client(commune.approver)
    assert client.post(f"/api/v1/recordings/{first}/revoke", json={"reason": "Sai tên"}).json()["state"] == "revoked"
    again = seen(commune, upload(commune, bulletin, sound))
    assert (again["state"], again["error"]["code"]) == ("failed", "revoked_before")


def test_an_orphaned_rendition_goes_at_the_next_start(commune: Commune, tmp_path: Path) -> None:
    approved(commune)
    (tmp_path / "orphan").write_bytes(b"nobody's")
    orphan = commune.house.store.path_of(commune.house.store.add(tmp_path / "orphan"))
    for kept in commune.house.store.root.glob("*/*.ogg"):
        os.utime(kept, (0, 0))
    with working(another_worker(commune.house)):
        assert not orphan.exists()
    assert len(left_behind(commune)) == 1


def test_progress_is_told_step_by_step(commune: Commune, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, float]] = []
    monkeypatch.setattr(processing, "REPORT_SECONDS", 0.0)
    original = recordings.note_progress

    def note(session: Session, recording_id: str, step: str, progress: float) -> None:
        told.append((step, progress))
        original(session, recording_id, step, progress)

    monkeypatch.setattr(recordings, "note_progress", note)
    upload(commune, write_bulletin(commune), speech_like(20))
    steps = list(dict.fromkeys(step for step, _ in told))
    assert steps == ["probe", "decode", "level", "store"]


def test_a_locked_database_is_a_clear_error_and_acknowledges_nothing(commune: Commune) -> None:
    client, sound = commune.client(commune.editor), speech_like(1)
    address = start_upload(client, write_bulletin(commune), len(sound))
    with locked(commune):
        answer = send_bytes(client, address, sound)
    assert (answer.status_code, answer.json()["code"]) == (503, "database")
    assert client.head(address, headers=TUS).headers["Upload-Offset"] == "0"
    assert send_bytes(client, address, sound).status_code == 204
    assert commune.house.processing.wait()


@contextmanager
def locked(commune: Commune) -> Iterator[None]:
    """Another program writes the whole time, and the server's connections give up soon."""
    def hurry(connection: Any, *_: Any) -> None:
        connection.execute("PRAGMA busy_timeout=50")

    engine = commune.house.database.engine
    event.listen(engine, "checkout", hurry)
    other = sqlite3.connect(engine.url.database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()
        event.remove(engine, "checkout", hurry)
