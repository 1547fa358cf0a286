"""Nodes as people manage them: one file per pole, credentials that can be cut off, rights that follow every change."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from firmware_bridge.bridge.broker import BrokerUser, MemoryBroker, server_user
from firmware_bridge.contract import envelope, keys
from firmware_bridge.contract.documents import TrustBundle, TrustRoot
from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.contract.topics import node_rights
from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.conductor import rights
from loudspeaker.database import Database
from loudspeaker.nodes.models import HeldRecording, Node, NodeHistory
from loudspeaker.orders.models import Order
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import Playback, PlaybackState
from loudspeaker.users.models import Role
from tests.loudspeaker.builders import START, a_client, a_commune, a_node, a_user, a_village, a_zone, house_of
from tests.loudspeaker.nodes.controllers import enrolled


class Scene:
    """A commune with two villages, a technician at the desk, and a broker in memory."""

    def __init__(self, app: FastAPI, database: Database, folder: Path) -> None:
        self.folder = folder
        with database.work() as session:
            self.commune: Place = a_commune(session)
            self.village: Place = a_village(session, self.commune, "Đồng Tâm")
            self.other: Place = a_village(session, self.commune, "Tân Bắc")
            self.technician = a_user(session, Role.TECHNICIAN, self.commune)
        self.app, self.house = app, house_of(app)
        self.desk = a_client(app, self.technician)
        self.broker = self.house.broker = MemoryBroker(self.house.site)
        self.house.broker_login = server_user()
        self.broker.start()

    def add(self, name: str = "Đồng Tâm 2", **given: Any) -> NodeConfig:
        answer = self.desk.post("/api/v1/nodes", json={"place_id": self.village.id, "name": name, **given})
        assert answer.status_code == 201, answer.text
        return enrolled(self.app, answer.json()["token"], self.folder / f"{name}.json")

    def users(self) -> dict[str, BrokerUser]:
        return {one.username.partition("_")[0]: one for one in self.house.broker_users}

    def as_node(self, config: NodeConfig) -> TestClient:
        client = a_client(self.app)
        client.headers["Authorization"] = f"Bearer {config.api_token}"
        return client


@pytest.fixture
def scene(app: FastAPI, database: Database, tmp_path: Path) -> Iterator[Scene]:
    made = Scene(app, database, tmp_path)
    yield made
    made.broker.stop()


def test_one_token_makes_a_pole(scene: Scene, database: Database) -> None:
    config = scene.add()
    assert (config.site, config.node, config.name) == ("xa-minh-tan", "dong-tam-2", "Đồng Tâm 2")
    assert config.place_path == (scene.commune.id, scene.village.id)
    with database.read() as session:
        node = session.get_one(Node, config.node)
    assert keys.public_to_base64(keys.private_from_base64(config.private_key)) == node.public_key
    root = TrustRoot.from_bytes(envelope.from_dict(config.trust_root).payload)
    assert root.server_key == keys.public_to_base64(scene.house.keys.server)
    assert config.brokers[0].username == f"{config.node}_1"
    assert config.server == scene.house.public_url


def test_the_secrets_of_a_node_are_told_once(scene: Scene, database: Database) -> None:
    config = scene.add()
    told = scene.desk.get(f"/api/v1/nodes/{config.node}").text
    with database.read() as session:
        stored = session.get_one(Node, config.node).model_dump_json()
    for secret in (config.private_key, config.api_token):
        assert secret not in told
        assert secret not in stored
    assert config.brokers[0].password not in told


def test_a_new_node_may_join_the_broker_with_its_places_and_zones_and_nothing_else(scene: Scene) -> None:
    config = scene.add()
    assert scene.users()[config.node].rights == node_rights(
        "xa-minh-tan", config.node, (scene.commune.id, scene.village.id))
    zone = scene.desk.post(f"/api/v1/places/{scene.commune.id}/zones",
                           json={"name": "Trung tâm", "node_ids": [config.node]}).json()
    assert scene.users()[config.node].rights == node_rights(
        "xa-minh-tan", config.node, (scene.commune.id, scene.village.id, zone["id"]))
    scene.desk.delete(f"/api/v1/places/{scene.commune.id}/zones/{zone['id']}")
    scene.desk.patch(f"/api/v1/nodes/{config.node}", json={"place_id": scene.other.id})
    assert scene.users()[config.node].rights == node_rights(
        "xa-minh-tan", config.node, (scene.commune.id, scene.other.id))


def test_every_change_of_poles_wakes_the_conductor_once_it_is_stored(scene: Scene) -> None:
    woken: list[int] = []
    scene.house.nudge = lambda: woken.append(1)
    config = scene.add()
    scene.desk.patch(f"/api/v1/nodes/{config.node}", json={"volume": 60})
    scene.desk.patch(f"/api/v1/nodes/{config.node}", json={"volume": 101})
    assert woken == [1, 1, 1], "added, enrolled, changed; what was refused wakes nobody"


def test_a_new_controller_cuts_the_old_one_off_when_it_comes(scene: Scene, database: Database) -> None:
    old = scene.add()
    answer = scene.desk.post(f"/api/v1/nodes/{old.node}/enrolment", json={"hours": 24})
    assert answer.status_code == 201, answer.text
    assert scene.as_node(old).get("/nodes/me/trust").status_code == 200, "what runs goes on until then"
    new = enrolled(scene.app, answer.json()["token"], scene.folder / "new.json")
    user = scene.users()[old.node]
    assert (user.password, user.client_id) == (new.brokers[0].password, new.brokers[0].client_id)
    assert user.password != old.brokers[0].password
    assert scene.as_node(old).get("/nodes/me/trust").status_code == 401
    assert scene.as_node(new).get("/nodes/me/trust").status_code == 200
    assert new.node == old.node
    assert new.private_key != old.private_key


def test_a_retired_node_is_out_and_what_it_had_not_told_is_unknown_by_name(scene: Scene, database: Database) -> None:
    config = scene.add()
    with database.work() as session:
        session.add(Broadcast(id="b1", place_id=scene.commune.id, title="Bản tin", start=START - timedelta(hours=1),
                              latest_start=START, planned_end=START, created_at=START))
        session.flush()
        session.add(Playback(node_id=config.node, broadcast_id="b1", start=START - timedelta(hours=1),
                             updated_at=START))
    answer = scene.desk.post(f"/api/v1/nodes/{config.node}/retire")
    assert answer.json()["retired_at"] is not None
    assert config.node not in scene.users()
    assert scene.as_node(config).get("/nodes/me/order").status_code == 401
    with database.read() as session:
        playback = session.get_one(Playback, (config.node, "b1"))
    assert (playback.state, playback.closed_by) == (PlaybackState.UNKNOWN, scene.technician.id)
    assert scene.desk.post(f"/api/v1/nodes/{config.node}/retire").status_code == 409
    assert scene.desk.get("/api/v1/nodes").json() == []
    assert len(scene.desk.get("/api/v1/nodes?retired=true").json()) == 1


def test_a_node_fetches_its_own_order_and_trust_with_its_own_token(scene: Scene, database: Database) -> None:
    first, second = scene.add("Loa 1"), scene.add("Loa 2")
    with database.work() as session:
        for config in (first, second):
            session.add(Order(node_id=config.node, epoch=1, version=1, content_hash="", issued=START, expires=START,
                              envelope=f"order of {config.node}".encode()))
    assert scene.as_node(first).get("/nodes/me/order").content == b"order of loa-1"
    assert scene.as_node(second).get("/nodes/me/order").content == b"order of loa-2"
    assert TrustBundle.from_bytes(scene.as_node(first).get("/nodes/me/trust").content).root == first.trust_root
    assert a_client(scene.app).get("/nodes/me/order").status_code == 401
    assert scene.desk.get("/nodes/me/order").status_code == 401, "a person is no node"
    assert scene.as_node(first).get("/api/v1/nodes").status_code == 401, "a node is no person"


def test_the_node_page_shows_wanted_against_held_history_and_recordings(scene: Scene, database: Database) -> None:
    config = scene.add()
    with database.work() as session:
        session.add(Order(node_id=config.node, epoch=1, version=7, content_hash="", issued=START, expires=START,
                          envelope=b"x"))
        for minutes in (0, 5, 60 * 24 * 8):
            session.add(NodeHistory(node_id=config.node, bucket=START - timedelta(minutes=minutes), heartbeats=7))
        session.add(HeldRecording(node_id=config.node, sha256="a" * 64, stored_at=START))
    path = f"/api/v1/nodes/{config.node}"
    told = scene.desk.get(path).json()
    assert (told["wanted_epoch"], told["wanted_version"], told["state"]["held_version"]) == (1, 7, 0)
    assert [one["heartbeats"] for one in scene.desk.get(f"{path}/history").json()] == [7, 7]
    assert [one["sha256"] for one in scene.desk.get(f"{path}/recordings").json()] == ["a" * 64]


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.ADMINISTRATOR, Role.TECHNICIAN)])
def test_other_roles_add_no_node(scene: Scene, database: Database, role: Role) -> None:
    with database.work() as session:
        user = a_user(session, role, scene.commune)
    answer = a_client(scene.app, user).post("/api/v1/nodes", json={"place_id": scene.village.id, "name": "Loa"})
    assert answer.status_code == 403


def test_nodes_elsewhere_are_not_seen(scene: Scene, database: Database) -> None:
    with database.work() as session:
        far = a_node(session, a_commune(session, "Xã khác"))
    assert scene.desk.get(f"/api/v1/nodes/{far.id}").status_code == 403
    assert far.id not in {one["id"] for one in scene.desk.get("/api/v1/nodes").json()}


@pytest.mark.parametrize("change", [{"name": "  "}, {"volume": 101}, {"languages": ["Việt"]}, {"latitude": 91}])
def test_what_cannot_be_is_refused(scene: Scene, change: dict[str, Any]) -> None:
    answer = scene.desk.post("/api/v1/nodes", json={"place_id": scene.village.id, "name": "Loa", **change})
    assert answer.status_code == 422
    assert scene.desk.get("/api/v1/nodes").json() == []


def test_two_nodes_of_one_place_do_not_share_a_name(scene: Scene) -> None:
    scene.add("Loa 1")
    answer = scene.desk.post("/api/v1/nodes", json={"place_id": scene.village.id, "name": "LOA 1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")


def test_a_zone_takes_only_nodes_of_its_place(scene: Scene, database: Database) -> None:
    with database.work() as session:
        far = a_node(session, a_commune(session, "Xã khác"))
    answer = scene.desk.post(f"/api/v1/places/{scene.commune.id}/zones", json={"name": "Nhóm", "node_ids": [far.id]})
    assert (answer.status_code, answer.json()["field"]) == (422, "node_ids")


def test_the_brokers_users_are_read_from_the_database_in_two_queries(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        nodes = [a_node(session, commune, f"Loa {number}") for number in range(20)]
        zone = a_zone(session, commune, *nodes[:2])
        users = {one.username: one for one in rights.broker_users(session, "s")}
    assert set(users) == {one.id for one in nodes}
    assert users[nodes[0].id].rights == node_rights("s", nodes[0].id, (commune.id, zone.id))
    assert users[nodes[5].id].rights == node_rights("s", nodes[5].id, (commune.id,))
