"""Resumable uploads: what is acknowledged is on the disk, and nothing else is left there."""

import errno
import os
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session, select

from loudspeaker.bulletins.models import Recording, Upload
from loudspeaker.conductor import uploading
from loudspeaker.users.models import Role
from tests.loudspeaker.builders import a_user
from tests.loudspeaker.commune import (
    TUS,
    Commune,
    send_bytes,
    start_upload,
    upload_headers,
    write_bulletin,
)
from tests.loudspeaker.sounds import speech_like

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def left_behind(commune: Commune) -> list[str]:
    """Files of uploads and half-made recordings."""
    data = commune.house.settings.data
    return sorted(str(one.relative_to(data)) for folder in ("uploads", "work", "recordings")
                  for one in (data / folder).rglob("*") if one.is_file())


@ONE_DATABASE
def test_it_says_what_it_can_do(commune: Commune) -> None:
    answer = commune.client(commune.editor).options("/api/v1/uploads")
    assert answer.headers["Tus-Extension"] == "creation,termination,expiration"
    assert answer.headers["Tus-Max-Size"] == str(512 * 1024 * 1024)


def test_a_file_may_come_in_pieces_and_only_where_it_ends(commune: Commune) -> None:
    client, sound = commune.client(commune.editor), speech_like(2)
    address = start_upload(client, write_bulletin(commune), len(sound))
    assert send_bytes(client, address, sound[:1000]).headers["Upload-Offset"] == "1000"
    wrong = send_bytes(client, address, sound[2000:], offset=2000)
    assert (wrong.status_code, wrong.headers["Upload-Offset"]) == (409, "1000")
    assert send_bytes(client, address, sound[:1000]).status_code == 409
    told = client.head(address, headers=TUS)
    assert (told.headers["Upload-Offset"], told.headers["Upload-Length"]) == ("1000", str(len(sound)))
    assert told.headers["Cache-Control"] == "no-store"
    done = send_bytes(client, address, sound[1000:], offset=1000)
    assert done.headers["Upload-Offset"] == str(len(sound))
    assert commune.house.processing.wait()
    seen = client.get(f"/api/v1/recordings/{done.headers['Recording-Id']}").json()
    assert seen["state"] == "ready"
    assert client.head(address, headers=TUS).headers["Recording-Id"] == seen["id"]


