"""The village head's pages: in by a link, today's timetable, a report with a photo, once however often it is sent."""

import pytest
from fastapi import FastAPI
from sqlmodel import select

from loudspeaker.database import Database
from loudspeaker.faults import service
from loudspeaker.faults.models import Fault, FaultPhoto, Source
from loudspeaker.faults.service import PUBLIC_AN_HOUR
from loudspeaker.users.access import actor_for
from tests.loudspeaker.builders import SetClock
from tests.loudspeaker.web.operating import JPEG, LATER, Commune, hidden, said


@pytest.fixture
def commune(app: FastAPI, database: Database, clock: SetClock) -> Commune:
    clock.at = LATER
    return Commune(app, database)


def faults_of(commune: Commune) -> list[Fault]:
    with commune.database.read() as session:
        return list(session.exec(select(Fault)))


def test_a_link_lets_the_phone_in_and_the_village_is_shown(commune: Commune) -> None:
    page = commune.phone().get("/village").text
    words = said(page)
    assert "08:00 Bản tin sáng" in words
    assert "Đồng Tâm 1" in words
    assert "Tân Bắc 1" not in words
    assert 'href="tel:02073835123"' in page


def test_a_revoked_link_says_so_with_the_telephone(commune: Commune) -> None:
    for secret in (commune.link(revoked=True), "never-made"):
        answer = commune.stranger().get(f"/l/{secret}")
        assert answer.status_code == 403
        assert "không còn dùng được" in said(answer.text)
        assert "0207 383 5123" in said(answer.text)
        assert "set-cookie" not in answer.headers


def test_a_phone_that_nobody_knows_is_told_where_to_call(commune: Commune) -> None:
    for path in ("/village", "/village/report"):
        answer = commune.stranger().get(path)
        assert answer.status_code == 403
        assert "0207 383 5123" in said(answer.text)


def test_a_report_with_a_photo_reaches_the_technician(commune: Commune) -> None:
    phone = commune.phone()
    page = phone.get("/village/report").text
    answer = phone.post("/village/report", data={**hidden(page), "kind": "noise", "note": "Rè từ sáng"},
                        files={"photo": JPEG})
    assert answer.status_code == 303
    assert "Chưa có người nhận" in said(phone.get(answer.headers["location"]).text)
    fault = faults_of(commune)[0]
    assert (fault.node_id, fault.reporter_id, fault.source) == (commune.nodes[0].id, commune.head.id, Source.PERSON)
    board = commune.desk().get(f"/faults/{fault.id}").text
    photo = board.split('src="/api/v1/faults/photos/')[1].split('"')[0]
    assert commune.desk().get(f"/api/v1/faults/photos/{photo}").content == JPEG[1]
    assert commune.stranger().get(f"/api/v1/faults/photos/{photo}").status_code == 401


def test_the_village_head_sees_what_became_of_the_report(commune: Commune) -> None:
    phone = commune.phone()
    phone.post("/village/report", data={**hidden(phone.get("/village/report").text), "kind": "damage"})
    fault = faults_of(commune)[0]
    with commune.database.work() as session:
        service.close(session, actor_for(session, commune.technician, LATER), LATER, fault.id, "Đã dựng lại cột")
    assert "Đã xử lý xong." in said(phone.get("/village").text)
    assert "Đã dựng lại cột" in said(phone.get(f"/village/reports/{fault.id}").text)


def test_a_report_sent_twice_is_one_fault_with_one_photo(commune: Commune) -> None:
    phone = commune.phone()
    fields = {**hidden(phone.get("/village/report").text), "kind": "no_sound"}
    headers = {"Idempotency-Key": "k1", "Accept": "application/json"}
    sent = [phone.post("/village/report", data=fields, files={"photo": JPEG}, headers=headers) for _ in range(3)]
    assert {one.json()["location"] for one in sent} == {f"/village/reports/{faults_of(commune)[0].id}"}
    with commune.database.read() as session:
        assert len(session.exec(select(FaultPhoto)).all()) == 1


