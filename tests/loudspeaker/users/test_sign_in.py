"""Signing in, what protects it, and what a stolen cookie or token is good for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Literal

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import select

from loudspeaker.api.deps import CSRF_HEADER, SESSION_COOKIE
from loudspeaker.database import Database
from loudspeaker.errors import TooManyError
from loudspeaker.users import guessing, passwords
from loudspeaker.users.models import FailedTry, Role, SignInSession, User
from tests.loudspeaker.builders import START, SetClock, a_client, a_commune, a_user

PASSWORD = "mùa xuân ở Sơn Dương"
HASHED = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""Made with older parameters than those of the tests, so that it is renewed at sign-in."""


def a_person(database: Database, login: str = "hoa", active: bool = True) -> User:
    with database.work() as session:
        user = a_user(session, Role.EDITOR, a_commune(session))
        user.login, user.password_hash, user.active = login, HASHED, active
        session.add(user)
    return user


def sign_in(client: TestClient, login: str = "hoa", password: str = PASSWORD) -> int:
    return client.post("/api/v1/session", json={"login": login, "password": password}).status_code


def test_a_person_signs_in_is_known_and_signs_out(app: FastAPI, database: Database) -> None:
    a_person(database)
    client = a_client(app)
    begun = client.post("/api/v1/session", json={"login": " Hoa ", "password": PASSWORD})
    cookie = begun.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert client.get("/api/v1/session").json()["login"] == "hoa"
    assert client.delete("/api/v1/session", headers={CSRF_HEADER: begun.json()["csrf"]}).status_code == 204
    assert client.get("/api/v1/session").status_code == 401


def test_the_cookie_itself_is_not_in_the_database(app: FastAPI, database: Database) -> None:
    a_person(database)
    client = a_client(app)
    sign_in(client)
    with database.read() as session:
        row = session.exec(select(SignInSession)).one()
    assert client.cookies[SESSION_COOKIE] not in row.model_dump_json()


def test_a_session_ends_after_its_hours(app: FastAPI, database: Database, clock: SetClock) -> None:
    a_person(database)
    client = a_client(app)
    sign_in(client)
    clock.forward(timedelta(hours=11, minutes=59))
    assert client.get("/api/v1/session").status_code == 200
    clock.forward(timedelta(minutes=1))
    assert client.get("/api/v1/session").status_code == 401


def test_a_hash_of_older_parameters_is_renewed_at_sign_in(app: FastAPI, database: Database) -> None:
    user = a_person(database)
    assert sign_in(a_client(app)) == 200
    with database.read() as session:
        renewed = session.get_one(User, user.id).password_hash
    assert renewed is not None
    assert not passwords.outdated(renewed)
    assert passwords.matches(renewed, PASSWORD)


@pytest.mark.parametrize(("login", "password"), [("hoa", "not it"), ("nobody", PASSWORD), ("off", PASSWORD)])
def test_wrong_password_unknown_and_switched_off_accounts_are_told_the_same(
        app: FastAPI, database: Database, login: str, password: str) -> None:
    with database.work() as session:
        for name, active in (("hoa", True), ("off", False)):
            session.add(User(login=name, name=name, password_hash=HASHED, active=active, created_at=START))
    answer = a_client(app).post("/api/v1/session", json={"login": login, "password": password})
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_password")


def test_an_unknown_account_costs_a_hash_as_a_known_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 argon2's name
            verified.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "HASHER", Counting())
    assert not passwords.matches(None, "nobody has this password")
    assert len(verified) == 1


def test_guessing_at_one_account_is_stopped_and_ends_by_waiting(
        app: FastAPI, database: Database, clock: SetClock) -> None:
    a_person(database)
    client = a_client(app)
    tries = [sign_in(client, password="guess") for _ in range(guessing.MOST_BY_ACCOUNT + 2)]
    assert tries == [401] * guessing.MOST_BY_ACCOUNT + [429] * 2
    assert sign_in(client) == 429, "even the right password waits: otherwise guessing would go on"
    clock.forward(guessing.WINDOW + timedelta(seconds=1))
    assert sign_in(client) == 200


def test_guesses_at_the_same_moment_do_not_slip_under_the_limit(database: Database, clock: SetClock) -> None:
    limits = {guessing.account("hoa"): guessing.MOST_BY_ACCOUNT}

    def guess(_number: int) -> bool:
        try:
            with database.work() as session:
                guessing.count_try(session, clock(), limits)
        except TooManyError:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(guess, range(40))) == guessing.MOST_BY_ACCOUNT


def test_guessing_at_many_accounts_from_one_address_is_stopped(app: FastAPI, database: Database) -> None:
    client = a_client(app)
    names = [f"name-{number}" for number in range(guessing.MOST_BY_ADDRESS + 1)]
    tries = [sign_in(client, login=name, password="guess") for name in names]
    assert tries[-2:] == [401, 429]


def test_signing_in_well_forgets_the_accounts_failures_but_not_the_addresses(app: FastAPI, database: Database) -> None:
    a_person(database)
    client = a_client(app)
    for _ in range(3):
        sign_in(client, password="guess")
    sign_in(client)
    with database.read() as session:
        left = session.exec(select(FailedTry.subject)).all()
    assert left == ["address:testclient"] * 3


def test_an_unsafe_request_without_its_csrf_token_is_refused(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        user = a_user(session, Role.EDITOR, a_commune(session))
    client = a_client(app, user)
    right = client.headers.pop(CSRF_HEADER)
    for header in ({}, {CSRF_HEADER: "x" + right[1:]}):
        answer = client.post("/api/v1/me/tokens", json={"name": "x"}, headers=header)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    assert client.post("/api/v1/me/tokens", json={"name": "x"}, headers={CSRF_HEADER: right}).status_code == 201


def test_a_form_field_carries_the_csrf_token_as_well(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        user = a_user(session, Role.EDITOR, a_commune(session))
    client = a_client(app, user)
    right = client.headers.pop(CSRF_HEADER)
    wrong = client.post("/sign-out", data={"csrf": "no"}, headers={"Accept": "application/json"})
    assert wrong.status_code == 403
    assert client.post("/sign-out", data={"csrf": right}).status_code == 303
    assert client.get("/api/v1/session").status_code == 401


def test_a_password_change_signs_the_thief_of_a_cookie_out(app: FastAPI, database: Database) -> None:
    user = a_person(database)
    mine, thiefs = a_client(app, user), a_client(app, user)
    assert len(mine.get("/api/v1/me/sessions").json()) == 2
    wrong = mine.put("/api/v1/me/password", json={"current": "guess", "new": "một mật khẩu khác"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "current")
    assert mine.put("/api/v1/me/password", json={"current": PASSWORD, "new": "một mật khẩu khác"}).status_code == 204
    assert mine.get("/api/v1/session").status_code == 200
    assert thiefs.get("/api/v1/session").status_code == 401


def test_nobody_ends_anothers_session(app: FastAPI, database: Database) -> None:
    hoa, other = a_person(database, "hoa"), a_person(database, "other")
    with database.read() as session:
        assert session.exec(select(SignInSession)).all() == []
    a_client(app, hoa)
    with database.read() as session:
        target = session.exec(select(SignInSession.id)).one()
    assert a_client(app, other).delete(f"/api/v1/me/sessions/{target}").status_code == 404


@pytest.mark.parametrize("weak", ["short", "1234567890", "aaaaaaaaaaaa", "hoa.nguyen-2026"])
def test_a_password_that_is_guessed_first_is_refused(weak: str) -> None:
    with pytest.raises(Exception, match="password"):
        passwords.check_new(weak, "hoa.nguyen")
