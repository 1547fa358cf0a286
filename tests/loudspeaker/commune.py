"""A commune with its people for tests of bulletins and approvals, and their signing keys."""

import base64
import json
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import Session

from firmware_bridge.contract import envelope, keys
from firmware_bridge.contract.documents import RecordingStatement
from loudspeaker.approvals.keys import PROOF_TYPE, NewKey, register_key
from loudspeaker.bulletins import recordings
from loudspeaker.bulletins.recordings import Made
from loudspeaker.conductor.house import House
from loudspeaker.conductor.trust import propose_key
from loudspeaker.places.models import Place
from loudspeaker.users.access import Actor, actor_for
from loudspeaker.users.models import Role, User
from tests.loudspeaker.authority import authority_signs, root_keys_sign
from tests.loudspeaker.builders import SetClock, a_client, a_commune, a_user, a_village, house_of

TUS = {"Tus-Resumable": "1.0.0"}


@dataclass
class Commune:
    """A started server with one commune: an editor, two approvers with listed keys, an administrator."""

    app: FastAPI
    clock: SetClock
    place: Place
    village: Place
    editor: User
    approver: User
    second: User
    administrator: User
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    """By user id."""

    @property
    def house(self) -> House:
        return house_of(self.app)

    def client(self, user: User) -> TestClient:
        """A browser signed in as `user`."""
        return a_client(self.app, user)

    def actor(self, session: Session, user: User) -> Actor:
        """`user`, acting now."""
        return actor_for(session, user, self.clock())


def a_commune_with_people(app: FastAPI, clock: SetClock) -> Commune:
    """The commune; both approvers have made keys and the administrator has listed them."""
    with house_of(app).database.work() as session:
        place = a_commune(session)
        village = a_village(session, place)
        commune = Commune(app, clock, place, village,
                          editor=a_user(session, Role.EDITOR, place, "Nguyễn Thị Hoa"),
                          approver=a_user(session, Role.APPROVER, place, "Lê Văn Tùng"),
                          second=a_user(session, Role.APPROVER, place, "Trần Thị Mai"),
                          administrator=a_user(session, Role.ADMINISTRATOR, place, "Phạm Văn Đức"))
    for user in (commune.approver, commune.second):
        commune.keys[user.id] = give_key(commune, user)
    return commune


def give_key(commune: Commune, user: User, listed: bool = True) -> Ed25519PrivateKey:
    """Have `user` make and register a key, and the administrator list it for the commune."""
    key = keys.new_key()
    with commune.house.database.work() as session:
        owner, administrator = commune.actor(session, user), commune.actor(session, commune.administrator)
        made = register_key(session, owner, commune.clock(), NewKey(**registration(key, user)))
        if listed:
            propose_key(session, commune.house, administrator, made.id, commune.place.id)
            authority_signs(session, commune.house)
    return key


def list_key(commune: Commune, name: str, place: Place | None = None) -> None:
    """The administrator proposes a key for a place, and the place authority signs the list."""
    answer = commune.client(commune.administrator).post(
        f"/api/v1/signing-keys/{name}/list", json={"place_id": (place or commune.place).id})
    assert answer.status_code == 200, answer.text
    with commune.house.database.work() as session:
        authority_signs(session, commune.house)


def need_owners(commune: Commune, ordinary: int, priority: int, emergency: int, **by_kind: int) -> None:
    """The root keys sign how many distinct approvers a recording needs."""
    with commune.house.database.work() as session:
        root_keys_sign(session, commune.house, owners_needed=(ordinary, priority, emergency),
                       owners_needed_by_kind=by_kind)


def registration(key: Ed25519PrivateKey, user: User) -> dict[str, Any]:
    """What a browser sends to register a key."""
    public = keys.public_to_base64(key)
    payload = json.dumps({"user": user.id, "public_key": public}).encode()
    return {"public_key": public, "sealed": {"version": 1, "public_key": public, "ciphertext": "…"},
            "proof": envelope.to_dict(envelope.sign(PROOF_TYPE, payload, key))}


