"""Every address of the API: closed to strangers, told in one form, and open streams hold nothing."""

import asyncio
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from loudspeaker.api.events import stream
from loudspeaker.app import create_app
from loudspeaker.database import Database
from loudspeaker.settings import Settings
from loudspeaker.users.models import Role
from tests.loudspeaker.builders import a_client, a_commune, a_user, a_village, house_of

OPEN = {("POST", "/api/v1/session"), ("POST", "/api/v1/setup"), ("POST", "/api/v1/setup/root"),
        ("OPTIONS", "/api/v1/uploads"), ("GET", "/api/v1/transparency/head"), ("GET", "/api/v1/transparency/entries"),
        ("GET", "/api/v1/transparency/entries/{position}/proof"), ("GET", "/api/v1/transparency/consistency")}
"""What a stranger may ask for: to sign in, to set up with the printed code, what uploads can do, the public log."""
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


def addresses(app: FastAPI) -> Iterator[tuple[str, str]]:
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            if path.startswith(("/api/", "/nodes/me", "/events", "/recordings")):
                yield method.upper(), path


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    unopened = create_app(Settings(data=tmp_path_factory.mktemp("unopened")), connected=False)
    found = sorted(addresses(unopened))
    assert len(found) > 60
    return found


def filled(path: str) -> str:
    return path.replace("{sha256}", "a" * 64).replace("{", "").replace("}", "")


def test_a_stranger_is_let_in_nowhere(app: FastAPI, everything: list[tuple[str, str]]) -> None:
    client = a_client(app)
    let_in = {(method, path) for method, path in everything
              if client.request(method, filled(path), json={}).status_code not in (401, 403, 422)}
    asked = {(method, path) for method, path in everything
             if client.request(method, filled(path)).status_code not in (401, 403)}
    assert let_in <= OPEN
    assert {one for one in asked - OPEN if client.request(one[0], filled(one[1])).status_code < 400} == set()


def test_no_unsafe_address_works_without_the_csrf_token(
        app: FastAPI, database: Database, everything: list[tuple[str, str]]) -> None:
    with database.work() as session:
        user = a_user(session, Role.ADMINISTRATOR, a_commune(session))
    client = a_client(app, user)
    client.headers.pop("X-CSRF-Token")
    for method, path in everything:
        if method in UNSAFE and (method, path) not in OPEN:
            assert client.request(method, filled(path), json={}).status_code >= 400, (method, path)


def test_the_openapi_document_names_every_address_of_the_api(app: FastAPI) -> None:
    told = a_client(app).get("/api/v1/openapi.json").json()["paths"]
    routes = {route.path for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema}
    assert routes <= set(told)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"login": 5, "password": null}', b"{}"])
def test_a_body_that_makes_no_sense_is_a_problem_and_not_a_crash(app: FastAPI, body: bytes) -> None:
    answer = a_client(app).post("/api/v1/session", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_missing_field_is_named(app: FastAPI) -> None:
    answer = a_client(app).post("/api/v1/session", json={"login": "hoa"})
    assert answer.json()["field"] == "password"


def test_a_village_administrator_reaches_nothing_above_the_village(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        user = a_user(session, Role.ADMINISTRATOR, a_village(session, commune))
    client = a_client(app, user)
    for tail in ("", "/zones", "/policy", "/policy/statement"):
        assert client.get(f"/api/v1/places/{commune.id}{tail}").status_code == 403
    assert client.patch(f"/api/v1/places/{commune.id}", json={"name": "X"}).status_code == 403


def test_a_village_head_gets_no_event_stream(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        user = a_user(session, Role.VILLAGE_HEAD, a_commune(session))
    assert a_client(app, user).get("/events").status_code == 403
    assert a_client(app).get("/events").status_code == 401


def test_an_event_stream_tells_topics_breaks_silence_and_ends_when_the_hub_closes(app: FastAPI) -> None:
    house = house_of(app)

    async def told() -> list[str]:
        lines: list[str] = []
        async for line in stream(house, quiet_s=0.05):
            lines.append(line.split("\n")[0])
            if len(lines) == 1:
                asyncio.get_running_loop().call_later(0.12, house.hub.announce, "playbacks", "nodes")
            if line.startswith("event: nodes"):
                house.hub.close()
        return lines

    lines = asyncio.run(asyncio.wait_for(told(), 5))
    assert lines[0] == "event: hello"
    assert ": quiet" in lines
    assert [line for line in lines if line.startswith("event")][1:] == ["event: playbacks", "event: nodes"]


def test_metrics_are_for_this_machine_and_healthz_for_all(app: FastAPI) -> None:
    client = a_client(app)
    assert "loudspeaker_nodes 0.0" in client.get("/metrics").text
    assert client.get("/healthz").status_code == 200
