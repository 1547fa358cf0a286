"""The first run: one code, one administrator, once."""

from collections.abc import Mapping

from fastapi import FastAPI

from loudspeaker.conductor.setup import MOST_TRIES
from tests.loudspeaker.builders import a_client, house_of

ASKED = {"commune": "Xã Sơn Dương", "identifier": "000.00.01.H60", "villages": "Đồng Tâm\nTân Bắc;H61;vi tyz\n\n",
         "name": "Lê Văn Quang", "login": "quantri", "password": "mùa xuân ở Sơn Dương"}


def asked(app: FastAPI, code: str | None, **changes: str) -> Mapping[str, str]:
    return {**ASKED, "code": code or house_of(app).setup_code or "", **changes}


def test_the_printed_code_makes_commune_villages_and_administrator_once(app: FastAPI) -> None:
    client = a_client(app)
    code = house_of(app).setup_code or ""
    typed = code.lower().replace("-", " ")
    assert client.post("/api/v1/setup", json=asked(app, typed)).status_code == 201
    assert house_of(app).setup_code is None
    assert client.post("/api/v1/setup", json=asked(app, code)).status_code == 403
    assert client.post("/api/v1/session", json={"login": "quantri", "password": ASKED["password"]}).status_code == 200
    places = client.get("/api/v1/places").json()
    assert {(one["name"], one["identifier"], tuple(one["languages"])) for one in places} == {
        ("Xã Sơn Dương", "000.00.01.H60", ("vi",)), ("Đồng Tâm", "", ("vi",)), ("Tân Bắc", "H61", ("vi", "tyz"))}
    acts = [one["act"] for one in client.get("/api/v1/audit").json()]
    assert {"site.set_up", "role.granted", "user.created"} <= set(acts)


def test_a_wrong_code_makes_nothing_and_guessing_it_is_stopped(app: FastAPI) -> None:
    client = a_client(app)
    wrong = asked(app, "AAAA-BBBB-CCCC")
    answers = [client.post("/api/v1/setup", json=wrong).status_code for _ in range(MOST_TRIES + 1)]
    assert answers == [403] * MOST_TRIES + [429]
    assert client.post("/api/v1/setup", json=asked(app, None)).status_code == 429


def test_a_weak_password_keeps_the_code_good(app: FastAPI) -> None:
    client = a_client(app)
    refused = client.post("/api/v1/setup", json=asked(app, None, password="short"))
    assert (refused.status_code, refused.json()["field"]) == (422, "password")
    assert client.post("/api/v1/setup", json=asked(app, None)).status_code == 201


def test_without_a_code_in_force_an_empty_code_opens_nothing(app: FastAPI) -> None:
    house_of(app).setup_code = None
    assert a_client(app).post("/api/v1/setup", json=asked(app, "---")).status_code == 403
