"""A place's policy: proposed by staff, held only by the signature of an approver's listed key over the exact bytes."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from fastapi.testclient import TestClient

from firmware_bridge.contract import envelope, keys
from firmware_bridge.contract.documents import Approver, Policy
from loudspeaker.database import Database
from loudspeaker.places.models import Place
from loudspeaker.trust.service import adopt_list, current_trust, next_list
from loudspeaker.users.models import Role, User
from tests.loudspeaker.authority import AUTHORITY
from tests.loudspeaker.builders import START, a_client, a_commune, a_user, a_village, house_of

FIELDS: dict[str, Any] = {
    "frames": [{"start": "05:00", "end": "06:30", "weekdays": [0, 1, 2, 3, 4]}, {"start": "16:30", "end": "18:30"}],
    "quiet_hours": [{"start": "21:00", "end": "05:00"}],
    "longest_session_minutes": 45, "sessions_per_day": 3, "volume_cap": 90}


class Scene:
    """A commune with an administrator, an approver whose key is listed, and that key."""

    def __init__(self, app: FastAPI, database: Database) -> None:
        with database.work() as session:
            self.commune: Place = a_commune(session)
            self.village: Place = a_village(session, self.commune)
            self.admin: User = a_user(session, Role.ADMINISTRATOR, self.commune)
            self.leader: User = a_user(session, Role.APPROVER, self.commune)
            self.key: Ed25519PrivateKey = keys.new_key()
            listed = next_list(session, START, [
                Approver(owner=self.leader.id, name=self.leader.name, place=self.commune.id,
                         public_key=keys.public_to_base64(self.key), valid_from=START - timedelta(days=1),
                         valid_until=START + timedelta(days=365))], [])
            adopt_list(session, None, START, listed.sign(AUTHORITY))
        self.desk, self.leaders = a_client(app, self.admin), a_client(app, self.leader)

    def path(self, tail: str = "") -> str:
        return f"/api/v1/places/{self.commune.id}/policy{tail}"

    def propose(self, **changes: Any) -> Any:
        return self.desk.put(self.path(), json={**FIELDS, **changes})

    def sign(self, client: TestClient, key: Ed25519PrivateKey, payload: bytes | None = None) -> Any:
        told = self.leaders.get(self.path("/statement")).json()
        signed = envelope.sign(told["payload_type"], payload or base64.b64decode(told["payload"]), key)
        return client.post(self.path("/sign"), json={"envelope": envelope.to_dict(signed)})


@pytest.fixture
def scene(app: FastAPI, database: Database) -> Scene:
    return Scene(app, database)


def test_a_place_without_a_policy_is_shown_the_defaults_with_their_sources(scene: Scene) -> None:
    told = scene.desk.get(scene.path()).json()
    assert (told["signed"], told["draft"]) == (None, None)
    assert told["defaults"]["frames"][0] == {"start": "05:00", "end": "06:30", "weekdays": [0, 1, 2, 3, 4, 5, 6]}
    assert told["defaults"]["quiet_hours"] == [{"start": "21:00", "end": "05:00"}]
    assert set(told["sources"]) == {"frames", "quiet_hours", "longest_session", "sessions_per_day", "volume_cap"}
    assert scene.desk.put(scene.path(), json=told["defaults"]).status_code == 200, "they can be proposed as they are"


def test_a_proposal_holds_once_an_approver_signed_its_exact_bytes(
        scene: Scene, app: FastAPI, database: Database) -> None:
    nudges: list[int] = []
    house_of(app).nudge = lambda: nudges.append(1)
    assert scene.propose().status_code == 200
    assert scene.desk.get(scene.path()).json()["signed"] is None
    assert nudges == []
    first, again = (scene.leaders.get(scene.path("/statement")).json() for _ in range(2))
    assert first == again
    assert scene.sign(scene.leaders, scene.key).status_code == 200
    assert nudges == [1], "nodes are told after the commit"
    told = scene.desk.get(scene.path()).json()
    assert told["draft"] is None
    assert told["signed"]["signed_by"] == scene.leader.id
    with database.read() as session:
        held = current_trust(session).policies[scene.commune.id]
    assert (held.volume_cap, held.version > 0, held.frames[0].weekdays) == (90, True, (0, 1, 2, 3, 4))


def test_a_policy_of_the_place_above_is_shown_below(scene: Scene) -> None:
    scene.propose()
    scene.sign(scene.leaders, scene.key)
    told = scene.desk.get(f"/api/v1/places/{scene.village.id}/policy").json()
    assert [one["place_id"] for one in told["inherited"]] == [scene.commune.id]


def test_a_strangers_key_signs_nothing(scene: Scene) -> None:
    scene.propose()
    refused = scene.sign(scene.leaders, keys.new_key())
    assert (refused.status_code, refused.json()["code"]) == (422, "refused_foreign_key")
    assert scene.desk.get(scene.path()).json()["signed"] is None


def test_altered_bytes_are_refused_even_with_the_right_key(scene: Scene) -> None:
    scene.propose()
    payload = base64.b64decode(scene.leaders.get(scene.path("/statement")).json()["payload"])
    louder = Policy.from_bytes(payload).model_copy(update={"volume_cap": 100}).to_bytes()
    assert scene.sign(scene.leaders, scene.key, louder).status_code == 409


def test_a_signature_on_a_replaced_proposal_counts_no_more(scene: Scene) -> None:
    scene.propose()
    old = base64.b64decode(scene.leaders.get(scene.path("/statement")).json()["payload"])
    scene.propose(volume_cap=70)
    assert scene.sign(scene.leaders, scene.key, old).status_code == 409


def test_nobody_signs_with_anothers_key(scene: Scene, app: FastAPI, database: Database) -> None:
    with database.work() as session:
        deputy = a_user(session, Role.APPROVER, scene.commune)
    scene.propose()
    assert scene.sign(a_client(app, deputy), scene.key).status_code == 403


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.APPROVER, Role.ADMINISTRATOR)])
def test_other_roles_neither_propose_nor_sign(scene: Scene, app: FastAPI, database: Database, role: Role) -> None:
    with database.work() as session:
        user = a_user(session, role, scene.commune)
    client = a_client(app, user)
    assert client.put(scene.path(), json=FIELDS).status_code == 403
    scene.propose()
    assert scene.sign(client, scene.key).status_code == 403


def test_the_administrator_proposes_but_does_not_sign(scene: Scene) -> None:
    scene.propose()
    assert scene.sign(scene.desk, scene.key).status_code == 403


@pytest.mark.parametrize(("field", "value"), [
    ("frames", [{"start": "06:30", "end": "05:00"}]), ("frames", [{"start": "05:00", "end": "06:00", "weekdays": []}]),
    ("quiet_hours", [{"start": "21:00", "end": "21:00"}]), ("zone", "Mars/Olympus")])
def test_impossible_hours_are_refused_with_their_field(scene: Scene, field: str, value: object) -> None:
    refused = scene.propose(**{field: value})
    assert (refused.status_code, refused.json()["field"]) == (422, field)


@pytest.mark.parametrize("change", [{"volume_cap": 0}, {"sessions_per_day": 0}, {"longest_session_minutes": 2000},
                                    {"frames": [{"start": "25:00", "end": "26:00"}]}, {"surprise": 1}])
def test_numbers_out_of_range_are_refused(scene: Scene, change: dict[str, Any]) -> None:
    assert scene.propose(**change).status_code == 422
