"""A token makes one controller one pole: once, in time, at the right server; what goes wrong on the way is mended."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import select

from firmware_bridge.bridge.broker import MemoryBroker, server_user
from firmware_bridge.contract import envelope, keys
from firmware_bridge.contract.enrolment import CredentialsRequest, EnrolmentRequest
from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.contract.token import Token
from firmware_bridge.node import enrol
from firmware_bridge.node.enrol import EnrolError
from firmware_bridge.node.renewal import Renewal, with_renewed
from loudspeaker.audit.models import AuditEntry
from loudspeaker.conductor.enrolling import end_former_credentials
from loudspeaker.database import Database
from loudspeaker.nodes.models import EnrolmentToken, NextCredentials, Node
from loudspeaker.places.models import Place
from loudspeaker.users.models import Role
from tests.loudspeaker.builders import SetClock, a_client, a_commune, a_user, house_of
from tests.loudspeaker.nodes.controllers import Network, PowerCut, enrolled


@dataclass
class Scene:
    """A technician at the desk, a broker in memory, and a folder for controllers."""

    app: FastAPI
    database: Database
    clock: SetClock
    desk: TestClient
    place: str
    folder: Path

    def add(self, name: str = "Đồng Tâm 2", hours: int = 48) -> tuple[str, str]:
        answer = self.desk.post("/api/v1/nodes", json={"place_id": self.place, "name": name, "hours": hours})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"], answer.json()["token"]

    def enrol(self, token: str, file: str = "node.json", replace: bool = False) -> NodeConfig:
        return enrolled(self.app, token, self.folder / file, replace)

    def as_node(self, config: NodeConfig) -> TestClient:
        client = TestClient(self.app, base_url=config.server)
        client.headers["Authorization"] = f"Bearer {config.api_token}"
        return client

    def hears(self, config: NodeConfig) -> bool:
        """Whether the server answers this pole over HTTPS."""
        return self.as_node(config).get("/nodes/me/trust").status_code == 200

    def logins(self) -> set[str]:
        return {one.username for one in house_of(self.app).broker_users} - {"_server"}

    def state(self, node: str) -> str:
        state: str = self.desk.get(f"/api/v1/nodes/{node}/enrolment").json()["state"]
        return state


@pytest.fixture
def scene(app: FastAPI, database: Database, clock: SetClock, tmp_path: Path) -> Iterator[Scene]:
    with database.work() as session:
        commune = a_commune(session)
        technician = a_user(session, Role.TECHNICIAN, commune)
    house = house_of(app)
    broker = house.broker = MemoryBroker(house.site)
    house.broker_login = server_user()
    broker.start()
    yield Scene(app, database, clock, a_client(app, technician), commune.id, tmp_path / "etc")
    broker.stop()


def test_a_controller_makes_its_own_key_and_the_server_sees_the_public_half_only(
        scene: Scene, database: Database) -> None:
    node, token = scene.add()
    assert scene.state(node) == "waiting"
    assert scene.logins() == set(), "nobody may join for a pole that waits"
    config = scene.enrol(token)
    assert scene.state(node) == "enrolled"
    assert scene.logins() == {f"{node}_1"}
    with database.read() as session:
        stored = session.get_one(Node, node)
        acts = set(session.exec(select(AuditEntry.act)))
    assert stored.public_key == keys.public_to_base64(keys.private_from_base64(config.private_key))
    assert config.private_key not in stored.model_dump_json()
    assert {"node.token_made", "node.enrolled"} <= acts
    assert (scene.folder / "node.json").stat().st_mode & 0o077 == 0
    assert [one.name for one in scene.folder.iterdir()] == ["node.json"]


def test_of_a_token_the_server_keeps_the_hash(scene: Scene, database: Database) -> None:
    _, token = scene.add()
    with database.read() as session:
        stored = session.exec(select(EnrolmentToken)).one().model_dump_json()
    assert Token.from_text(token).secret.hex() not in stored


def test_a_token_is_good_for_one_controller(scene: Scene) -> None:
    node, token = scene.add()
    config = scene.enrol(token)
    with pytest.raises(EnrolError, match="đã được dùng"):
        scene.enrol(token, "stranger.json")
    assert scene.hears(config)
    assert scene.state(node) == "enrolled"


def test_a_late_token_is_refused(scene: Scene) -> None:
    node, token = scene.add(hours=2)
    scene.clock.forward(timedelta(hours=2))
    assert scene.state(node) == "expired"
    with pytest.raises(EnrolError, match="hết hạn"):
        scene.enrol(token)
    assert scene.logins() == set()


def test_a_cancelled_token_and_one_that_was_followed_by_another_are_refused(scene: Scene) -> None:
    node, first = scene.add()
    second = scene.desk.post(f"/api/v1/nodes/{node}/enrolment", json={}).json()["token"]
    with pytest.raises(EnrolError, match="mã mới hơn"):
        scene.enrol(first)
    assert scene.desk.delete(f"/api/v1/nodes/{node}/enrolment").json()["state"] == "none"
    with pytest.raises(EnrolError, match="bị hủy"):
        scene.enrol(second)


def test_the_token_of_another_server_is_not_known_here(scene: Scene) -> None:
    _, token = scene.add()
    stranger = replace(Token.from_text(token), secret=bytes(10)).to_text()
    with pytest.raises(EnrolError, match="không có mã đó"):
        scene.enrol(stranger)


def test_another_trust_root_ends_it_before_anything_is_told(scene: Scene) -> None:
    _, token = scene.add()
    network = Network(scene.app)
    with pytest.raises(EnrolError):
        enrol.enrol(replace(Token.from_text(token), root=bytes(16)).to_text(), scene.folder / "n.json", door=network)
    assert len(network.asked) == 1
    assert not (scene.folder / "n.json").exists()


def test_a_retired_pole_takes_no_controller(scene: Scene) -> None:
    node, token = scene.add()
    scene.desk.post(f"/api/v1/nodes/{node}/retire")
    with pytest.raises(EnrolError, match="tháo dỡ"):
        scene.enrol(token)


@pytest.mark.parametrize("cut", [0, 1])
def test_a_power_cut_at_any_request_is_mended_by_the_same_command(scene: Scene, cut: int) -> None:
    node, token = scene.add()
    with pytest.raises(PowerCut):
        enrol.enrol(token, scene.folder / "node.json", door=Network(scene.app, cut_after=cut))
    begun = (scene.folder / "node.json.enrolling").read_bytes()
    config = scene.enrol(token)
    assert config.private_key.encode() in begun, "with the key that was made before"
    assert scene.hears(config)
    assert scene.state(node) == "enrolled"


def test_an_answer_that_was_lost_is_asked_for_again_by_the_same_key(
        scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    node, token = scene.add()
    real = enrol.write_private

    def lost(path: Path, content: bytes) -> None:
        if path.name == "node.json":
            raise PowerCut
        real(path, content)

    monkeypatch.setattr(enrol, "write_private", lost)
    for _ in range(3):
        with pytest.raises(PowerCut):
            scene.enrol(token)
    monkeypatch.undo()
    config = scene.enrol(token)
    assert scene.hears(config)
    assert scene.logins() == {f"{node}_4"}, "each answer has fresh credentials, and the ones before count no more"


def test_a_power_cut_before_the_draft_is_gone_leaves_only_that_to_do(scene: Scene) -> None:
    _, token = scene.add()
    config = scene.enrol(token)
    kept = enrol.Draft(token=sha256(Token.from_text(token).secret + Token.from_text(token).root).hexdigest(),
                       private_key=config.private_key)
    (scene.folder / "node.json.enrolling").write_bytes(kept.to_bytes())
    network = Network(scene.app)
    assert enrol.enrol(token, scene.folder / "node.json", door=network) == config
    assert network.asked == []
    assert not (scene.folder / "node.json.enrolling").exists()


def test_the_same_key_may_not_come_again_after_a_day(scene: Scene) -> None:
    _, token = scene.add()
    config = scene.enrol(token)
    draft = enrol.Draft(token=sha256(Token.from_text(token).secret + Token.from_text(token).root).hexdigest(),
                        private_key=config.private_key)
    (scene.folder / "other.json.enrolling").write_bytes(draft.to_bytes())
    scene.clock.forward(timedelta(hours=24))
    with pytest.raises(EnrolError, match="đã được dùng"):
        scene.enrol(token, "other.json")


def test_a_controller_that_is_a_pole_becomes_no_other_by_mistake(scene: Scene) -> None:
    scene.enrol(scene.add("Một")[1])
    node, token = scene.add("Hai")
    with pytest.raises(EnrolError, match="is the pole mot"):
        scene.enrol(token)
    assert scene.state(node) == "waiting"
    assert scene.enrol(token, replace=True).node == node


def test_one_key_is_one_pole(scene: Scene) -> None:
    config = scene.enrol(scene.add("Một")[1])
    _, token = scene.add("Hai")
    read = Token.from_text(token)
    key = keys.private_from_base64(config.private_key)
    asked = EnrolmentRequest(site=config.site, secret=read.secret.hex(), public_key=keys.public_to_base64(key))
    answer = TestClient(scene.app).post("/enrolment", content=envelope.encode(asked.sign(key)))
    assert (answer.status_code, answer.json()["code"]) == (409, "key_elsewhere")


def test_who_does_not_hold_the_key_proves_nothing(scene: Scene) -> None:
    node, token = scene.add()
    asked = EnrolmentRequest(site=house_of(scene.app).site, secret=Token.from_text(token).secret.hex(),
                             public_key=keys.public_to_base64(keys.new_key()))
    answer = TestClient(scene.app).post("/enrolment", content=envelope.encode(asked.sign(keys.new_key())))
    assert (answer.status_code, answer.json()["code"]) == (403, "bad_proof")
    other = asked.model_copy(update={"site": "elsewhere"})
    key = keys.new_key()
    signed = other.model_copy(update={"public_key": keys.public_to_base64(key)}).sign(key)
    assert TestClient(scene.app).post("/enrolment", content=envelope.encode(signed)).json()["code"] == "wrong_site"
    assert scene.state(node) == "waiting"


@pytest.mark.parametrize("body", [
    b"", b"{}", b"null", b"[" * 5000, b'{"payloadType":"x","payload":"","signatures":[]}', b"\xff\xfe", b"0" * 100_000,
    b'{"payloadType":"a","payloadType":"b","payload":"","signatures":[]}'])
def test_nonsense_is_refused_and_never_a_crash(scene: Scene, body: bytes) -> None:
    for path in ("/enrolment", "/nodes/me/credentials"):
        assert TestClient(scene.app).post(path, content=body).status_code in (413, 422)


def test_documents_of_other_kinds_and_bits_that_flipped_enrol_nobody(scene: Scene) -> None:
    node, token = scene.add()
    key = keys.new_key()
    asked = EnrolmentRequest(site=house_of(scene.app).site, secret=Token.from_text(token).secret.hex(),
                             public_key=keys.public_to_base64(key))
    client = TestClient(scene.app)
    foreign = envelope.sign(CredentialsRequest.TYPE, asked.to_bytes(), key)
    assert client.post("/enrolment", content=envelope.encode(foreign)).status_code == 422
    good = envelope.encode(asked.sign(key))
    for at in range(0, len(good), 23):
        flipped = good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]
        assert client.post("/enrolment", content=flipped).status_code in (403, 422, 429), flipped
    assert scene.state(node) == "waiting"


def test_guessing_is_slowed_down_by_address_and_a_right_one_forgives(scene: Scene) -> None:
    key = keys.new_key()
    asked = EnrolmentRequest(site=house_of(scene.app).site, secret="0" * 20, public_key=keys.public_to_base64(key))
    client = TestClient(scene.app)
    answers = [client.post("/enrolment", content=envelope.encode(asked.sign(key))).status_code for _ in range(62)]
    assert answers == [403] * 60 + [429] * 2
    scene.clock.forward(timedelta(minutes=16))
    scene.enrol(scene.add()[1])


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.ADMINISTRATOR, Role.TECHNICIAN)])
def test_other_roles_make_no_token_and_touch_no_credentials(scene: Scene, database: Database, role: Role) -> None:
    node, _ = scene.add()
    with database.work() as session:
        user = a_user(session, role, session.get_one(Place, scene.place))
    other = a_client(scene.app, user)
    for path in ("enrolment", "credentials/replace", "credentials/revoke"):
        assert other.post(f"/api/v1/nodes/{node}/{path}", json={}).status_code == 403
    assert other.delete(f"/api/v1/nodes/{node}/enrolment").status_code == 403


@pytest.fixture
def pole(scene: Scene) -> Callable[[], NodeConfig]:
    """Lets the one pole ask for new credentials; the configuration that it then has."""
    config = scene.enrol(scene.add()[1])
    data = scene.folder / "data"
    data.mkdir()
    server_key = keys.public_to_base64(house_of(scene.app).keys.server)

    def sync() -> NodeConfig:
        held = with_renewed(config, data)
        return Renewal(data, lambda: server_key).renew(held, scene.as_node(held)) or held

    return sync


def test_a_pole_keeps_its_credentials_until_somebody_wants_new_ones(
        scene: Scene, pole: Callable[[], NodeConfig]) -> None:
    before = pole()
    assert pole() == before
    scene.desk.post(f"/api/v1/nodes/{before.node}/credentials/replace")
    given = pole()
    assert given.api_token != before.api_token
    assert given.private_key == before.private_key
    assert scene.logins() == {f"{before.node}_1", f"{before.node}_2"}, "both hold while they change hands"
    assert scene.hears(before)
    assert scene.hears(given), "their first use"
    assert not scene.hears(before)
    assert scene.logins() == {f"{before.node}_2"}
    assert pole() == given, "and the answer is kept over a restart"


def test_an_answer_that_was_lost_does_not_lock_the_pole_out(scene: Scene, pole: Callable[[], NodeConfig]) -> None:
    before = pole()
    scene.desk.post(f"/api/v1/nodes/{before.node}/credentials/replace")
    pole()
    (scene.folder / "data" / "credentials.json").unlink()
    again = pole()
    assert scene.hears(again)
    assert not scene.hears(before)


def test_former_credentials_end_after_an_hour_and_the_key_gets_newer_ones(
        scene: Scene, pole: Callable[[], NodeConfig]) -> None:
    before = pole()
    scene.desk.post(f"/api/v1/nodes/{before.node}/credentials/replace")
    pole()
    (scene.folder / "data" / "credentials.json").unlink()
    scene.clock.forward(timedelta(minutes=61))
    end_former_credentials(house_of(scene.app))
    assert not scene.hears(before)
    assert scene.logins() == {f"{before.node}_2"}
    assert scene.hears(pole()), "its key is all that a pole needs"


def test_another_enrolment_makes_kept_credentials_void(scene: Scene, pole: Callable[[], NodeConfig]) -> None:
    before = pole()
    scene.desk.post(f"/api/v1/nodes/{before.node}/credentials/replace")
    pole()
    token = scene.desk.post(f"/api/v1/nodes/{before.node}/enrolment", json={}).json()["token"]
    anew = scene.enrol(token, replace=True)
    assert with_renewed(anew, scene.folder / "data") == anew
    assert scene.hears(anew)


def test_a_challenge_is_taken_once_and_for_five_minutes(scene: Scene, pole: Callable[[], NodeConfig]) -> None:
    config = pole()
    scene.desk.post(f"/api/v1/nodes/{config.node}/credentials/replace")
    client = scene.as_node(config)

    def ask(challenge: str) -> int:
        asked = CredentialsRequest(site=config.site, node=config.node, challenge=challenge).sign(
            keys.private_from_base64(config.private_key))
        return client.post("/nodes/me/credentials", content=envelope.encode(asked)).status_code

    first = client.get("/enrolment/challenge").json()["challenge"]
    assert [ask(first), ask(first)] == [200, 403]
    late = client.get("/enrolment/challenge").json()["challenge"]
    scene.clock.forward(timedelta(minutes=6))
    assert ask(late) == 403
    assert ask("1.2.3") == 403
    assert ask("a.b") == 403


def test_new_credentials_are_for_the_key_alone(scene: Scene, pole: Callable[[], NodeConfig]) -> None:
    config = pole()
    scene.desk.post(f"/api/v1/nodes/{config.node}/credentials/replace")
    client = scene.as_node(config)
    asked = CredentialsRequest(site=config.site, node=config.node,
                               challenge=client.get("/enrolment/challenge").json()["challenge"]).sign(keys.new_key())
    assert client.post("/nodes/me/credentials", content=envelope.encode(asked)).status_code == 403


def test_who_is_cut_off_is_out_at_once_and_its_key_helps_no_more(
        scene: Scene, database: Database, pole: Callable[[], NodeConfig]) -> None:
    config = pole()
    assert scene.desk.post(f"/api/v1/nodes/{config.node}/credentials/revoke").json()["state"] == "revoked"
    assert scene.logins() == set()
    assert not scene.hears(config)
    assert pole() == config, "nothing new was given"
    assert not scene.hears(config)
    answer = scene.desk.post(f"/api/v1/nodes/{config.node}/credentials/replace")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_enrolled")
    with database.read() as session:
        assert session.exec(select(NextCredentials)).all() == []
    token = scene.desk.post(f"/api/v1/nodes/{config.node}/enrolment", json={}).json()["token"]
    assert scene.hears(scene.enrol(token, "anew.json"))
    assert not scene.hears(config), "the stolen one stays out"
