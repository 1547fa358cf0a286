"""Faults: reported by people, by the public, with photos; taken, noted, closed; each by who may."""

from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlmodel import Session, select

from loudspeaker.conductor.house import House
from loudspeaker.database import Database
from loudspeaker.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, TooLargeError, TooManyError
from loudspeaker.faults import photos, service
from loudspeaker.faults.models import Fault, FaultKind, FaultPhoto, FaultState, Source
from loudspeaker.faults.service import Report
from loudspeaker.faults.system import Finding, close_faults, open_faults
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role
from tests.loudspeaker.builders import START, a_client, a_commune, a_node, a_user, a_village, an_actor

JPEG = b"\xff\xd8\xff\xe0" + b"x" * 100 + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 50 + b"\x00\x00\x00\x00IEND\xaeB`\x82"


class Village:
    """A village with a pole, its head, a technician of the commune, and a head from elsewhere."""

    def __init__(self, session: Session) -> None:
        commune = a_commune(session)
        self.place, elsewhere = a_village(session, commune), a_village(session, commune, "Tân Bắc")
        self.node = a_node(session, self.place)
        self.head: Actor = an_actor(session, Role.VILLAGE_HEAD, self.place)
        self.stranger: Actor = an_actor(session, Role.VILLAGE_HEAD, elsewhere)
        self.technician: Actor = an_actor(session, Role.TECHNICIAN, commune)
        self.editor: Actor = an_actor(session, Role.EDITOR, commune)

    def report(self, session: Session, actor: Actor | None, kind: FaultKind = FaultKind.NO_SOUND,
               key: str | None = None) -> Fault:
        return service.report(session, actor, START, Report(kind, self.node.id, note="Loa không kêu", key=key))


@pytest.fixture
def village(database: Database) -> Village:
    with database.work() as session:
        return Village(session)


def test_a_report_goes_from_the_village_to_its_closing(database: Database, village: Village) -> None:
    with database.work() as session:
        fault = village.report(session, village.head)
        assert (fault.source, fault.place_id) == (Source.PERSON, village.place.id)
        service.take(session, village.technician, START, fault.id)
        service.add_note(session, village.head, START, fault.id, "Vẫn chưa kêu")
        service.close(session, village.technician, START + timedelta(hours=1), fault.id, "Đã thay cầu chì")
        story = service.story(session, village.head, fault.id)
        assert (story.fault.state, story.fault.close_reason) == (FaultState.CLOSED, "Đã thay cầu chì")
        assert [one.text for one in story.notes] == ["Vẫn chưa kêu"]


def test_a_report_sent_twice_is_one_fault(database: Database, village: Village) -> None:
    with database.work() as session:
        assert village.report(session, village.head, key="k1").id == village.report(session, village.head, key="k1").id


def test_the_head_of_another_village_may_not_report_here_nor_read(database: Database, village: Village) -> None:
    with database.work() as session:
        with pytest.raises(ForbiddenError):
            village.report(session, village.stranger)
        fault = village.report(session, village.head)
        with pytest.raises(ForbiddenError):
            service.story(session, village.stranger, fault.id)


def test_public_feedback_is_limited_and_not_counted_as_an_alarm(database: Database, village: Village) -> None:
    with database.work() as session:
        for _ in range(service.PUBLIC_AN_HOUR):
            assert village.report(session, None).source == Source.PUBLIC
        with pytest.raises(TooManyError):
            village.report(session, None)
        assert service.open_count(session, village.technician) == 0


def test_only_those_who_keep_the_poles_close_and_only_with_a_reason(database: Database, village: Village) -> None:
    with database.work() as session:
        fault = village.report(session, village.head)
        with pytest.raises(ForbiddenError):
            service.close(session, village.editor, START, fault.id, "xong")
        with pytest.raises(InvalidError):
            service.close(session, village.technician, START, fault.id, "  ")
        service.close(session, village.technician, START, fault.id, "xong")
        with pytest.raises(ConflictError):
            service.close(session, village.technician, START, fault.id, "xong")