def test_a_report_without_the_pages_token_is_refused(commune: Commune) -> None:
    answer = commune.phone().post("/village/report", data={"node": commune.nodes[0].id, "kind": "noise"})
    assert answer.status_code == 403
    assert faults_of(commune) == []


def test_a_wrong_photo_brings_the_filled_form_back(commune: Commune) -> None:
    phone = commune.phone()
    fields = {**hidden(phone.get("/village/report").text), "kind": "noise", "note": "Loa rè"}
    answer = phone.post("/village/report", data=fields, files={"photo": ("x.jpg", b"no picture", "image/jpeg")})
    assert answer.status_code == 422
    assert "Loa rè</textarea>" in answer.text
    assert 'value="noise" required checked' in answer.text
    assert faults_of(commune) == []


def test_without_a_kind_nothing_is_taken(commune: Commune) -> None:
    phone = commune.phone()
    fields = hidden(phone.get("/village/report").text)
    assert "Hãy chọn" in said(phone.post("/village/report", data=fields).text)
    said_by_machine = phone.post("/village/report", data=fields, headers={"Accept": "application/json"})
    assert (said_by_machine.status_code, said_by_machine.json()["field"]) == (422, "kind")


def test_the_sticker_takes_public_feedback_in_small_numbers(commune: Commune) -> None:
    node, phone = commune.nodes[1], commune.stranger()
    page = phone.get(f"/s/{node.sticker}").text
    assert node.name in said(page)
    assert "phản ánh của người dân" in said(page)
    answers = [phone.post(f"/s/{node.sticker}", data={"kind": "no_sound"}) for _ in range(PUBLIC_AN_HOUR + 1)]
    assert [one.status_code for one in answers] == [303] * PUBLIC_AN_HOUR + [429]
    assert "Chưa có người nhận" in said(phone.get(answers[0].headers["location"]).text)
    assert {one.source for one in faults_of(commune)} == {Source.PUBLIC}
    assert phone.post(f"/s/{node.sticker}", data={"kind": "noise"},
                      headers={"Origin": "https://elsewhere.example"}).status_code == 403


def test_the_sticker_read_by_the_village_head_is_a_persons_report(commune: Commune) -> None:
    phone, node = commune.phone(), commune.nodes[0]
    page = phone.get(f"/s/{node.sticker}").text
    answer = phone.post(f"/s/{node.sticker}", data={**hidden(page), "kind": "noise"})
    assert faults_of(commune)[0].reporter_id == commune.head.id
    assert phone.get(answer.headers["location"]).status_code == 200


def test_a_village_head_reports_another_village_only_as_feedback(commune: Commune) -> None:
    phone = commune.phone()
    page = phone.get(f"/s/{commune.nodes[1].sticker}").text
    phone.post(f"/s/{commune.nodes[1].sticker}", data={**hidden(page), "kind": "noise"})
    assert faults_of(commune)[0].source == Source.PUBLIC
    fields = {**hidden(phone.get("/village/report").text), "node": commune.nodes[1].id, "kind": "damage"}
    assert phone.post("/village/report", data=fields).status_code == 303
    assert {one.source for one in faults_of(commune)} == {Source.PUBLIC}


def test_reports_of_others_stay_unseen(commune: Commune) -> None:
    stranger = commune.stranger()
    stranger.post(f"/s/{commune.nodes[0].sticker}", data={"kind": "noise"})
    fault = faults_of(commune)[0]
    assert commune.phone().get(f"/village/reports/{fault.id}").status_code == 404
    assert stranger.get(f"/s/{commune.nodes[1].sticker}/{fault.id}").status_code == 404
    assert stranger.get("/s/nonsense").status_code == 403


def test_staff_go_to_their_own_first_page(commune: Commune) -> None:
    assert commune.desk().get("/village").headers["location"] == "/today"
