"""Stops and commands over the API: confirmed, by who may, and audited."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import select

from loudspeaker.audit.models import AuditEntry
from loudspeaker.conductor.house import House
from loudspeaker.nodes.models import Node
from loudspeaker.orders.models import CommandSent
from loudspeaker.places.models import Place
from loudspeaker.users.models import Role
from tests.loudspeaker.builders import a_client, a_commune, a_node, a_user, a_village


@pytest.fixture
def village(house: House) -> tuple[str, str, str]:
    """Ids of a commune, a village and its node."""
    with house.database.work() as session:
        commune = a_commune(session)
        place = a_village(session, commune)
        return commune.id, place.id, a_node(session, place).id


def person(app: FastAPI, house: House, role: Role, place_id: str) -> TestClient:
    with house.database.work() as session:
        user = a_user(session, role, session.get_one(Place, place_id))
    return a_client(app, user)


def test_stop_everything_needs_confirming_and_stands_until_lifted(app: FastAPI, house: House,
                                                                  village: tuple[str, str, str]) -> None:
    editor = person(app, house, Role.EDITOR, village[0])
    refused = editor.post("/api/v1/stop", json={"scope": f"place:{village[0]}", "active": True, "confirm": False})
    assert (refused.status_code, refused.json()["field"]) == (422, "confirm")
    for scope in (f"place:{village[0]}", f"node:{village[2]}"):
        assert editor.post("/api/v1/stop", json={"scope": scope, "active": True, "confirm": True}).status_code == 200
    assert len(editor.get("/api/v1/stop").json()) == 2
    editor.post("/api/v1/stop", json={"scope": f"place:{village[0]}", "active": False, "confirm": True})
    assert editor.get("/api/v1/stop").json() == []
    with house.database.read() as session:
        acts = session.exec(select(AuditEntry.act)).all()
        assert sorted(act for act in acts if act.startswith("stop.")) == ["stop.lifted", "stop.pressed", "stop.pressed"]


def test_a_village_cannot_stop_the_commune(app: FastAPI, house: House, village: tuple[str, str, str]) -> None:
    editor = person(app, house, Role.EDITOR, village[1])
    for scope in ("all", f"place:{village[0]}"):
        answer = editor.post("/api/v1/stop", json={"scope": scope, "active": True, "confirm": True})
        assert answer.status_code == 403
    assert editor.post("/api/v1/stop", json={"scope": "planet:mars", "active": True,
                                             "confirm": True}).status_code == 422


def test_volume_is_set_on_the_node_and_sent(app: FastAPI, house: House, village: tuple[str, str, str]) -> None:
    technician = person(app, house, Role.TECHNICIAN, village[0])
    answer = technician.post("/api/v1/commands", json={"scope": f"node:{village[2]}", "kind": "volume", "volume": 40})
    assert answer.status_code == 201, answer.text
    shown = technician.get(f"/api/v1/commands/{answer.json()['id']}").json()
    assert (shown["waiting"], shown["answers"]) == ([village[2]], [])
    with house.database.read() as session:
        assert session.get_one(Node, village[2]).volume == 40
        assert session.exec(select(CommandSent.kind)).all() == ["volume"]


def test_an_editor_sends_no_technical_commands(app: FastAPI, house: House, village: tuple[str, str, str]) -> None:
    editor = person(app, house, Role.EDITOR, village[0])
    answer = editor.post("/api/v1/commands", json={"scope": f"place:{village[0]}", "kind": "self_test"})
    assert answer.status_code == 403
