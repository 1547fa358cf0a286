"""The place tree: paths hold under every order of moves, and pasted villages are read as they were meant."""

import contextlib
import random

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loudspeaker.database import Database
from loudspeaker.errors import ConflictError, ForbiddenError, InvalidError
from loudspeaker.places import service, tree
from loudspeaker.places.models import Place, PlaceKind
from loudspeaker.users.models import Role
from tests.loudspeaker.builders import START, a_client, a_commune, a_node, a_place, a_user, a_village, an_actor


def test_a_place_has_an_identifier_languages_and_a_telephone_number(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        admin = a_user(session, Role.ADMINISTRATOR, commune)
    client = a_client(app, admin)
    made = client.post("/api/v1/places", json={
        "parent_id": commune.id, "kind": "village", "name": " Thôn  Đồng Tâm ", "identifier": "H60.01",
        "languages": ["vi", "tyz"], "phone": "0207 383 5123", "latitude": 21.7, "longitude": 105.4})
    assert made.status_code == 201
    told = made.json()
    assert (told["name"], told["identifier"], told["languages"]) == ("Thôn Đồng Tâm", "H60.01", ["vi", "tyz"])
    assert told["path"] == [commune.id, told["id"]]
    changed = client.patch(f"/api/v1/places/{told['id']}", json={"phone": "0912 000 111"}).json()
    assert (changed["phone"], changed["identifier"]) == ("0912 000 111", "H60.01")


@pytest.mark.parametrize(("field", "value"), [
    ("zone", "Asia/Hanoi"), ("languages", ["Vietnamese"]), ("identifier", "TAKEN"), ("kind", "commune")])
def test_what_cannot_be_is_refused_with_its_field(app: FastAPI, database: Database, field: str, value: object) -> None:
    with database.work() as session:
        commune = a_commune(session)
        commune.identifier = "TAKEN"
        session.add(commune)
        admin = a_user(session, Role.ADMINISTRATOR, commune)
    asked = {"parent_id": commune.id, "kind": "village", "name": "Thôn A", field: value}
    answer = a_client(app, admin).post("/api/v1/places", json=asked)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_two_villages_of_one_commune_do_not_share_a_name(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        a_village(session, commune, "Thôn A")
        with pytest.raises(ConflictError):
            tree.add(session, START, commune, PlaceKind.VILLAGE, "THÔN A")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_after_any_moves_every_path_is_the_way_from_the_top(database: Database, seed: int) -> None:
    draw = random.Random(seed)
    with database.work() as session:
        places = [a_place(session, None, PlaceKind.COMMUNE, "Xã")]
        for number in range(8):
            places.append(a_place(session, draw.choice(places), PlaceKind.VILLAGE, f"Thôn {number}"))
        for _ in range(10):
            place, parent = draw.choice(places[1:]), draw.choice(places)
            if not parent.path.startswith(place.path):
                tree.move(session, place, parent)
        for one in places:
            assert one.path_ids == _way(session.get_one(Place, one.id), places)
        session.rollback()


def _way(place: Place, places: list[Place]) -> tuple[str, ...]:
    known = {one.id: one for one in places}
    return (*(_way(known[place.parent_id], places) if place.parent_id else ()), place.id)


def test_a_place_cannot_be_moved_below_itself(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        village = a_village(session, commune)
        hamlet = a_place(session, village, PlaceKind.VILLAGE, "Xóm Thấp")
        with pytest.raises(InvalidError):
            tree.move(session, village, hamlet)


def test_moving_needs_the_role_at_both_ends(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        here, there = a_village(session, commune, "A"), a_village(session, commune, "B")
        hamlet = a_place(session, here, PlaceKind.VILLAGE, "Xóm")
        actor = an_actor(session, Role.ADMINISTRATOR, here)
        with pytest.raises(ForbiddenError):
            service.move_place(session, actor, START, hamlet.id, there.id)


def test_a_place_with_nodes_is_not_archived(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        village, empty = a_village(session, commune, "A"), a_village(session, commune, "B")
        a_node(session, village)
        admin = a_user(session, Role.ADMINISTRATOR, commune)
    client = a_client(app, admin)
    refused = client.post(f"/api/v1/places/{village.id}/archive")
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert client.post(f"/api/v1/places/{empty.id}/archive").status_code == 200
    assert empty.id not in {one["id"] for one in client.get("/api/v1/places").json()}


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_only_an_administrator_changes_places(database: Database, role: Role) -> None:
    with database.work() as session:
        commune = a_commune(session)
        actor = an_actor(session, role, commune)
        with pytest.raises(ForbiddenError):
            service.add_place(session, actor, START, commune.id, PlaceKind.VILLAGE, "Thôn")


def test_pasted_villages_are_read_from_lines_tabs_and_semicolons() -> None:
    read = tree.read_villages("Đồng Tâm\n\n  Tân Bắc ; H61 ; vi, tyz\r\nKhe Mo\tH62\n;;\n")
    assert [(one.name, one.identifier, one.languages) for one in read] == [
        ("Đồng Tâm", "", ("vi",)), ("Tân Bắc", "H61", ("vi", "tyz")), ("Khe Mo", "H62", ("vi",))]


@given(st.text(max_size=300))
def test_no_pasted_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(InvalidError):
        assert all(one.name for one in tree.read_villages(text))
