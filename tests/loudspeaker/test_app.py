"""The server as a whole: it opens, tells every failure as a problem, and acknowledges nothing that is not stored."""

import errno
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from loudspeaker.api.deps import Work
from loudspeaker.database import after_commit
from loudspeaker.errors import NotFoundError
from loudspeaker.places.models import Place, PlaceKind
from tests.loudspeaker.builders import START, a_client, a_place, house_of


def test_every_answer_carries_the_security_headers(app: FastAPI) -> None:
    answer = a_client(app).get("/api/v1/nothing")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_unknown_address_is_a_problem_in_vietnamese_or_english(app: FastAPI) -> None:
    client = a_client(app)
    vietnamese, english = (client.get(f"/api/v1/nothing?lang={language}") for language in ("vi", "en"))
    assert vietnamese.status_code == english.status_code == 404
    assert english.headers["content-type"] == "application/problem+json"
    assert english.json()["title"] == NotFoundError.title
    assert vietnamese.json()["title"] != english.json()["title"]
    assert set(english.json()) >= {"code", "title", "detail", "what_was_kept", "what_to_do"}


def test_a_failing_commit_becomes_an_error_and_not_a_200(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    @app.post("/api/v1/test-place")
    def make_place(session: Work) -> dict[str, str]:
        return {"id": a_place(session, None, PlaceKind.COMMUNE, "Xã Tân Lập").id}

    def locked(_session: Session) -> None:
        raise OperationalError("COMMIT", {}, Exception("database is locked"))

    monkeypatch.setattr(Session, "commit", locked)
    answer = a_client(app).post("/api/v1/test-place")
    monkeypatch.undo()
    assert answer.status_code == 503
    assert answer.json()["code"] == "database"
    with house_of(app).database.read() as session:
        assert session.exec(select(Place)).all() == []


def test_a_full_disk_is_said_as_such(app: FastAPI) -> None:
    @app.post("/api/v1/test-disk")
    def fill() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    answer = a_client(app).post("/api/v1/test-disk")
    assert (answer.status_code, answer.json()["code"]) == (503, "disk_full")


def test_what_waits_for_the_commit_runs_after_it_and_never_after_a_rollback(app: FastAPI) -> None:
    ran: list[str] = []
    database = house_of(app).database
    with database.work() as session:
        after_commit(session, lambda: ran.append("kept"))
        assert ran == []
    def fail() -> None:
        with database.work() as session:
            after_commit(session, lambda: ran.append("lost"))
            raise NotFoundError

    with pytest.raises(NotFoundError):
        fail()
    with database.work() as session:
        a_place(session, None, PlaceKind.COMMUNE, "Xã Tân Lập")
        after_commit(session, lambda: ran.append("undone"))
        session.rollback()
        after_commit(session, lambda: ran.append("kept after all"))
    assert ran == ["kept", "kept after all"]


def test_the_site_id_and_the_keys_are_made_once(app: FastAPI, tmp_path: Path) -> None:
    assert house_of(app).site == "xa-minh-tan"
    held = sorted((tmp_path / "data" / "keys").iterdir())
    assert [one.name for one in held] == ["server.key"]
    assert all(one.stat().st_mode & 0o077 == 0 for one in held)
    assert house_of(app).now() == START
