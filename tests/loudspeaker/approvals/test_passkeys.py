"""Approving with a passkey: registered with proof, listed like any key, and bound to the pages of this server."""

import json
from dataclasses import replace
from typing import Any

import pytest

from firmware_bridge.contract import envelope
from firmware_bridge.contract.documents import RecordingStatement
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.passkeys import KeyKind
from firmware_bridge.contract.trust import read_recording
from loudspeaker.approvals.keys import PROOF_TYPE
from loudspeaker.trust.service import current_trust
from loudspeaker.users.models import Role, User
from tests.firmware_bridge.authenticator import Authenticator
from tests.loudspeaker.approvals.test_approving import hand_in, statement_of
from tests.loudspeaker.builders import a_user
from tests.loudspeaker.commune import Commune, list_key, listen, ready

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HERS = Authenticator("Ms Hạnh's telephone")
PAGE = {"Host": "loa.example.vn"}


def registration(authenticator: Authenticator, user: User, **other: str) -> dict[str, Any]:
    """What a browser sends to register a passkey; `other` replaces what it says of it."""
    binding = {"kind": authenticator.kind, "relying_party": authenticator.relying_party,
               "origin": authenticator.origin} | other
    said = json.dumps({"user": user.id, "public_key": authenticator.public_key} | binding).encode()
    return {"public_key": authenticator.public_key, "passkey": binding | {"credential_id": "c3VyZS1pdC1pcw"},
            "proof": envelope.to_dict(authenticator.sign(PROOF_TYPE, said))}


def approver(commune: Commune) -> User:
    """An approver without a key."""
    with commune.house.database.work() as session:
        return a_user(session, Role.APPROVER, commune.place, "Vũ Thị Hạnh")


def test_a_passkey_is_registered_listed_and_approves_what_a_pole_then_believes(commune: Commune) -> None:
    user, recording = approver(commune), ready(commune)
    made = commune.client(user).post("/api/v1/me/signing-keys", json=registration(HERS, user), headers=PAGE)
    assert (made.status_code, made.json()["kind"], made.json()["sealed"]) == (201, "passkey-es256", None), made.text
    list_key(commune, key_id(HERS.public_key))
    listen(commune, user, recording)
    said = statement_of(commune, recording)
    signed = HERS.sign(RecordingStatement.TYPE, said.to_bytes())
    answer = hand_in(commune, user, recording, signed)
    assert (answer.status_code, answer.json()["recording"]["state"]) == (201, "approved"), answer.text
    with commune.house.database.read() as session:
        trust = current_trust(session)
    assert read_recording(signed, trust, [commune.place.id], commune.clock()) == said


@pytest.mark.parametrize("other", [
    {"kind": KeyKind.PASSKEY_ED25519}, {"relying_party": "example.vn"}, {"origin": "https://loa.example.vn:8443"},
    {"origin": "http://loa.example.vn"}, {"origin": "https://loa.example.vn/"}, {"kind": KeyKind.ED25519}])
def test_a_passkey_of_other_pages_is_not_registered(commune: Commune, other: dict[str, str]) -> None:
    user = approver(commune)
    refused = commune.client(user).post("/api/v1/me/signing-keys", json=registration(HERS, user, **other), headers=PAGE)
    assert refused.status_code == 422


def test_a_passkey_is_registered_only_with_its_owners_proof(commune: Commune) -> None:
    user, good = approver(commune), registration(HERS, approver(commune))
    stranger = registration(replace(HERS, name="another telephone"), user)
    client = commune.client(user)
    assert client.post("/api/v1/me/signing-keys", json=good, headers=PAGE).status_code == 422
    mixed = registration(HERS, user) | {"proof": stranger["proof"]}
    assert client.post("/api/v1/me/signing-keys", json=mixed, headers=PAGE).status_code == 422
    assert client.post("/api/v1/me/signing-keys", json=registration(HERS, user)).status_code == 422
    assert client.post("/api/v1/me/signing-keys", json=registration(HERS, user), headers=PAGE).status_code == 201
