"""Keys and trust: what waits, who signs it, and what will end."""

import base64
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from firmware_bridge.contract import envelope
from firmware_bridge.contract.documents import ApproverList, TrustRoot
from firmware_bridge.contract.keys import key_id, new_key, public_to_base64
from loudspeaker.conductor.trust_state import watch_trust
from loudspeaker.faults.models import Fault, FaultState
from loudspeaker.trust.service import held_list, held_root
from loudspeaker.users.models import Role, User
from tests.loudspeaker.authority import AUTHORITY, ROOT, authority_signs, root_keys_sign
from tests.loudspeaker.builders import a_user
from tests.loudspeaker.commune import Commune, give_key

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def a_newcomer(commune: Commune) -> tuple[User, str]:
    """An approver with a key that nobody has proposed yet, and the key's id."""
    with commune.house.database.work() as session:
        user = a_user(session, Role.APPROVER, commune.place, "Vũ Thị Hạnh")
    name = key_id(public_to_base64(give_key(commune, user, listed=False)))
    return user, name


def page(client: TestClient) -> str:
    answer = client.get("/trust")
    assert answer.status_code == 200, answer.text
    return answer.text


def statement(client: TestClient, of: str = "approvers", **wanted: object) -> bytes:
    told = (client.get("/api/v1/trust/approvers/statement") if of == "approvers"
            else client.post("/api/v1/trust/root/statement", json=wanted))
    assert told.status_code == 200, told.text
    return base64.b64decode(told.json()["payload"])


def test_a_proposed_key_waits_on_the_page_until_the_authority_signs(commune: Commune) -> None:
    client = commune.client(commune.administrator)
    _, name = a_newcomer(commune)
    client.post(f"/api/v1/signing-keys/{name}/list", json={"place_id": commune.place.id})
    assert "Vũ Thị Hạnh" in page(client)
    payload = statement(client)
    signed = envelope.sign(ApproverList.TYPE, payload, AUTHORITY)
    assert client.post("/api/v1/trust/approvers", json={"envelope": envelope.to_dict(signed)}).status_code == 200
    with commune.house.database.read() as session:
        listed = held_list(session)
    assert listed is not None
    assert name in {key_id(one.public_key) for one in listed.approvers}
    again = client.post("/api/v1/trust/approvers", json={"envelope": envelope.to_dict(signed)})
    assert again.status_code == 409, "the same list is not taken twice"


def test_an_authority_signs_only_what_was_drawn_up_and_nobody_else_signs(commune: Commune) -> None:
    client = commune.client(commune.administrator)
    payload = statement(client)
    emptied = ApproverList.from_bytes(payload).model_copy(update={"approvers": ()}).sign(AUTHORITY)
    strangers = envelope.sign(ApproverList.TYPE, payload, new_key())
    for given, status in ((emptied, 409), (strangers, 422)):
        answer = client.post("/api/v1/trust/approvers", json={"envelope": envelope.to_dict(given)})
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize("path", ["/trust", "/api/v1/trust", "/api/v1/trust/approvers/statement"])
def test_it_is_for_administrators_and_authorities(commune: Commune, path: str) -> None:
    for person in (commune.editor, commune.approver):
        assert commune.client(person).get(path).status_code == 403
    assert commune.client(commune.administrator).get(path).status_code == 200


def test_the_chairman_becomes_authority_and_signs_without_being_administrator(commune: Commune) -> None:
    name = key_id(public_to_base64(commune.keys[commune.approver.id]))
    with commune.house.database.work() as session:
        root_keys_sign(session, commune.house, add_authority=name)
    chairman = commune.client(commune.approver)
    assert "Lê Văn Tùng" in page(chairman)
    signed = envelope.sign(ApproverList.TYPE, statement(chairman), commune.keys[commune.approver.id])
    assert chairman.post("/api/v1/trust/approvers", json={"envelope": envelope.to_dict(signed)}).status_code == 200
    with commune.house.database.work() as session:
        root = root_keys_sign(session, commune.house, drop_authority=key_id(public_to_base64(AUTHORITY)))
    assert [one.owner for one in root.place_authorities] == [commune.approver.id]


def test_the_root_is_changed_with_the_root_key_alone(commune: Commune) -> None:
    client = commune.client(commune.administrator)
    payload = statement(client, "root", owners_needed=[1, 1, 2], owners_needed_by_kind={"result": 2})
    for signer, status in ((AUTHORITY, 422), (ROOT, 200)):
        signed = envelope.sign(TrustRoot.TYPE, payload, signer)
        answer = client.post("/api/v1/trust/root", json={"envelope": envelope.to_dict(signed)})
        assert answer.status_code == status, answer.text
    with commune.house.database.read() as session:
        root = held_root(session)
    assert root is not None
    assert (root.version, root.owners_needed, root.owners_needed_by_kind) == (2, (1, 1, 2), {"result": 2})
    assert commune.client(commune.editor).post("/api/v1/trust/root/statement", json={}).status_code == 403


def test_a_new_server_key_ends_the_server_in_order(commune: Commune) -> None:
    ended: list[str] = []
    commune.house.stand_down = lambda: ended.append("stood down")
    client = commune.client(commune.administrator)
    signed = envelope.sign(TrustRoot.TYPE, statement(client, "root", new_server_key=True), ROOT)
    assert client.post("/api/v1/trust/root", json={"envelope": envelope.to_dict(signed)}).status_code == 200
    assert ended == ["stood down"]


def test_what_will_end_is_a_fault_once_and_closed_when_it_was_signed_anew(commune: Commune) -> None:
    house = commune.house

    def faults() -> list[str]:
        with house.database.work() as session:
            watch_trust(session, house)
            watch_trust(session, house)
            found = session.exec(select(Fault).where(Fault.state != FaultState.CLOSED)).all()
            return sorted(one.data["reason"] for one in found if one.data["count"] == 1)

    assert faults() == []
    commune.clock.forward(timedelta(days=360))
    assert faults() == ["approvers_expire"]
    with house.database.work() as session:
        authority_signs(session, house)
    assert faults() == []
    commune.clock.forward(timedelta(days=4 * 365 + 330))
    assert {"approvers_expire", "root_expires"} <= set(faults())
