"""A locked database, a full one, one that went away: a clear error, and nothing acknowledged that is not stored."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event
from sqlmodel import select

from loudspeaker import database as database_module
from loudspeaker.app import create_app
from loudspeaker.database import Database
from loudspeaker.places.models import Place
from loudspeaker.settings import Settings
from loudspeaker.users.models import Role
from tests.loudspeaker.builders import SetClock, a_client, a_commune, a_user, house_of
from tests.loudspeaker.postgres import Cluster

VILLAGE = {"kind": "village", "name": "Thôn Đồng Tâm", "identifier": "x" * 64, "phone": "0" * 40}


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastAPI]:
    """A server on SQLite that waits a tenth of a second for a lock instead of ten."""
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 100)
    made = create_app(Settings(data=tmp_path / "data"), SetClock(), connected=False)
    with TestClient(made):
        yield made


def an_administrator(app: FastAPI) -> tuple[TestClient, str]:
    with house_of(app).database.work() as session:
        commune = a_commune(session)
        user = a_user(session, Role.ADMINISTRATOR, commune)
    return a_client(app, user), commune.id


def villages(database: Database) -> list[str]:
    with database.read() as session:
        return [one.name for one in session.exec(select(Place)) if one.parent_id]


def test_a_locked_database_is_an_error_for_now_and_reading_goes_on(impatient: FastAPI) -> None:
    client, commune = an_administrator(impatient)
    asked = {**VILLAGE, "parent_id": commune}
    other = sqlite3.connect(house_of(impatient).settings.data / "loudspeaker.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    refused = client.post("/api/v1/places", json=asked)
    assert client.get("/api/v1/places").status_code == 200
    other.execute("ROLLBACK")
    other.close()
    assert (refused.status_code, refused.json()["code"]) == (503, "database")
    assert "Retry-After" in refused.headers
    assert villages(house_of(impatient).database) == []
    assert client.post("/api/v1/places", json=asked).status_code == 201


def test_a_database_without_room_is_an_error_and_nothing_half_is_left(impatient: FastAPI) -> None:
    client, commune = an_administrator(impatient)
    engine = house_of(impatient).database.engine
    engine.dispose()

    def no_room(connection: sqlite3.Connection, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(engine, "connect", no_room)
    answers = [client.post("/api/v1/places", json={**VILLAGE, "parent_id": commune, "name": f"Thôn {number}",
                                                   "identifier": ""}) for number in range(60)]
    stored = [one.json()["name"] for one in answers if one.status_code == 201]
    assert {one.status_code for one in answers} == {201, 503}
    assert sorted(villages(house_of(impatient).database)) == sorted(stored)


def test_a_postgresql_that_went_away_is_an_error_until_it_is_back(postgres: Cluster, tmp_path: Path) -> None:
    name = postgres.create("loudspeaker_template")
    made = create_app(Settings(data=tmp_path / "data", database_url=postgres.url(name)), SetClock(), connected=False)
    with TestClient(made):
        client, commune = an_administrator(made)
        postgres.allow(name, False)
        refused = client.post("/api/v1/places", json={**VILLAGE, "parent_id": commune})
        postgres.allow(name, True)
        assert (refused.status_code, refused.json()["code"]) == (503, "database")
        assert client.post("/api/v1/places", json={**VILLAGE, "parent_id": commune}).status_code == 201
        assert villages(house_of(made).database) == [VILLAGE["name"]]
    postgres.drop(name)
