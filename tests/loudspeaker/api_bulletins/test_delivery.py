"""What nodes and people may fetch of a sound, whole and in part."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from firmware_bridge.contract import envelope, trust
from firmware_bridge.contract.documents import AirClass
from loudspeaker.approvals import service
from loudspeaker.conductor.holders import holders_of
from loudspeaker.conductor.shelf import Shelf
from loudspeaker.nodes.models import HeldRecording, NodeState
from loudspeaker.orders.models import Order
from loudspeaker.trust.service import current_trust
from tests.loudspeaker.builders import a_client, a_node
from tests.loudspeaker.commune import Commune, approved, listen, need_owners, ready, sign, write_bulletin


@pytest.fixture
def node(commune: Commune) -> TestClient:
    """A node of the village, with its token."""
    with commune.house.database.work() as session:
        a_node(session, commune.village, node_id="cum-loa-1", token="node-secret")
    client = a_client(commune.app)
    client.headers["Authorization"] = "Bearer node-secret"
    return client


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("asked", "status", "part"), [
    ("bytes=0-99", 206, slice(0, 100)), ("bytes=100-", 206, slice(100, None)), ("bytes=-50", 206, slice(-50, None)),
    ("bytes=7990-9000", 206, slice(7990, None)), ("bytes=0-0", 206, slice(0, 1)), ("", 200, slice(None)),
    ("bytes=0-7999", 200, slice(None)), ("bytes=5-4", 200, slice(None)), ("bytes=0-1,5-6", 200, slice(None)),
    ("lines=1-2", 200, slice(None)), ("bytes=-", 200, slice(None))])
@pytest.mark.parametrize("item_bytes", [100, 1_000_000])
def test_any_part_can_be_fetched_from_memory_or_disk(
        commune: Commune, node: TestClient, asked: str, status: int, part: slice, item_bytes: int) -> None:
    _, statement = approved(commune)
    commune.house.shelf = Shelf(commune.house.store, item_bytes=item_bytes)
    whole = commune.house.store.path_of(statement.recording).read_bytes()
    answer = node.get(f"/recordings/{statement.recording}", headers={"Range": asked} if asked else {})
    assert (answer.status_code, answer.content) == (status, whole[part])
    assert answer.headers["ETag"] == f'"{statement.recording}"'
    assert answer.headers["Content-Length"] == str(len(whole[part]))
    if status == 206:
        start = part.indices(len(whole))[0]
        assert answer.headers["Content-Range"] == f"bytes {start}-{start + len(whole[part]) - 1}/{len(whole)}"


def test_a_part_that_is_not_there_is_refused(commune: Commune, node: TestClient) -> None:
    _, statement = approved(commune)
    answer = node.get(f"/recordings/{statement.recording}", headers={"Range": "bytes=8000-"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */8000")


def test_if_range_holds_only_for_the_same_bytes(commune: Commune, node: TestClient) -> None:
    _, statement = approved(commune)
    address, part = f"/recordings/{statement.recording}", {"Range": "bytes=10-"}
    assert node.get(address, headers=part | {"If-Range": f'"{statement.recording}"'}).status_code == 206
    assert node.get(address, headers=part | {"If-Range": '"another"'}).status_code == 200
    assert node.get(address, headers={"If-None-Match": f'"{statement.recording}"'}).status_code == 304
    head = node.head(address)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "8000", b"")


def test_only_nodes_fetch_and_only_what_is_approved(commune: Commune, node: TestClient) -> None:
    waiting = ready(commune)
    sha256 = commune.client(commune.editor).get(f"/api/v1/recordings/{waiting}").json()["sha256"]
    for path in (f"/recordings/{sha256}", f"/recordings/{sha256}/statement"):
        assert node.get(path).status_code == 404
    _, statement = approved(commune)
    for client in (a_client(commune.app), commune.client(commune.administrator)):
        assert client.get(f"/recordings/{statement.recording}").status_code == 401
    assert node.get("/recordings/../../etc/passwd").status_code == 404
    assert node.get("/recordings/" + "A" * 64).status_code == 422
    assert node.get(f"/api/v1/recordings/{waiting}/audio").status_code == 401, "a node is not a person"


def test_the_statement_carries_all_its_approvers_signatures(commune: Commune, node: TestClient) -> None:
    admin = commune.client(commune.administrator)
    need_owners(commune, 1, 1, 2)
    recording = ready(commune, write_bulletin(commune, air_class=2, kind="emergency"))
    for user in (commune.approver, commune.second):
        listen(commune, user, recording)
        assert sign(commune, user, recording).status_code == 201
    sha256 = admin.get(f"/api/v1/recordings/{recording}").json()["sha256"]
    (told,) = node.get(f"/recordings/{sha256}/statement").json()
    with commune.house.database.read() as session:
        held = current_trust(session)
    believed = trust.read_recording(envelope.from_dict(told), held, commune.village.path_ids, commune.clock())
    assert believed.air_class is AirClass.EMERGENCY
    assert len(told["signatures"]) == 2


def test_a_revoked_sound_is_no_longer_handed_out_and_orders_carry_it(commune: Commune, node: TestClient) -> None:
    recording, statement = approved(commune)
    told: list[str] = []
    commune.house.nudge = lambda: told.append("outdated")
    client = commune.client(commune.approver)
    assert client.post(f"/api/v1/recordings/{recording}/revoke", json={"reason": ""}).status_code == 422
    assert client.post(f"/api/v1/recordings/{recording}/revoke", json={"reason": "Sai"}).json()["state"] == "revoked"
    assert told == ["outdated"]
    assert node.get(f"/recordings/{statement.recording}").status_code == 404
    assert node.get(f"/recordings/{statement.recording}/statement").status_code == 404
    with commune.house.database.read() as session:
        assert service.revoked_hashes(session, commune.clock()) == [statement.recording]
        assert service.revoked_hashes(session, commune.clock() + timedelta(days=366)) == []
    assert client.post(f"/api/v1/recordings/{recording}/revoke", json={"reason": "Sai"}).status_code == 409


def test_it_is_shown_which_nodes_still_hold_what_was_revoked(commune: Commune, node: TestClient) -> None:
    recording, statement = approved(commune)
    with commune.house.database.work() as session:
        a_node(session, commune.village, "Cụm loa 2", node_id="cum-loa-2")
        for name in ("cum-loa-1", "cum-loa-2"):
            session.add(HeldRecording(node_id=name, sha256=statement.recording, stored_at=commune.clock()))
    client = commune.client(commune.approver)
    commune.clock.forward(timedelta(minutes=1))
    client.post(f"/api/v1/recordings/{recording}/revoke", json={"reason": "Sai"})
    with commune.house.database.work() as session:
        for name, held in (("cum-loa-1", 7), ("cum-loa-2", 6)):
            session.add(Order(node_id=name, epoch=1, version=7, content_hash="", envelope=b"", issued=commune.clock(),
                              expires=commune.clock() + timedelta(days=1)))
            state = session.get_one(NodeState, name)
            state.held_epoch, state.held_version = 1, held
            session.add(state)
    shown = client.get(f"/api/v1/recordings/{recording}/holders").json()
    assert [(one["node_id"], one["told"]) for one in shown] == [("cum-loa-2", False), ("cum-loa-1", True)]
    with commune.house.database.read() as session:
        assert holders_of(session, "0" * 64) == []


def test_an_approver_hears_what_waits_and_an_outsider_nothing(commune: Commune) -> None:
    recording = ready(commune)
    address = f"/api/v1/recordings/{recording}/audio"
    assert commune.client(commune.approver).get(address, headers={"Range": "bytes=0-9"}).status_code == 206
    assert commune.client(commune.editor).get(address).status_code == 200
    assert a_client(commune.app).get(address).status_code == 401


def test_a_sound_whose_file_is_gone_is_a_clear_error(commune: Commune, node: TestClient) -> None:
    _, statement = approved(commune)
    commune.house.store.remove(statement.recording)
    commune.house.shelf = Shelf(commune.house.store)
    assert node.get(f"/recordings/{statement.recording}").json()["code"] == "not_found"


def test_the_shelf_keeps_only_so_much_and_the_latest_asked(commune: Commune) -> None:
    names = [approved(commune)[1].recording for _ in range(3)]
    store = commune.house.store
    shelf = Shelf(store, shelf_bytes=16_000)
    for name in (*names[:2], names[0], names[2]):
        sheet = shelf.fetch(name)
        assert sheet is not None
        assert sheet.data[:] == store.path_of(name).read_bytes()
    assert [shelf.held(name) is not None for name in names] == [True, False, True]
    assert Shelf(store, item_bytes=10).fetch(names[0]) is None
