"""Who may approve what, with which signature."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from threading import Barrier
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import select

from firmware_bridge.contract import envelope, keys
from firmware_bridge.contract.documents import AirClass, RecordingStatement
from loudspeaker.approvals.keys import PROOF_TYPE
from loudspeaker.approvals.models import Approval, SigningKey
from loudspeaker.audit.models import AuditEntry
from loudspeaker.bulletins.models import Recording
from loudspeaker.users.models import Role, User
from tests.loudspeaker.authority import authority_signs
from tests.loudspeaker.builders import a_commune, a_user, grant
from tests.loudspeaker.commune import (
    Commune,
    give_key,
    list_key,
    listen,
    need_owners,
    ready,
    registration,
    sign,
    write_bulletin,
)

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def recording(commune: Commune) -> str:
    """A recording that waits for approval."""
    return ready(commune)


def statement_of(commune: Commune, recording: str) -> RecordingStatement:
    answer = commune.client(commune.approver).get(f"/api/v1/recordings/{recording}/statement").json()
    return RecordingStatement.from_bytes(base64.b64decode(answer["payload"]))


def hand_in(commune: Commune, user: User, recording: str, signed: envelope.Envelope) -> Any:
    return commune.client(user).post(f"/api/v1/recordings/{recording}/approvals",
                                     json={"envelope": envelope.to_dict(signed)})


def state_of(commune: Commune, recording: str) -> str:
    with commune.house.database.read() as session:
        assert session.exec(select(Approval)).all() == []
        return session.get_one(Recording, recording).state


def test_the_statement_says_everything_that_is_approved(commune: Commune, recording: str) -> None:
    said = statement_of(commune, recording)
    seen = commune.client(commune.editor).get(f"/api/v1/recordings/{recording}").json()
    assert (said.site, said.place, said.author) == ("xa-minh-tan", commune.place.id, commune.editor.id)
    assert (said.recording, said.bytes, said.duration_ms) == (seen["sha256"], seen["size_bytes"], seen["duration_ms"])
    assert (said.title, said.kind, said.language, said.air_class) == ("Thông báo tiêm phòng", "notice", "vi", 0)
    assert (said.valid_until - said.valid_from).days == 365


def test_nobody_approves_what_they_have_not_heard(commune: Commune, recording: str) -> None:
    answer = sign(commune, commune.approver, recording)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_heard")
    assert state_of(commune, recording) == "ready"


@ONE_DATABASE
@pytest.mark.parametrize(("wrote", "recorded"), list(product([True, False], repeat=2)))
def test_an_author_never_approves_whatever_else_they_are(commune: Commune, wrote: bool, recorded: bool) -> None:
    with commune.house.database.work() as session:
        both = a_user(session, Role.EDITOR, commune.place, "Kiêm Nhiệm")
        for role in (Role.APPROVER, Role.ADMINISTRATOR, Role.TECHNICIAN, Role.AUDITOR):
            grant(session, both, role, commune.place)
    commune.keys[both.id] = give_key(commune, both)
    bulletin = write_bulletin(commune, both if wrote else commune.editor)
    recording = ready(commune, bulletin, both if recorded else commune.editor)
    listen(commune, both, recording)
    answer = sign(commune, both, recording)
    if wrote or recorded:
        assert (answer.status_code, answer.json()["code"]) == (403, "own_approval")
        assert state_of(commune, recording) == "ready"
    else:
        assert answer.json()["recording"]["state"] == "approved"


@ONE_DATABASE
@pytest.mark.parametrize("role", [one for one in Role if one is not Role.APPROVER])
def test_only_approvers_of_the_place_approve(commune: Commune, role: Role) -> None:
    recording = ready(commune)
    with commune.house.database.work() as session:
        here = a_user(session, role, commune.place)
        elsewhere = a_user(session, Role.APPROVER, a_commune(session, "Xã Khác"))
    payload = statement_of(commune, recording)
    key = commune.keys[commune.approver.id]
    for person in (here, elsewhere):
        client = commune.client(person)
        assert client.get(f"/api/v1/recordings/{recording}/statement").status_code in (403, 404)
        assert hand_in(commune, person, recording, payload.sign(key)).status_code in (403, 404)
        for act in ("send-back", "revoke"):
            done = client.post(f"/api/v1/recordings/{recording}/{act}", json={"reason": "Sai"})
            assert done.status_code in (403, 404)
    assert state_of(commune, recording) == "ready"


def test_an_altered_statement_is_refused(commune: Commune, recording: str) -> None:
    listen(commune, commune.approver, recording)
    key, said = commune.keys[commune.approver.id], statement_of(commune, recording)
    changes = ({"air_class": AirClass.EMERGENCY}, {"title": "Khác"}, {"recording": "0" * 64}, {"author": "else"})
    for change in changes:
        answer = hand_in(commune, commune.approver, recording, said.model_copy(update=change).sign(key))
        assert (answer.status_code, answer.json()["code"]) == (422, "altered")
    spaced = envelope.sign(RecordingStatement.TYPE, json.dumps(json.loads(said.to_bytes())).encode(), key)
    assert hand_in(commune, commune.approver, recording, spaced).json()["code"] == "altered"
    assert state_of(commune, recording) == "ready"


def test_a_broken_or_foreign_signature_is_refused(commune: Commune, recording: str) -> None:
    listen(commune, commune.approver, recording)
    said, key = statement_of(commune, recording), commune.keys[commune.approver.id]
    good = said.sign(key)
    broken = envelope.Envelope(good.payload_type, good.payload, (
        envelope.Signature(good.signatures[0].key_id, bytes(64)),))
    cases = [
        (broken, "bad_signature"),
        (said.sign(keys.new_key()), "foreign_key"),
        (said.sign(commune.keys[commune.second.id]), "foreign_key"),
        (said.sign(key, commune.keys[commune.second.id]), "malformed"),
        (envelope.sign("text/plain", said.to_bytes(), key), "wrong_type"),
    ]
    for signed, code in cases:
        assert hand_in(commune, commune.approver, recording, signed).json()["code"] == code
    address = f"/api/v1/recordings/{recording}/approvals"
    junk = commune.client(commune.approver).post(address, json={"envelope": {"a": 1}})
    assert junk.json()["code"] == "malformed"
    assert state_of(commune, recording) == "ready"


def test_a_key_counts_only_once_it_is_listed(commune: Commune, recording: str) -> None:
    with commune.house.database.work() as session:
        new = a_user(session, Role.APPROVER, commune.place, "Người Mới")
    key = give_key(commune, new, listed=False)
    listen(commune, new, recording)
    assert sign(commune, new, recording, key).json()["code"] == "foreign_key"
    assert state_of(commune, recording) == "ready"


def test_a_key_listed_below_does_not_count_above(commune: Commune) -> None:
    recording = ready(commune)
    with commune.house.database.work() as session:
        new = a_user(session, Role.APPROVER, commune.place, "Trưởng Thôn")
    key = give_key(commune, new, listed=False)
    name = keys.key_id(keys.public_to_base64(key))
    list_key(commune, name, commune.village)
    listen(commune, new, recording)
    assert sign(commune, new, recording, key).json()["code"] == "wrong_place"


def need_two(commune: Commune) -> None:
    need_owners(commune, 2, 2, 2)


def test_where_two_are_needed_one_is_not_enough(commune: Commune, recording: str) -> None:
    need_two(commune)
    for user, state in ((commune.approver, "ready"), (commune.second, "approved")):
        listen(commune, user, recording)
        outcome = sign(commune, user, recording).json()
        assert outcome["recording"]["state"] == state
    assert (outcome["signed"], outcome["needed"]) == (2, 2)


def test_two_who_sign_at_the_same_moment_see_each_other(commune: Commune, recording: str) -> None:
    need_two(commune)
    for user in (commune.approver, commune.second):
        listen(commune, user, recording)
    together = Barrier(2)

    def at_once(user: User) -> int:
        together.wait()
        return int(sign(commune, user, recording).status_code)

    with ThreadPoolExecutor(2) as both:
        assert list(both.map(at_once, (commune.approver, commune.second))) == [201, 201]
    assert commune.client(commune.editor).get(f"/api/v1/recordings/{recording}").json()["state"] == "approved"


def test_two_keys_of_one_owner_are_one_owner(commune: Commune, recording: str) -> None:
    need_two(commune)
    other = give_key(commune, commune.approver)
    listen(commune, commune.approver, recording)
    assert sign(commune, commune.approver, recording).json()["recording"]["state"] == "ready"
    again = sign(commune, commune.approver, recording, other)
    assert (again.status_code, again.json()["code"]) == (409, "signed_already")
    with commune.house.database.read() as session:
        assert session.get_one(Recording, recording).state == "ready"


def test_sending_back_needs_a_reason_and_ends_it(commune: Commune, recording: str) -> None:
    client = commune.client(commune.approver)
    empty = client.post(f"/api/v1/recordings/{recording}/send-back", json={"reason": "  "})
    assert (empty.status_code, empty.json()["field"]) == (422, "reason")
    done = client.post(f"/api/v1/recordings/{recording}/send-back", json={"reason": "Đọc sai ngày tiêm."})
    assert done.json()["state"] == "returned"
    listen_again = client.post(f"/api/v1/recordings/{recording}/heard", json={"intervals": [[0, 100]]})
    assert listen_again.status_code == 409
    assert sign(commune, commune.approver, recording).json()["code"] == "not_waiting"
    bulletin = done.json()["bulletin_id"]
    steps = commune.client(commune.editor).get(f"/api/v1/bulletins/{bulletin}/history").json()
    assert [(one["kind"], one["user_name"], one["reason"]) for one in steps] == [
        ("added", "Nguyễn Thị Hoa", ""), ("sent_back", "Lê Văn Tùng", "Đọc sai ngày tiêm.")]


def test_a_changed_recording_is_a_new_one_and_not_approved(commune: Commune, recording: str) -> None:
    listen(commune, commune.approver, recording)
    assert sign(commune, commune.approver, recording).status_code == 201
    bulletin = commune.client(commune.editor).get(f"/api/v1/recordings/{recording}").json()["bulletin_id"]
    changed = ready(commune, bulletin)
    assert changed != recording
    assert commune.client(commune.editor).get(f"/api/v1/recordings/{changed}").json()["state"] == "ready"
    assert sign(commune, commune.approver, changed).json()["code"] == "not_heard"


def test_what_was_signed_cannot_be_rewritten(commune: Commune, recording: str) -> None:
    client = commune.client(commune.editor)
    bulletin = client.get(f"/api/v1/recordings/{recording}").json()["bulletin_id"]
    refused = client.put(f"/api/v1/bulletins/{bulletin}", json={"title": "Khác", "kind": "notice"})
    assert refused.status_code == 409
    script = {"title": "Thông báo tiêm phòng", "kind": "notice", "script": "Kính thưa bà con."}
    assert client.put(f"/api/v1/bulletins/{bulletin}", json=script).status_code == 200


def test_the_queue_shows_what_waits_and_what_is_ones_own(commune: Commune, recording: str) -> None:
    (waiting,) = commune.client(commune.approver).get("/api/v1/approvals").json()
    assert (waiting["recording"]["id"], waiting["own"], waiting["complete"]) == (recording, False, False)
    listen(commune, commune.approver, recording)
    (waiting,) = commune.client(commune.approver).get("/api/v1/approvals").json()
    assert waiting["complete"]
    sign(commune, commune.approver, recording)
    assert commune.client(commune.approver).get("/api/v1/approvals").json() == []
    assert commune.client(commune.editor).get("/api/v1/approvals").json() == []


def test_a_key_is_registered_only_with_its_owners_proof(commune: Commune) -> None:
    client, key = commune.client(commune.approver), keys.new_key()
    good = registration(key, commune.approver)
    for wrong in (registration(key, commune.second),
                  good | {"public_key": keys.public_to_base64(keys.new_key())},
                  good | {"proof": {"payloadType": "x"}},
                  good | {"public_key": "not a key"},
                  good | {"sealed": {"blob": "x" * 20_000}},
                  good | {"proof": claimed(key, keys.new_key(), commune.approver)},
                  good | {"proof": claimed(key, key, commune.approver, "text/plain")}):
        assert client.post("/api/v1/me/signing-keys", json=wrong).status_code == 422
    assert client.post("/api/v1/me/signing-keys", json=good).status_code == 201
    assert client.post("/api/v1/me/signing-keys", json=good).status_code == 409
    assert commune.client(commune.editor).post(
        "/api/v1/me/signing-keys", json=registration(keys.new_key(), commune.editor)).status_code == 403


def claimed(key: Ed25519PrivateKey, signer: Ed25519PrivateKey, user: User, kind: str = PROOF_TYPE) -> dict[str, Any]:
    """A proof that says the right thing, by the wrong key or as something else."""
    payload = json.dumps({"user": user.id, "public_key": keys.public_to_base64(key)}).encode()
    return envelope.to_dict(envelope.sign(kind, payload, signer))


def test_the_sealed_half_is_only_for_its_owner_and_may_be_sealed_anew(commune: Commune) -> None:
    client = commune.client(commune.approver)
    (mine,) = client.get("/api/v1/me/signing-keys").json()
    assert mine["sealed"]["ciphertext"] == "…"
    of_place = commune.client(commune.administrator).get(f"/api/v1/signing-keys?place_id={commune.place.id}").json()
    assert {one["owner_name"] for one in of_place} == {"Lê Văn Tùng", "Trần Thị Mai"}
    assert all("sealed" not in one for one in of_place)
    sealed = {"version": 1, "public_key": mine["public_key"], "ciphertext": "anew"}
    address = f"/api/v1/me/signing-keys/{mine['id']}"
    assert commune.client(commune.second).put(address, json={"sealed": sealed}).status_code == 404
    assert client.put(address, json={"sealed": sealed}).json()["sealed"] == sealed


def test_only_an_administrator_lists_keys_and_only_of_approvers(commune: Commune) -> None:
    with commune.house.database.work() as session:
        new = a_user(session, Role.APPROVER, commune.place, "Người Mới")
        strange = a_commune(session, "Xã Khác")
    name = keys.key_id(keys.public_to_base64(give_key(commune, new, listed=False)))
    for person in (commune.approver, commune.editor, new):
        refused = commune.client(person).post(f"/api/v1/signing-keys/{name}/list", json={"place_id": commune.place.id})
        assert refused.status_code == 403
    admin = commune.client(commune.administrator)
    assert admin.post(f"/api/v1/signing-keys/{name}/list", json={"place_id": strange.id}).status_code == 403
    assert admin.post(f"/api/v1/signing-keys/{name}/list", json={"place_id": commune.place.id}).status_code == 200
    assert listed_keys(commune) == (2, 1), "it waits for the place authority"
    with commune.house.database.work() as session:
        authority_signs(session, commune.house)
    assert listed_keys(commune) == (3, 0)


def listed_keys(commune: Commune) -> tuple[int, int]:
    """Keys on the list, and those that wait."""
    told = commune.client(commune.administrator).get("/api/v1/trust").json()
    return len(told["approvers"]), len(told["waiting"])


def test_a_revoked_key_takes_its_approvals_with_it(commune: Commune, recording: str) -> None:
    listen(commune, commune.approver, recording)
    sign(commune, commune.approver, recording)
    with commune.house.database.read() as session:
        key = session.exec(select(SigningKey).where(SigningKey.user_id == commune.approver.id)).one()
    told: list[str] = []
    commune.house.nudge = lambda: told.append("outdated")
    admin = commune.client(commune.administrator)
    assert admin.post(f"/api/v1/signing-keys/{key.id}/revoke", json={"reason": " "}).status_code == 422
    done = admin.post(f"/api/v1/signing-keys/{key.id}/revoke", json={"reason": "Mất điện thoại"})
    assert done.json() == {"reopened": [recording]}
    assert told == ["outdated"]
    assert state_of(commune, recording) == "ready"
    assert sign(commune, commune.approver, recording).json()["code"] == "revoked"
    assert [one["act"] for one in admin.get("/api/v1/trust").json()["waiting"]] == ["revoke"]
    with commune.house.database.work() as session:
        assert authority_signs(session, commune.house).revoked == (key.id,)
    assert admin.get("/api/v1/trust").json()["waiting"] == []


def test_every_step_stands_in_the_audit_log_and_no_secret_does(commune: Commune, recording: str) -> None:
    listen(commune, commune.approver, recording)
    sign(commune, commune.approver, recording)
    with commune.house.database.read() as session:
        entries = session.exec(select(AuditEntry)).all()
    acts = {one.act for one in entries}
    assert acts >= {"bulletin.create", "recording.add", "recording.ready", "recording.heard", "recording.sign",
                    "recording.approve", "signing_key.register", "signing_key.list", "trust.root"}
    written = json.dumps([one.data for one in entries])
    assert "ciphertext" not in written
    assert private_half(commune.keys[commune.approver.id]) not in written


def private_half(key: Ed25519PrivateKey) -> str:
    return keys.private_to_base64(key)
