"""A controller from its card to the server, over TLS all the way: real server and broker, the node in its process."""

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from firmware_bridge.bridge.broker.child import free_port
from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.contract.token import Token
from firmware_bridge.contract.topics import Up, of_node
from firmware_bridge.node.enrol import EnrolError, enrol
from firmware_bridge.wire import Address, Connection
from loudspeaker.conductor.offline import install_new_keys
from loudspeaker.conductor.opening import open_house
from loudspeaker.conductor.tls import fingerprint
from loudspeaker.demo.processes import Child, stop_all
from loudspeaker.settings import Settings
from tests.system.commune import until

HOST = "127.0.0.1"
CUT_OFF_S = 60.0
PASSWORD = "mùa xuân ở Sơn Dương"


@dataclass
class Site:
    """A server with TLS of its own authority, and its administrator at a client that trusts it."""

    folder: Path
    url: str
    facts: dict[str, Any]
    client: httpx2.Client
    place: str
    broker_port: int

    def add(self, name: str) -> tuple[str, str]:
        """A new node: its id and its token."""
        told = self.client.post("/api/v1/nodes", json={"place_id": self.place, "name": name}).raise_for_status().json()
        return told["id"], told["token"]

    def node(self, node: str) -> dict[str, Any]:
        told: dict[str, Any] = self.client.get(f"/api/v1/nodes/{node}").raise_for_status().json()
        return told


