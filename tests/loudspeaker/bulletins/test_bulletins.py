"""Writing, changing and finding bulletins."""

import json
from datetime import timedelta
from urllib.parse import quote

import pytest
from sqlmodel import Session

from loudspeaker.bulletins import service
from loudspeaker.bulletins.service import BulletinText, Wanted, folded
from loudspeaker.database import Database
from loudspeaker.errors import ForbiddenError, InvalidError, NotFoundError
from loudspeaker.places.models import Place
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role
from tests.loudspeaker.builders import START, a_commune, a_village, an_actor
from tests.loudspeaker.commune import TUS, Commune, approved, ready, write_bulletin


def an_editor(session: Session) -> tuple[Place, Actor]:
    place = a_commune(session)
    return place, an_actor(session, Role.EDITOR, place)


def titles(session: Session, actor: Actor, wanted: Wanted | None = None) -> list[str]:
    return [one.title for one in service.find_bulletins(session, actor, wanted)]


def test_words_are_found_without_accents_in_any_case(database: Database) -> None:
    with database.work() as session:
        place, editor = an_editor(session)
        for title, script in (("Bản tin Đà Nẵng", "Kính thưa bà con"), ("Lịch tiêm phòng", "Sáng thứ Hai 100%_")):
            service.create_bulletin(session, editor, START, place.id, BulletinText(title, script=script))
        for words, found in (("da nang", ["Bản tin Đà Nẵng"]), ("ĐÀ NẴNG", ["Bản tin Đà Nẵng"]),
                             ("ba con tin", ["Bản tin Đà Nẵng"]), ("100%_", ["Lịch tiêm phòng"]),
                             ("%", ["Lịch tiêm phòng"]), ("khong co", [])):
            assert titles(session, editor, Wanted(words)) == found


def test_folding_keeps_only_plain_letters() -> None:
    assert folded("  Đường   Ở PHƯỜNG ") == "duong o phuong"


def test_the_newest_change_comes_first(database: Database) -> None:
    with database.work() as session:
        place, editor = an_editor(session)
        first, second = (service.create_bulletin(session, editor, START + timedelta(minutes=n), place.id,
                                                 BulletinText(title)) for n, title in enumerate(("A", "B")))
        assert titles(session, editor) == ["B", "A"]
        service.change_bulletin(session, editor, START + timedelta(minutes=5), first.id, BulletinText("A2"))
        assert titles(session, editor) == ["A2", "B"]
        service.archive_bulletin(session, editor, START, second.id)
        assert titles(session, editor) == ["A2"]
        assert titles(session, editor, Wanted(archived=True)) == ["B"]


def test_nobody_sees_or_changes_bulletins_of_another_place(database: Database) -> None:
    with database.work() as session:
        place, editor = an_editor(session)
        village = a_village(session, place)
        made = service.create_bulletin(session, editor, START, village.id, BulletinText("Tin thôn"))
        stranger = an_actor(session, Role.EDITOR, a_commune(session, "Xã Khác"))
        reader = an_actor(session, Role.AUDITOR, place)
        assert titles(session, stranger) == []
        assert titles(session, reader) == ["Tin thôn"]
        with pytest.raises(NotFoundError):
            service.bulletin_seen_by(session, stranger, made.id)
        with pytest.raises(ForbiddenError):
            service.change_bulletin(session, reader, START, made.id, BulletinText("Khác"))
        with pytest.raises(ForbiddenError):
            service.create_bulletin(session, stranger, START, place.id, BulletinText("Khác"))


@pytest.mark.parametrize(("text", "field"), [
    (BulletinText("  "), "title"), (BulletinText("a" * 201), "title"), (BulletinText("A", section="a" * 81), "section"),
    (BulletinText("A", script="a" * 60_001), "script"), (BulletinText("A", kind="song"), "kind"),
    (BulletinText("A", air_class=3), "air_class")])
def test_what_is_missing_or_impossible_is_named(database: Database, text: BulletinText, field: str) -> None:
    with database.work() as session:
        place, editor = an_editor(session)
        with pytest.raises(InvalidError) as refused:
            service.create_bulletin(session, editor, START, place.id, text)
    assert refused.value.field == field


def test_they_are_found_by_the_state_of_their_recordings(commune: Commune) -> None:
    waiting, done = write_bulletin(commune, title="Chờ"), write_bulletin(commune, title="Xong")
    ready(commune, waiting)
    with commune.house.database.read() as session:
        actor = commune.actor(session, commune.editor)
        assert titles(session, actor, Wanted(state="ready")) == ["Chờ"]
        assert titles(session, actor, Wanted(state="approved")) == []
    assert done


def test_the_api_shows_a_bulletin_with_its_recordings(commune: Commune) -> None:
    recording, statement = approved(commune, title="Tiêm phòng", section="Y tế")
    client = commune.client(commune.editor)
    (listed,) = client.get("/api/v1/bulletins?q=tiem&state=approved").json()
    shown = client.get(f"/api/v1/bulletins/{listed['id']}").json()
    assert [one["id"] for one in shown["recordings"]] == [recording]
    assert shown["recordings"][0]["sha256"] == statement.recording
    assert shown["section"] == "Y tế"
    assert client.delete(f"/api/v1/bulletins/{listed['id']}").status_code == 204
    assert client.get("/api/v1/bulletins").json() == []
    refused = client.put(f"/api/v1/bulletins/{listed['id']}", json={"title": "Khác"})
    assert refused.status_code == 409


@pytest.mark.parametrize("odd", ["\0", "\ud800", "\u202e", "a" * 5000])
def test_odd_texts_are_taken_or_refused_but_never_an_accident(commune: Commune, odd: str) -> None:
    client, recording = commune.client(commune.editor), ready(commune)
    body = {"place_id": commune.place.id, "title": f"Tin {odd}", "script": odd, "section": odd, "kind": odd}
    sent = json.dumps(body).encode()
    address = quote(odd.encode("utf-8", "surrogatepass"))
    answers = [
        client.post("/api/v1/bulletins", content=sent, headers={"Content-Type": "application/json"}),
        client.post("/api/v1/bulletins", json=body | {"kind": "news", "title": "Tin", "section": "\0", "script": "\0"}),
        client.get(f"/api/v1/bulletins?q={address}&place_id={address}"), client.get(f"/api/v1/bulletins/{address}"),
        client.get(f"/api/v1/recordings/{address}"), client.get(f"/api/v1/recordings/{address}/audio"),
        client.head(f"/api/v1/uploads/{address}", headers=TUS),
        commune.client(commune.approver).post(f"/api/v1/recordings/{recording}/send-back", json={"reason": "Sai\0"}),
    ]
    assert [one.status_code for one in answers if one.status_code >= 500] == []
