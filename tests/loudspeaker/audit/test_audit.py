"""The audit log: every act that changes something leaves a line, and no line can be changed unseen."""

import random
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from loudspeaker.audit.reading import AuditFilter, every_entry, prove
from loudspeaker.audit.service import record
from loudspeaker.database import Database
from loudspeaker.users.models import Role
from tests.loudspeaker.builders import START, SetClock, a_client, a_commune, a_user, a_village

LINES = 120


def a_log(database: Database) -> None:
    with database.work() as session:
        for number in range(LINES):
            record(session, START + timedelta(microseconds=number), None, "test.done", f"thing:{number}", None,
                   name="Đồng Tâm", number=number, share=number / 7, nested={"b": [1, None], "a": "x"})


def test_a_log_that_nobody_touched_is_whole(database: Database) -> None:
    a_log(database)
    with database.read() as session:
        proof = prove(session)
        assert (proof.first_break, proof.lines) == (None, LINES)
        assert len(list(every_entry(session, AuditFilter()))) == LINES


EDITS = ("UPDATE audit_entry SET act = 'test.other' WHERE seq = :seq",
         "UPDATE audit_entry SET actor_id = 'somebody' WHERE seq = :seq",
         "UPDATE audit_entry SET subject = 'thing:x' WHERE seq = :seq",
         "UPDATE audit_entry SET data = '{}' WHERE seq = :seq",
         "UPDATE audit_entry SET hash = previous WHERE seq = :seq",
         "DELETE FROM audit_entry WHERE seq = :seq")


@pytest.mark.parametrize("edit", EDITS)
def test_any_edit_of_any_line_is_found_where_it_is(database: Database, edit: str) -> None:
    a_log(database)
    draw = random.Random(edit)
    for seq in draw.sample(range(1, LINES), 12):
        with database.read() as session:
            session.connection().execute(text(edit), {"seq": seq})
            session.expire_all()
            assert prove(session).first_break in (seq, seq + 1)


def test_lines_are_read_by_person_act_place_and_time_page_by_page(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        village = a_village(session, commune)
        inspector = a_user(session, Role.AUDITOR, commune)
        for number in range(10):
            record(session, START + timedelta(hours=number), "hoa" if number % 2 else None,
                   "role.granted" if number < 3 else "node.added", f"thing:{number}",
                   (village if number > 7 else commune).id)
    client = a_client(app, inspector)

    def seen(query: str) -> list[int]:
        return [int(one["subject"].split(":")[1]) for one in client.get(f"/api/v1/audit?{query}").json()
                if one["subject"].startswith("thing:")]

    assert seen("limit=500") == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert seen("actor=hoa") == [9, 7, 5, 3, 1]
    assert seen("act=role.") == [2, 1, 0]
    assert seen(f"place={village.id}") == [9, 8]
    assert seen("since=2026-03-02T03:00:00Z&until=2026-03-02T05:00:00Z&act=role.") == [2]
    first = client.get("/api/v1/audit?limit=4").json()
    second = client.get(f"/api/v1/audit?limit=4&before={first[-1]['seq']}").json()
    assert first[-1]["seq"] - 1 == second[0]["seq"]
    assert client.get("/api/v1/audit?since=2026-03-02T03:00:00").status_code == 422, "an instant needs its zone"


def test_an_inspector_of_a_village_reads_only_the_villages_lines(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        village = a_village(session, commune)
        inspector = a_user(session, Role.AUDITOR, village)
        record(session, START, None, "node.added", "node:a", commune.id)
        record(session, START, None, "node.added", "node:b", village.id)
    client = a_client(app, inspector)
    for query in ("", f"?place={commune.id}"):
        assert {one["subject"] for one in client.get(f"/api/v1/audit{query}").json()} <= {"node:b"}


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.ADMINISTRATOR, Role.AUDITOR)])
def test_other_roles_do_not_read_it(app: FastAPI, database: Database, role: Role) -> None:
    with database.work() as session:
        user = a_user(session, role, a_commune(session))
    client = a_client(app, user)
    assert [client.get(f"/api/v1/audit{tail}").status_code for tail in ("", "/proof", "/export.csv")] == [403] * 3


def test_an_inspector_changes_nothing(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        inspector = a_user(session, Role.AUDITOR, commune)
    client = a_client(app, inspector)
    tries = [client.post("/api/v1/places", json={"parent_id": commune.id, "kind": "village", "name": "X"}),
             client.post("/api/v1/nodes", json={"place_id": commune.id, "name": "X"}),
             client.patch(f"/api/v1/places/{commune.id}", json={"name": "X"}),
             client.post(f"/api/v1/users/{inspector.id}/roles", json={"role": "administrator", "place_id": commune.id})]
    assert [one.status_code for one in tries] == [403] * 4


def test_the_export_proves_itself_and_no_cell_is_a_formula(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        inspector = a_user(session, Role.AUDITOR, commune)
        record(session, START, None, "=cmd()", "thing:1", commune.id, name="Đồng Tâm")
    told = a_client(app, inspector).get("/api/v1/audit/export.csv")
    assert told.headers["content-type"].startswith("text/csv")
    assert "Đồng Tâm" in told.text
    assert "'=cmd()" in told.text
    assert a_client(app, inspector).get("/api/v1/audit/proof").json()["whole"] is True


def test_an_act_and_its_line_stand_or_fall_together(app: FastAPI, database: Database, clock: SetClock) -> None:
    with database.work() as session:
        commune = a_commune(session)
        admin = a_user(session, Role.ADMINISTRATOR, commune)
    client = a_client(app, admin)
    before = client.get("/api/v1/audit/proof").json()["lines"]
    asked = {"parent_id": commune.id, "kind": "village", "name": "Thôn A"}
    assert client.post("/api/v1/places", json=asked).status_code == 201
    assert client.post("/api/v1/places", json=asked).status_code == 409
    assert client.get("/api/v1/audit/proof").json()["lines"] == before + 1
