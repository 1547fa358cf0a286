"""Programmes over the API: checked, refused with what stands against them, saved, changed, ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import select

from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.bulletins.models import Recording
from loudspeaker.conductor.house import House
from loudspeaker.nodes.models import Node
from loudspeaker.places.models import Place
from loudspeaker.users.models import Role
from tests.loudspeaker.airing_builders import a_policy, an_approved_recording
from tests.loudspeaker.builders import START, a_client, a_commune, a_node, a_user, a_village, an_actor

EIGHT = START
"""08:00 on a Monday in Việt Nam."""


@dataclass
class Desk:
    """A commune with two poles, and an editor at work."""

    client: TestClient
    commune: Place
    nodes: list[Node]
    short: Recording
    urgent: Recording

    def body(self, start: datetime, recording: Recording | None = None, **rest: Any) -> dict[str, Any]:
        """What the form sends."""
        return {"place_id": self.commune.id, "title": "Bản tin sáng", "first_start": start.isoformat(),
                "items": [{"recordings": {"vi": (recording or self.short).id}}],
                "targets": [{"kind": "place", "id": self.commune.id}], **rest}


@pytest.fixture
def desk(app: FastAPI, house: House) -> Desk:
    with house.database.work() as session:
        commune = a_commune(session)
        nodes = [a_node(session, a_village(session, commune, name), name) for name in ("Đồng Tâm", "Tân Bắc")]
        a_policy(session, commune, frames=(("05:00", "11:00"), ("16:30", "18:30")))
        editor = a_user(session, Role.EDITOR, commune)
        author = an_actor(session, Role.EDITOR, commune)
        short = an_approved_recording(session, commune, author, "Tin trong xã", seconds=300)
        urgent = an_approved_recording(session, commune, author, "Cầu treo", seconds=30, air_class=1)
    return Desk(a_client(app, editor), commune, nodes, short, urgent)


def test_a_programme_is_saved_and_expanded_over_eight_days(desk: Desk, house: House) -> None:
    answer = desk.client.post("/api/v1/programmes", json=desk.body(EIGHT + timedelta(hours=1), rrule="FREQ=DAILY"))
    assert answer.status_code == 201, answer.text
    assert answer.json()["check"]["length_s"] == 300
    shown = desk.client.get("/api/v1/broadcasts").json()
    assert len(shown) == 8
    programme = answer.json()["programme"]
    again = desk.client.get(f"/api/v1/programmes/{programme['id']}").json()
    assert again["targets"] == [{"kind": "place", "id": desk.commune.id}]


def test_equal_class_at_the_same_time_is_refused_with_the_next_free_slot(desk: Desk) -> None:
    desk.client.post("/api/v1/programmes", json=desk.body(EIGHT + timedelta(hours=1)))
    answer = desk.client.post("/api/v1/programmes", json=desk.body(EIGHT + timedelta(hours=1, minutes=2)))
    assert answer.status_code == 409
    told = answer.json()
    assert told["code"] == "plan_refused"
    assert told["problems"][0]["code"] == "collision"
    assert set(told["problems"][0]["nodes"]) == {node.id for node in desk.nodes}
    assert datetime.fromisoformat(told["next_free"]) == EIGHT + timedelta(hours=1, minutes=5)
    assert len(desk.client.get("/api/v1/programmes").json()) == 1


def test_a_higher_class_is_saved_and_its_preemption_shown(desk: Desk) -> None:
    desk.client.post("/api/v1/programmes", json=desk.body(EIGHT + timedelta(hours=1)))
    body = desk.body(EIGHT + timedelta(hours=1, minutes=2), desk.urgent, air_class=1, title="Cầu treo")
    checked = desk.client.post("/api/v1/programmes/check", json=body).json()
    assert checked["ok"]
    assert [one["code"] for one in checked["preemptions"]] == ["pre_empts"]
    assert "Bản tin sáng" in checked["preemptions"][0]["sentence"]
    assert desk.client.post("/api/v1/programmes", json=body).status_code == 201


def test_outside_the_signed_frames_is_refused(desk: Desk) -> None:
    answer = desk.client.post("/api/v1/programmes/check", json=desk.body(EIGHT + timedelta(hours=5)))
    told = answer.json()
    assert not told["ok"]
    assert [one["code"] for one in told["problems"]] == ["outside_frame"]
    assert datetime.fromisoformat(told["next_free"]) == EIGHT + timedelta(hours=8, minutes=30)


def test_a_class_above_the_approval_is_refused(desk: Desk) -> None:
    answer = desk.client.post("/api/v1/programmes", json=desk.body(EIGHT + timedelta(hours=1), air_class=1))
    assert (answer.status_code, answer.json()["field"]) == (422, "air_class")


def test_an_unknown_recurrence_names_its_field(desk: Desk) -> None:
    answer = desk.client.post("/api/v1/programmes", json=desk.body(EIGHT + timedelta(hours=1), rrule="FREQ=MINUTELY"))
    assert (answer.status_code, answer.json()["field"]) == (422, "rrule")


def test_a_stale_revision_changes_nothing(desk: Desk) -> None:
    saved = desk.client.post("/api/v1/programmes", json=desk.body(EIGHT + timedelta(hours=1))).json()["programme"]
    later = desk.body(EIGHT + timedelta(hours=2), revision=saved["revision"])
    assert desk.client.put(f"/api/v1/programmes/{saved['id']}", json=later).status_code == 200
    answer = desk.client.put(f"/api/v1/programmes/{saved['id']}", json=later)
    assert (answer.status_code, answer.json()["code"]) == (409, "stale_revision")


def test_a_changed_programme_takes_back_its_old_broadcasts(desk: Desk, house: House) -> None:
    body = desk.body(EIGHT + timedelta(hours=1), rrule="FREQ=DAILY;COUNT=2")
    saved = desk.client.post("/api/v1/programmes", json=body).json()["programme"]
    body |= {"first_start": (EIGHT + timedelta(hours=2)).isoformat(), "revision": 1}
    assert desk.client.put(f"/api/v1/programmes/{saved['id']}", json=body).status_code == 200
    starts = [datetime.fromisoformat(one["start"]) for one in desk.client.get("/api/v1/broadcasts").json()]
    assert starts == [EIGHT + timedelta(hours=2, days=day) for day in range(2)]
    with house.database.read() as session:
        assert len(session.exec(select(Broadcast)).all()) == 4


def test_an_ended_programme_airs_no_more(desk: Desk) -> None:
    body = desk.body(EIGHT + timedelta(hours=1), rrule="FREQ=DAILY")
    saved = desk.client.post("/api/v1/programmes", json=body).json()["programme"]
    assert desk.client.delete(f"/api/v1/programmes/{saved['id']}", params={"revision": 1}).status_code == 200
    assert desk.client.get("/api/v1/broadcasts").json() == []


def test_an_editor_of_one_village_may_not_schedule_for_the_commune(app: FastAPI, desk: Desk, house: House) -> None:
    with house.database.work() as session:
        village = session.get_one(Place, desk.nodes[0].place_id)
        stranger = a_user(session, Role.EDITOR, village)
    answer = a_client(app, stranger).post("/api/v1/programmes", json=desk.body(EIGHT + timedelta(hours=1)))
    assert answer.status_code == 403


def test_air_now_starts_in_seconds_inside_the_policy(desk: Desk) -> None:
    body = {key: value for key, value in desk.body(EIGHT).items() if key != "first_start"}
    answer = desk.client.post("/api/v1/broadcasts/now", json=body)
    assert answer.status_code == 201, answer.text
    assert datetime.fromisoformat(answer.json()["broadcast"]["start"]) == EIGHT + timedelta(seconds=8)
    again = desk.client.post("/api/v1/broadcasts/now", json=body)
    assert again.json()["problems"][0]["code"] == "collision"