def test_wrong_content_is_the_desks_to_close(database: Database, village: Village) -> None:
    with database.work() as session:
        fault = village.report(session, village.head, FaultKind.WRONG_CONTENT)
        assert service.close(session, village.editor, START, fault.id, "Đã đính chính").state == FaultState.CLOSED


def test_nobody_reports_what_only_the_system_finds(database: Database, village: Village) -> None:
    with database.work() as session, pytest.raises(InvalidError):
        village.report(session, village.technician, FaultKind.OFFLINE)


@pytest.mark.parametrize(("content", "media_type"), [(JPEG, "image/jpeg"), (PNG, "image/png")])
def test_a_photo_is_known_by_its_bytes(content: bytes, media_type: str) -> None:
    assert photos.media_type_of(content) == media_type


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"<svg onload=alert(1)>", JPEG[:-2], PNG[:20], b"\xff\xd8\xff"])
def test_what_is_no_whole_photo_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidError):
        photos.media_type_of(content)


def test_a_photo_above_five_megabytes_is_refused() -> None:
    with pytest.raises(TooLargeError):
        photos.media_type_of(JPEG + b"x" * photos.LARGEST_BYTES)


def test_a_photo_is_kept_whole_and_at_most_four(database: Database, village: Village, tmp_path: Path) -> None:
    with database.work() as session:
        fault = village.report(session, village.head)
        photo = service.add_photo(session, village.head, START, tmp_path, fault.id, JPEG)
        assert photos.path_of(tmp_path, photo).read_bytes() == JPEG
        with pytest.raises(ForbiddenError):
            service.add_photo(session, village.stranger, START, tmp_path, fault.id, JPEG)
        with pytest.raises(NotFoundError):
            service.add_photo(session, None, START, tmp_path, fault.id, JPEG)
        for _ in range(service.MOST_PHOTOS - 1):
            service.add_photo(session, village.head, START, tmp_path, fault.id, PNG)
        with pytest.raises(ConflictError):
            service.add_photo(session, village.head, START, tmp_path, fault.id, JPEG)
    assert {one.suffix for one in (tmp_path / "photos").iterdir()} == {".jpg", ".png"}


def test_the_system_opens_one_fault_per_cause_and_closes_it(database: Database, village: Village) -> None:
    finding = Finding(FaultKind.OFFLINE, village.place.id, village.node.id)
    with database.work() as session:
        assert len(open_faults(session, START, [finding, finding])) == 1
        assert open_faults(session, START, [finding]) == []
        assert close_faults(session, START, FaultKind.OFFLINE, [village.node.id]) == 1
        assert len(open_faults(session, START, [finding])) == 1


def test_over_the_api_a_sticker_is_enough_and_a_photo_follows(app: FastAPI, house: House) -> None:
    with house.database.work() as session:
        commune = a_commune(session)
        node = a_node(session, commune)
        technician = a_user(session, Role.TECHNICIAN, commune)
    phone, desk = a_client(app), a_client(app, technician)
    answer = phone.post("/api/v1/faults", json={"kind": "no_sound", "sticker": node.sticker, "key": "k"})
    assert answer.status_code == 201, answer.text
    fault = answer.json()["id"]
    sent = phone.post(f"/api/v1/faults/{fault}/photos", files={"photo": ("../../x.php", JPEG, "text/html")})
    assert sent.status_code == 201, sent.text
    shown = desk.get(f"/api/v1/faults/photos/{sent.json()['id']}")
    assert (shown.content, shown.headers["content-type"]) == (JPEG, "image/jpeg")
    assert phone.get(f"/api/v1/faults/{fault}").status_code == 401
    assert phone.post("/api/v1/faults", json={"kind": "no_sound", "node_id": node.id}).status_code == 422
    assert [one["id"] for one in desk.get("/api/v1/faults").json()] == [fault]
    desk.post(f"/api/v1/faults/{fault}/take")
    closed = desk.post(f"/api/v1/faults/{fault}/close", json={"reason": "Đã thay loa"})
    assert closed.json()["state"] == "closed"
    with house.database.read() as session:
        assert session.exec(select(FaultPhoto.media_type)).one() == "image/jpeg"