def write_bulletin(commune: Commune, author: User | None = None, **fields: Any) -> str:
    """Id of a new bulletin by the editor."""
    given = {"place_id": commune.place.id, "title": "Thông báo tiêm phòng", "kind": "notice"} | fields
    answer = commune.client(author or commune.editor).post("/api/v1/bulletins", json=given)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def start_upload(client: TestClient, bulletin: str, length: int, **metadata: str) -> str:
    """Address of a new upload."""
    answer = client.post("/api/v1/uploads", headers=upload_headers(bulletin, length, **metadata))
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def upload_headers(bulletin: str, length: int, **metadata: str) -> dict[str, str]:
    """What announces a file."""
    said = {"filename": "bản tin.wav", "bulletin": bulletin, "language": "vi", "chime": "0"} | metadata
    pairs = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in said.items())
    return TUS | {"Upload-Length": str(length), "Upload-Metadata": pairs}


def send_bytes(client: TestClient, address: str, data: bytes, offset: int = 0) -> Any:
    """One PATCH."""
    return client.patch(address, content=data, headers=TUS | {
        "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"})


def upload(commune: Commune, bulletin: str, data: bytes, author: User | None = None, **metadata: str) -> str:
    """Send a whole file and wait until it is processed; the recording's id."""
    client = commune.client(author or commune.editor)
    answer = send_bytes(client, start_upload(client, bulletin, len(data), **metadata), data)
    assert answer.status_code == 204, answer.text
    assert commune.house.processing.wait(60)
    return str(answer.headers["recording-id"])


def ready(commune: Commune, bulletin: str | None = None, author: User | None = None, duration_ms: int = 2000) -> str:
    """A recording that waits for approval, its sound made up of random bytes; the recording's id."""
    house, now, sound = commune.house, commune.clock(), secrets.token_bytes(duration_ms * 4)
    given = house.settings.data / "sound"
    given.write_bytes(sound)
    sha256 = house.store.add(given)
    given.unlink()
    bulletin = bulletin or write_bulletin(commune)
    made = Made(sha256, len(sound), duration_ms, -16.0, -1.0, bytes(40))
    with house.database.work() as session:
        actor = commune.actor(session, author or commune.editor)
        recording = recordings.add_recording(session, actor, now, bulletin, language="vi", source_name="bản tin.wav",
                                             source_path="", with_chime=False, seconds=60)
        assert recordings.make_ready(session, now, house.site, recording.id, made)
        return recording.id


def listen(commune: Commune, user: User, recording: str) -> dict[str, Any]:
    """Hear a recording to its end, at its own speed."""
    client = commune.client(user)
    assert client.get(f"/api/v1/recordings/{recording}/audio").status_code == 200
    duration = client.get(f"/api/v1/recordings/{recording}").json()["duration_ms"]
    commune.clock.forward(timedelta(milliseconds=duration))
    answer = client.post(f"/api/v1/recordings/{recording}/heard", json={"intervals": [[0, duration]]})
    assert answer.status_code == 200, answer.text
    heard: dict[str, Any] = answer.json()
    return heard


def sign(commune: Commune, user: User, recording: str, key: Ed25519PrivateKey | None = None) -> Any:
    """Fetch the statement, sign it with the person's key, and hand it in."""
    client = commune.client(user)
    statement = client.get(f"/api/v1/recordings/{recording}/statement").json()
    signed = envelope.sign(statement["payload_type"], base64.b64decode(statement["payload"]),
                           key or commune.keys[user.id])
    return client.post(f"/api/v1/recordings/{recording}/approvals", json={"envelope": envelope.to_dict(signed)})


def approved(commune: Commune, **bulletin: Any) -> tuple[str, RecordingStatement]:
    """A recording that was heard and signed; its id and its statement."""
    recording = ready(commune, write_bulletin(commune, **bulletin))
    listen(commune, commune.approver, recording)
    answer = sign(commune, commune.approver, recording)
    assert answer.status_code == 201, answer.text
    statement = commune.client(commune.approver).get(f"/api/v1/recordings/{recording}/statement").json()
    return recording, RecordingStatement.from_bytes(base64.b64decode(statement["payload"]))