def test_several_files_come_at_once(commune: Commune) -> None:
    bulletin, results = write_bulletin(commune), []

    def send(seed: int) -> None:
        client, sound = commune.client(commune.editor), speech_like(1, seed)
        address = start_upload(client, bulletin, len(sound))
        half = len(sound) // 2
        send_bytes(client, address, sound[:half])
        results.append(send_bytes(client, address, sound[half:], half).headers["Recording-Id"])

    threads = [threading.Thread(target=send, args=(seed,)) for seed in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert commune.house.processing.wait()
    shown = commune.client(commune.editor).get(f"/api/v1/bulletins/{bulletin}").json()
    assert {one["id"] for one in shown["recordings"]} == set(results)
    assert {one["state"] for one in shown["recordings"]} == {"ready"}
    assert len({one["sha256"] for one in shown["recordings"]}) == 4


@ONE_DATABASE
@pytest.mark.parametrize(("headers", "status"), [
    ({"Tus-Resumable": "0.2.0"}, 412),
    ({"Upload-Length": "abc"}, 422),
    ({"Upload-Length": "-5"}, 422),
    ({"Upload-Length": str(512 * 1024 * 1024 + 1)}, 413),
    ({"Upload-Length": "0"}, 422),
    ({"Upload-Metadata": "filename ☹"}, 422),
    ({"Upload-Metadata": "bulletin bm9uZQ=="}, 404),
])
def test_an_announcement_that_cannot_be_is_refused_and_leaves_nothing(
        commune: Commune, headers: dict[str, str], status: int) -> None:
    said = upload_headers(write_bulletin(commune), 10) | headers
    given = {name.encode(): value.encode() for name, value in said.items()}
    answer = commune.client(commune.editor).post("/api/v1/uploads", headers=given)
    assert answer.status_code == status
    assert_no_uploads(commune)


def assert_no_uploads(commune: Commune) -> None:
    with commune.house.database.read() as session:
        assert session.exec(select(Upload)).all() == []
        assert session.exec(select(Recording)).all() == []
    assert left_behind(commune) == []


@ONE_DATABASE
def test_a_wrong_content_type_is_not_taken(commune: Commune) -> None:
    client = commune.client(commune.editor)
    address = start_upload(client, write_bulletin(commune), 10)
    assert client.patch(address, content=b"x", headers=TUS | {"Upload-Offset": "0"}).status_code == 415


@ONE_DATABASE
def test_more_bytes_than_announced_are_refused(commune: Commune) -> None:
    client = commune.client(commune.editor)
    address = start_upload(client, write_bulletin(commune), 10)
    assert send_bytes(client, address, b"12345678901").json()["code"] == "upload_too_long"
    assert client.head(address, headers=TUS).headers["Upload-Offset"] == "0"


def test_only_editors_upload_and_nobody_touches_anothers(commune: Commune) -> None:
    bulletin = write_bulletin(commune)
    approver = commune.client(commune.approver)
    assert approver.post("/api/v1/uploads", headers=upload_headers(bulletin, 10)).status_code == 403
    address = start_upload(commune.client(commune.editor), bulletin, 10)
    with commune.house.database.work() as session:
        colleague = a_user(session, Role.EDITOR, commune.place)
    client = commune.client(colleague)
    assert client.head(address, headers=TUS).status_code == 404
    assert send_bytes(client, address, b"1").status_code == 404
    assert client.delete(address, headers=TUS).status_code == 404


@ONE_DATABASE
def test_a_name_is_only_ever_a_label(commune: Commune) -> None:
    client, sound = commune.client(commune.editor), speech_like(1)
    name = "../../../etc/Bản tin số 1 – Đại hội.mp3"
    address = start_upload(client, write_bulletin(commune), len(sound), filename=name)
    made = send_bytes(client, address, sound).headers["Recording-Id"]
    assert commune.house.processing.wait()
    assert client.get(f"/api/v1/recordings/{made}").json()["source_name"] == "Bản tin số 1 – Đại hội.mp3"
    data = commune.house.settings.data
    assert {one.name for one in data.parent.iterdir()} <= {"data", "loudspeaker.db", "loudspeaker.db-wal",
                                                           "loudspeaker.db-shm"}
    assert [one.split("/")[0] for one in left_behind(commune)] == ["recordings"]


def test_giving_up_leaves_nothing(commune: Commune) -> None:
    client = commune.client(commune.editor)
    address = start_upload(client, write_bulletin(commune), 10)
    send_bytes(client, address, b"12345")
    assert len(left_behind(commune)) == 1
    assert client.delete(address, headers=TUS).status_code == 204
    assert_no_uploads(commune)
    assert client.head(address, headers=TUS).status_code == 404


def test_an_expired_upload_is_swept_away(commune: Commune) -> None:
    client = commune.client(commune.editor)
    address = start_upload(client, write_bulletin(commune), 10)
    send_bytes(client, address, b"12345")
    path = commune.house.settings.data / left_behind(commune)[0]
    commune.clock.forward(timedelta(hours=25))
    os.utime(path, (0, 0))
    assert client.head(address, headers=TUS).status_code in (401, 404)
    commune.house.processing.sweep()
    assert_no_uploads(commune)


@ONE_DATABASE
def test_a_full_disk_is_told_before_anything_is_sent(commune: Commune, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commune.house.uploads, "_floor", 2**62)
    answer = commune.client(commune.editor).post("/api/v1/uploads", headers=upload_headers(write_bulletin(commune), 10))
    assert (answer.status_code, answer.json()["code"]) == (503, "disk_full")
    assert "đĩa" in answer.json()["title"].lower()
    assert_no_uploads(commune)


@ONE_DATABASE
def test_a_disk_that_fills_up_keeps_what_was_acknowledged(commune: Commune, monkeypatch: pytest.MonkeyPatch) -> None:
    client, sound = commune.client(commune.editor), speech_like(1)
    address = start_upload(client, write_bulletin(commune), len(sound))
    send_bytes(client, address, sound[:5000])

    def full(_self: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(uploading._Writer, "_sync", full)
        answer = send_bytes(client, address, sound[5000:], 5000)
    assert (answer.status_code, answer.json()["code"]) == (503, "disk_full")
    assert client.head(address, headers=TUS).headers["Upload-Offset"] == "5000"
    assert send_bytes(client, address, sound[5000:], 5000).status_code == 204
    assert commune.house.processing.wait()


def test_a_failing_commit_acknowledges_nothing(commune: Commune) -> None:
    client, sound = commune.client(commune.editor), speech_like(1)
    address = start_upload(client, write_bulletin(commune), len(sound))
    send_bytes(client, address, sound[:5000])

    def fail(session: Session) -> None:
        raise OSError(errno.EIO, "Input/output error")

    event.listen(Session, "before_commit", fail)
    try:
        assert send_bytes(client, address, sound[5000:], 5000).status_code == 503
    finally:
        event.remove(Session, "before_commit", fail)
    assert client.head(address, headers=TUS).headers["Upload-Offset"] == "5000"
    made = send_bytes(client, address, sound[5000:], 5000).headers["Recording-Id"]
    assert commune.house.processing.wait()
    assert client.get(f"/api/v1/recordings/{made}").json()["state"] == "ready"


@ONE_DATABASE
def test_what_lies_beyond_the_acknowledged_offset_is_not_trusted(commune: Commune) -> None:
    client, sound = commune.client(commune.editor), speech_like(1)
    address = start_upload(client, write_bulletin(commune), len(sound))
    send_bytes(client, address, sound[:5000])
    path = commune.house.settings.data / left_behind(commune)[0]
    with path.open("ab") as torn:
        torn.write(bytes(3000))
    made = send_bytes(client, address, sound[5000:], 5000).headers["Recording-Id"]
    assert commune.house.processing.wait()
    assert client.get(f"/api/v1/recordings/{made}").json()["state"] == "ready"


def test_room_is_kept_for_what_is_under_way_but_not_for_what_was_left(
        commune: Commune, monkeypatch: pytest.MonkeyPatch) -> None:
    client, bulletin = commune.client(commune.editor), write_bulletin(commune)
    asked: list[int] = []
    monkeypatch.setattr(commune.house.uploads, "must_have_room", asked.append)
    start_upload(client, bulletin, 1000)
    send_bytes(client, start_upload(client, bulletin, 500), b"12345")
    commune.clock.forward(timedelta(minutes=5))
    start_upload(client, bulletin, 10)
    commune.clock.forward(timedelta(hours=2))
    start_upload(client, bulletin, 7)
    assert asked == [1000, 1500, 1505, 7]


@ONE_DATABASE
def test_one_person_has_only_so_many_under_way(commune: Commune) -> None:
    client, bulletin = commune.client(commune.editor), write_bulletin(commune)
    for _ in range(20):
        start_upload(client, bulletin, 10)
    assert client.post("/api/v1/uploads", headers=upload_headers(bulletin, 10)).status_code == 409
    commune.clock.forward(timedelta(hours=2))
    start_upload(client, bulletin, 10)