@pytest.fixture(scope="module")
def site(built_assets: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    port, broker_port = free_port(HOST), free_port(HOST)
    url = f"https://localhost:{port}"
    with open_house(Settings(data=folder / "data")) as house, house.database.work() as session:
        install_new_keys(session, house)
    server = Child("server", [sys.executable, "-m", "loudspeaker", "serve", "--json"], folder / "server.log", {
        "LOUDSPEAKER_DATA": str(folder / "data"), "LOUDSPEAKER_PORT": str(port), "LOUDSPEAKER_TLS": "own",
        "LOUDSPEAKER_BROKER_PORT": str(broker_port), "LOUDSPEAKER_PUBLIC_URL": url})
    try:
        server.start()
        until("the server is ready", lambda: (folder / "server.log").read_text().find('{"url"') >= 0, 60.0)
        facts = json.loads(next(line for line in server.log.read_text().splitlines() if line.startswith("{")))
        pem = httpx2.get(f"{url}/ca.crt", verify=False, trust_env=False).text
        assert fingerprint(pem) == facts["authority"]
        trusted = ssl.create_default_context(cadata=pem)
        with httpx2.Client(base_url=url, verify=trusted, trust_env=False, timeout=20.0) as client:
            client.post("/api/v1/setup", json={
                "code": facts["setup_code"], "commune": "Xã Minh Tân", "name": "Quang", "login": "quang",
                "password": PASSWORD}).raise_for_status()
            me = client.post("/api/v1/session", json={"login": "quang", "password": PASSWORD}).json()
            client.headers["X-CSRF-Token"] = me["csrf"]
            yield Site(folder, url, facts, client, me["roles"][0]["place_id"], broker_port)
    finally:
        stop_all([server])


def listening(process: int) -> list[str]:
    """Sockets of a process that others could reach: TCP that listens, UDP that is bound."""
    own = set()
    for link in Path(f"/proc/{process}/fd").iterdir():
        try:
            own.add(os.readlink(link))
        except FileNotFoundError:
            continue
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            cells = line.split()
            if f"socket:[{cells[9]}]" in own and (cells[3] == "0A" or table.startswith("udp")):
                found.append(f"{table} {cells[1]}")
    return found


def test_a_process_that_listens_is_found_out() -> None:
    with socket.create_server((HOST, 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind((HOST, 0))
        assert {one.split()[0] for one in listening(os.getpid())} >= {"tcp", "udp"}


def as_pole(config: NodeConfig, folder: Path, on_gone: Callable[[str], None] = lambda _why: None,
            login: int = 0) -> Connection:
    """A bare client of the broker with a pole's credentials; started."""
    broker = config.brokers[login]
    ca = folder / f"{config.node}-{broker.username}.pem"
    ca.write_text(broker.ca or "")
    address = Address(broker.host, broker.port, broker.username, broker.password, broker.client_id, broker.tls, ca)
    made = Connection(address, [f"loudspeaker/v1/{config.site}/groups/all/command"], lambda *_: None, lambda: None,
                      on_gone, on_error=lambda _error: None)
    made.start()
    return made


def test_a_pole_comes_by_its_card_speaks_over_tls_and_fetches_new_credentials(site: Site) -> None:
    node, token = site.add("Đồng Tâm 1")
    config = site.folder / "etc" / "node.json"
    done = subprocess.run([sys.executable, "-m", "firmware_bridge.node", "enrol", "--token", "-", "--out", str(config)],
                          input=token + "\n", text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert config.stat().st_mode & 0o077 == 0
    assert not list(config.parent.glob("*.enrolling"))
    data = site.folder / "pole"
    pole = Child("pole", [sys.executable, "-m", "firmware_bridge.node", "run", "--config", str(config), "--data",
                          str(data), "--player", "null"], site.folder / "pole.log", {})
    pole.start()
    try:
        until("the pole is heard", lambda: site.node(node)["state"]["online"], 60.0)
        assert pole.pid is not None
        assert listening(pole.pid) == [], "a pole is reached by nobody"
        site.client.post(f"/api/v1/nodes/{node}/credentials/replace").raise_for_status()
        asked = f"/api/v1/nodes/{node}/enrolment"
        until("the new credentials are in use",
              lambda: site.client.get(asked).json()["renewal_asked_at"] is None, 60.0)
        renewed = json.loads((data / "credentials.json").read_text())
        assert renewed["brokers"][0]["username"] == f"{node}_2"
        old = NodeConfig.from_text(config.read_text())
        refused = as_pole(old, site.folder)
        time.sleep(2.0)
        assert not refused.connected, "the former credentials have ended"
        refused.stop()
        before = site.node(node)["state"]["seen_at"]
        until("the pole speaks with the new ones", lambda: site.node(node)["state"]["seen_at"] > before, 60.0)
        assert "main_loop" not in pole.log.read_text()
    finally:
        stop_all([pole])
    again = Child("again", [sys.executable, "-m", "firmware_bridge.node", "run", "--config", str(config), "--data",
                            str(data), "--player", "null"], site.folder / "again.log", {})
    before = site.node(node)["state"]["seen_at"]
    again.start()
    try:
        until("it comes back with what it kept", lambda: site.node(node)["state"]["seen_at"] > before, 60.0)
    finally:
        stop_all([again])


def test_who_is_cut_off_is_out_of_broker_and_server_within_a_minute(site: Site) -> None:
    node, token = site.add("Đồng Tâm 2")
    config = enrol(token, site.folder / "two.json")
    gone: list[float] = []
    pole = as_pole(config, site.folder, lambda _why: gone.append(time.monotonic()))
    with httpx2.Client(base_url=site.url, verify=ssl.create_default_context(cadata=config.ca or ""), trust_env=False,
                       headers={"Authorization": f"Bearer {config.api_token}"}) as client:
        until("it has joined", lambda: pole.connected, 20.0)
        assert client.get("/nodes/me/trust").status_code == 200
        begun = time.monotonic()
        site.client.post(f"/api/v1/nodes/{node}/credentials/revoke").raise_for_status()
        assert client.get("/nodes/me/trust").status_code == 401
        until("it is out", lambda: bool(gone), CUT_OFF_S)
        assert gone[0] - begun < CUT_OFF_S
        time.sleep(3.0)
        assert not pole.connected, "and does not come in again"
        pole.stop()
        assert client.get("/nodes/me/order").status_code == 401
    assert site.client.get(f"/api/v1/nodes/{node}/enrolment").json()["state"] == "revoked"


def test_a_stranger_on_the_way_is_found_before_anything_is_told(site: Site) -> None:
    _, token = site.add("Đồng Tâm 3")
    read = Token.from_text(token)
    assert read.authority is not None
    for wrong in (Token(read.server, read.secret, read.root, bytes(16)),
                  Token(read.server, read.secret, bytes(16), read.authority)):
        with pytest.raises(EnrolError):
            enrol(wrong.to_text(), site.folder / "three.json")
    assert not (site.folder / "three.json").exists()
    with pytest.raises(EnrolError, match="reached safely"):
        enrol(Token(read.server, read.secret, read.root, None).to_text(), site.folder / "three.json")
    assert enrol(token, site.folder / "three.json").site == site.facts["site"], "the token is not used up by it"


def test_plain_text_gets_nothing_from_the_broker_nor_from_the_server(site: Site) -> None:
    _, token = site.add("Đồng Tâm 4")
    config = enrol(token, site.folder / "four.json")
    bare = config.brokers[0].model_copy(update={"tls": False, "ca": None})
    pole = as_pole(config.model_copy(update={"brokers": (bare,)}), site.folder)
    time.sleep(2.0)
    assert not pole.connected
    pole.stop()
    with pytest.raises(httpx2.HTTPError):
        httpx2.get(site.url.replace("https://", "http://") + "/healthz", trust_env=False, timeout=5.0)


def test_the_will_and_words_of_an_enrolled_pole_go_under_its_own_name_only(site: Site) -> None:
    node, token = site.add("Đồng Tâm 5")
    config = enrol(token, site.folder / "five.json")
    pole = as_pole(config, site.folder)
    until("it has joined", lambda: pole.connected, 20.0)
    pole.publish(of_node(config.site, "dong-tam-1", Up.HELLO), b'{"boot":"stranger","connection":99,"journal":"j"}')
    pole.publish(of_node(config.site, node, Up.HELLO), b'{"boot":"own","connection":1,"journal":"j"}')
    until("its own word is heard", lambda: site.node(node)["state"]["online"], 20.0)
    pole.stop()
