"""The offline keys of the first run: made in the browser, named by the first trust root, never told to the server."""

import base64
import json
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from sqlmodel import select

from firmware_bridge.contract import envelope
from firmware_bridge.contract.documents import TrustRoot
from firmware_bridge.contract.keys import public_to_base64
from loudspeaker.approvals.models import SigningKey
from loudspeaker.trust.service import held_root
from loudspeaker.users.first_run import has_administrator
from tests.loudspeaker.authority import AUTHORITY, ROOT, offline_key
from tests.loudspeaker.builders import a_client, house_of
from tests.loudspeaker.users.test_first_run import asked

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def drawn(app: FastAPI) -> bytes:
    told = a_client(app).post("/api/v1/setup/root", json={
        "root_key": public_to_base64(ROOT), "authority_key": public_to_base64(AUTHORITY)})
    assert told.status_code == 200, told.text
    return base64.b64decode(told.json()["payload"])


def with_keys(app: FastAPI, signer: Ed25519PrivateKey = ROOT, authority: Ed25519PrivateKey = AUTHORITY,
              payload: bytes | None = None) -> Mapping[str, str]:
    signed = envelope.sign(TrustRoot.TYPE, payload or drawn(app), signer)
    public = public_to_base64(authority)
    sealed = {"public_key": public, "sealed": {"version": 1, "public_key": public, "ciphertext": "…"}}
    return asked(app, None, root=json.dumps(envelope.to_dict(signed)), authority=json.dumps(sealed))


def test_the_browser_signs_the_first_root_and_the_administrator_is_the_first_authority(untrusted_app: FastAPI) -> None:
    app, client = untrusted_app, a_client(untrusted_app)
    assert client.post("/api/v1/setup", json=with_keys(app)).status_code == 201
    with house_of(app).database.read() as session:
        root, key = held_root(session), session.exec(select(SigningKey)).one()
    assert root is not None
    assert [one.public_key for one in root.place_authorities] == [key.public_key] == [public_to_base64(AUTHORITY)]
    keys = house_of(app).settings.data / "keys"
    assert [one.name for one in keys.iterdir()] == ["server.key"], "no other private key lies here"
    client.post("/api/v1/session", json={"login": "quantri", "password": asked(app, "")["password"]})
    told = client.get("/api/v1/trust").json()
    assert (told["root_version"], told["authorities"][0]["owner"]) == (1, "Lê Văn Quang")


@pytest.mark.parametrize("wrong", ["nothing", "another signer", "another authority", "another server"])
def test_without_good_keys_nothing_is_made(untrusted_app: FastAPI, wrong: str) -> None:
    app = untrusted_app
    foreign = drawn(app).replace(public_to_base64(house_of(app).keys.server).encode(),
                                 public_to_base64(offline_key("thief")).encode())
    given = {"nothing": lambda: asked(app, None), "another signer": lambda: with_keys(app, signer=AUTHORITY),
             "another authority": lambda: with_keys(app, authority=offline_key("thief")),
             "another server": lambda: with_keys(app, payload=foreign)}[wrong]()
    assert a_client(app).post("/api/v1/setup", json=given).status_code == 422
    with house_of(app).database.read() as session:
        assert held_root(session) is None
        assert not has_administrator(session)
    assert a_client(app).post("/api/v1/setup", json=with_keys(app)).status_code == 201, "the code is still good"


def test_the_first_root_is_drawn_up_only_during_the_first_run(untrusted_app: FastAPI) -> None:
    app = untrusted_app
    assert a_client(app).post("/api/v1/setup", json=with_keys(app)).status_code == 201
    given = {"root_key": public_to_base64(ROOT), "authority_key": public_to_base64(AUTHORITY)}
    assert a_client(app).post("/api/v1/setup/root", json=given).status_code == 403
