"""Accounts, roles at places, tokens and links: who may give what to whom."""

from datetime import timedelta

import pytest
from fastapi import FastAPI

from loudspeaker.api.deps import LINK_COOKIE
from loudspeaker.database import Database
from loudspeaker.errors import ConflictError, ForbiddenError, LoudspeakerError, NotFoundError
from loudspeaker.users import service
from loudspeaker.users.access import actor_for
from loudspeaker.users.models import Grant, Role
from tests.loudspeaker.builders import (
    START,
    SetClock,
    a_client,
    a_commune,
    a_user,
    a_village,
    an_actor,
    grant,
)


def test_an_administrator_makes_an_editor_who_can_sign_in(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        admin = a_user(session, Role.ADMINISTRATOR, commune)
    made = a_client(app, admin).post("/api/v1/users", json={
        "name": "Nguyễn Thị Hoa", "role": "editor", "place_id": commune.id, "login": "hoa",
        "password": "mùa xuân 2026"})
    assert made.status_code == 201
    assert [role["role"] for role in made.json()["roles"]] == ["editor"]
    assert "password" not in made.text.replace("has_password", "")
    assert a_client(app).post("/api/v1/session", json={"login": "hoa", "password": "mùa xuân 2026"}).status_code == 200


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_no_other_role_grants_anything(database: Database, role: Role) -> None:
    with database.work() as session:
        commune = a_commune(session)
        actor = an_actor(session, role, commune)
        with pytest.raises(ForbiddenError):
            service.grant_role(session, actor, START, actor.user.id, commune.id, Role.ADMINISTRATOR)


def test_an_administrator_grants_only_at_and_below_their_place(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        village, other = a_village(session, commune, "Thôn A"), a_village(session, commune, "Thôn B")
        actor = an_actor(session, Role.ADMINISTRATOR, village)
        somebody = a_user(session)
        service.grant_role(session, actor, START, somebody.id, village.id, Role.EDITOR)
        for place in (commune, other):
            with pytest.raises(ForbiddenError):
                service.grant_role(session, actor, START, somebody.id, place.id, Role.EDITOR)


def test_an_administrator_below_cannot_take_over_the_account_of_one_above(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        village = a_village(session, commune)
        low = an_actor(session, Role.ADMINISTRATOR, village)
        high = a_user(session, Role.ADMINISTRATOR, commune)
        grant(session, high, Role.EDITOR, village)
        with pytest.raises(ForbiddenError):
            service.change_user(session, low, START, high.id, password="một mật khẩu khác")


def test_a_delegation_ends_on_its_date(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        admin = an_actor(session, Role.ADMINISTRATOR, commune)
        deputy = a_user(session)
        service.grant_role(session, admin, START, deputy.id, commune.id, Role.APPROVER, START + timedelta(days=3))
        assert actor_for(session, deputy, START + timedelta(days=2)).may(commune, [Role.APPROVER])
        assert not actor_for(session, deputy, START + timedelta(days=3)).may(commune, [Role.APPROVER])


def test_the_last_administrator_can_neither_lose_the_role_nor_be_switched_off(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        admin = an_actor(session, Role.ADMINISTRATOR, commune)
        only = service.grants_of(session, [admin.user.id])[admin.user.id][0][0]
        with pytest.raises(ConflictError):
            service.revoke_grant(session, admin, START, only.id)
        with pytest.raises(ConflictError):
            service.change_user(session, admin, START, admin.user.id, active=False)
        second = a_user(session, Role.ADMINISTRATOR, commune)
        service.revoke_grant(session, admin, START, only.id)
        assert session.get(Grant, only.id) is None
        assert actor_for(session, second, START).may(commune, [Role.ADMINISTRATOR])


def test_an_administrator_by_delegation_that_is_over_does_not_count_as_another(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        admin = an_actor(session, Role.ADMINISTRATOR, commune)
        service.grant_role(session, admin, START, a_user(session).id, commune.id, Role.ADMINISTRATOR,
                           START + timedelta(hours=1))
        only = service.grants_of(session, [admin.user.id])[admin.user.id][0][0]
        with pytest.raises(ConflictError):
            service.revoke_grant(session, admin, START + timedelta(hours=2), only.id)


def test_people_elsewhere_are_not_seen(database: Database) -> None:
    with database.work() as session:
        here, elsewhere = a_commune(session, "Xã A"), a_commune(session, "Xã B")
        actor = an_actor(session, Role.ADMINISTRATOR, here)
        stranger = a_user(session, Role.EDITOR, elsewhere)
        assert stranger.id not in {one.id for one in service.users_seen_by(session, actor)}
        with pytest.raises(NotFoundError):
            service.user_to_see(session, actor, stranger.id)


def test_a_switched_off_person_is_out_at_once(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        admin = a_user(session, Role.ADMINISTRATOR, commune)
        hoa = a_user(session, Role.EDITOR, commune)
    hers = a_client(app, hoa)
    assert hers.get("/api/v1/session").status_code == 200
    assert a_client(app, admin).patch(f"/api/v1/users/{hoa.id}", json={"active": False}).status_code == 200
    assert hers.get("/api/v1/session").status_code == 401


def test_a_token_works_until_revoked_and_is_not_stored(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        user = a_user(session, Role.TECHNICIAN, a_commune(session))
    client = a_client(app, user)
    made = client.post("/api/v1/me/tokens", json={"name": "máy tính ở xã"}).json()
    program = a_client(app)
    program.headers["Authorization"] = f"Bearer {made['token']}"
    assert program.get("/api/v1/session").json()["how"] == "token"
    assert program.post("/api/v1/me/tokens", json={"name": "more"}).status_code == 403
    assert "token" not in client.get("/api/v1/me/tokens").json()[0]
    client.delete(f"/api/v1/me/tokens/{made['id']}")
    assert program.get("/api/v1/session").status_code == 401


def test_a_village_heads_link_is_remembered_and_can_be_revoked(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        village = a_village(session, commune)
        admin, head = a_user(session, Role.ADMINISTRATOR, commune), a_user(session, Role.VILLAGE_HEAD, village)
    desk = a_client(app, admin)
    made = desk.post(f"/api/v1/users/{head.id}/links").json()
    phone = a_client(app)
    phone.cookies.set(LINK_COOKIE, made["url"].rsplit("/", 1)[1])
    me = phone.get("/api/v1/session").json()
    assert (me["id"], me["how"]) == (head.id, "link")
    assert phone.get("/api/v1/places").json() == [], "a village head sees no desk"
    assert phone.get("/api/v1/users").status_code == 200
    assert phone.delete("/api/v1/session").status_code == 403, "its forms need the CSRF token too"
    desk.delete(f"/api/v1/users/{head.id}/links/{made['id']}")
    assert phone.get("/api/v1/session").status_code == 401


def test_somebody_with_a_password_gets_no_link(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        admin, editor = a_user(session, Role.ADMINISTRATOR, commune), a_user(session, Role.EDITOR, commune)
        editor.password_hash = "x"
        session.add(editor)
    assert a_client(app, admin).post(f"/api/v1/users/{editor.id}/links").status_code == 422


@pytest.mark.parametrize(("login", "field"), [("Có Dấu", "login"), ("ab", "login"), ("hoa", "login")])
def test_a_login_is_plain_and_taken_once(database: Database, login: str, field: str, clock: SetClock) -> None:
    with database.work() as session:
        service.add_user(session, clock(), "Hoa", "hoa", None)
        with pytest.raises(LoudspeakerError) as refused:
            service.add_user(session, clock(), "Hoa", login, None)
    assert getattr(refused.value, "field", None) == field
