"""The public log over HTTP, without signing in: what was signed stands there and is proved; and what nodes carry."""

import base64
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from firmware_bridge.contract import envelope, merkle
from firmware_bridge.contract.documents import ApproverList, RecordingStatement, TreeHead, TrustRoot
from firmware_bridge.contract.envelope import good_signers
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.messages import Held, Hello, LogHead
from loudspeaker.conductor.transparency import findings_of_heads, log_what_is_missing, to_carry
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.transparency import service as log
from tests.loudspeaker.commune import Commune, approved

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ADDRESS = "/api/v1/transparency"


def test_whatever_people_signed_stands_in_the_log_and_is_proved_to_anybody(commune: Commune) -> None:
    _, said = approved(commune)
    anybody = TestClient(commune.app)
    told = anybody.get(f"{ADDRESS}/head").json()
    signed = envelope.from_dict(told["head"])
    head = TreeHead.from_bytes(signed.payload)
    assert good_signers(signed, {key_id(told["server_key"]): told["server_key"]})
    entries = anybody.get(f"{ADDRESS}/entries").json()
    assert len(entries) == head.size
    assert {TrustRoot.TYPE, ApproverList.TYPE, RecordingStatement.TYPE} <= {one["payload_type"] for one in entries}
    for one in entries:
        leaf = base64.b64decode(one["entry"])
        proof = anybody.get(f"{ADDRESS}/entries/{one['position']}/proof?size={head.size}").json()["proof"]
        assert merkle.includes(leaf, one["position"], head.size, [bytes.fromhex(step) for step in proof],
                               bytes.fromhex(head.root))
    newest = envelope.decode(base64.b64decode(entries[-1]["entry"]))
    assert RecordingStatement.from_bytes(newest.payload) == said


def test_two_heads_are_proved_to_be_of_one_log(commune: Commune) -> None:
    anybody = TestClient(commune.app)
    before = TreeHead.from_bytes(envelope.from_dict(anybody.get(f"{ADDRESS}/head").json()["head"]).payload)
    approved(commune)
    after = anybody.get(f"{ADDRESS}/consistency?old={before.size}&new={before.size + 1}").json()
    assert merkle.goes_on(before.size, bytes.fromhex(before.root), before.size + 1, bytes.fromhex(after["root"]),
                          [bytes.fromhex(one) for one in after["proof"]])


@pytest.mark.parametrize("address", ["entries/99/proof?size=5", "entries/0/proof?size=9999",
                                     "consistency?old=2&new=999", "consistency?old=3&new=2"])
def test_what_is_not_there_is_not_found(commune: Commune, address: str) -> None:
    assert TestClient(commune.app).get(f"{ADDRESS}/{address}").status_code == 404


def test_the_page_shows_the_seal_to_anybody(commune: Commune) -> None:
    approved(commune)
    page = TestClient(commune.app).get("/transparency")
    assert page.status_code == 200
    with commune.house.database.read() as session:
        assert log.root(session, log.size(session)).hex() in page.text
    assert "Thông báo tiêm phòng" in page.text


def test_what_was_signed_before_there_was_a_log_enters_it_once(commune: Commune) -> None:
    with commune.house.database.work() as session:
        size = log.size(session)
        assert log_what_is_missing(session, commune.clock()) == 0
        assert log.size(session) == size


def hello(size: int, root: str) -> Hello:
    """A node that carries this head."""
    return Hello(boot="b", connection=1, journal="j", held=Held(log=LogHead(size=size, root=root)))


def test_a_node_that_carries_another_head_is_a_security_event_and_is_sent_none(commune: Commune) -> None:
    approved(commune)
    with commune.house.database.work() as session:
        size = log.size(session)
        good = hello(size - 1, log.root(session, size - 1).hex())
        forked, beyond = hello(size - 1, "0" * 64), hello(size + 1, "0" * 64)
        assert findings_of_heads(session, [("n", good)], {"n": "xa"}) == []
        found = [one.reason for each in (forked, beyond)
                 for one in findings_of_heads(session, [("n", each)], {"n": "xa"})]
        assert found == ["log_forked", "log_shrunk"]
        session.add(Node(id="n", place_id=commune.place.id, name="n", public_key="", client_id="n", broker_secret="",
                         api_token_hash="n", created_at=commune.clock()))
        session.flush()
        state = NodeState(node_id="n", held_log_size=size - 1, held_log_root="0" * 64)
        session.add(state)
        session.flush()
        tomorrow = commune.clock() + timedelta(days=1)
        assert to_carry(session, tomorrow)("n") == 0
        assert to_carry(session, tomorrow)("another") == size
