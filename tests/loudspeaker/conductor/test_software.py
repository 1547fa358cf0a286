"""Releases on the server: believed only with the software key, offered to the first poles, then to all, or halted."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session
from typer.testing import CliRunner

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract.keys import public_to_base64
from firmware_bridge.contract.messages import Entry
from firmware_bridge.contract.software import SoftwareManifest
from loudspeaker.conductor import software
from loudspeaker.conductor.offline import write_key
from loudspeaker.conductor.software import SETTLES, Release
from loudspeaker.errors import InvalidError
from loudspeaker.nodes.models import NodeState
from loudspeaker.playbacks.models import JournalEntry
from loudspeaker.software_command import app as software_app
from tests.loudspeaker.authority import offline_key, root_keys_sign
from tests.loudspeaker.builders import a_client, a_node
from tests.loudspeaker.commune import Commune

KEY = offline_key("software")
WHEEL = b"not really a wheel"
FIRST, OTHER = "pole-1", "pole-2"


@pytest.fixture
def ready(commune: Commune) -> Commune:
    """The root names the software key; there are two poles, with their names as tokens."""
    with commune.house.database.work() as session:
        root_keys_sign(session, commune.house, software_key=public_to_base64(KEY))
        for name in (FIRST, OTHER):
            a_node(session, commune.place, name, node_id=name, token=name)
    return commune


def signed(commune: Commune, folder: Path, serial: int = 1, version: str = "0.2.0", key: str = "software") -> bytes:
    """A manifest as the command line signs it."""
    wheel, out, file = folder / "x.whl", folder / "manifest.json", folder / f"{key}.key"
    wheel.write_bytes(WHEEL)
    if not file.exists():
        write_key(file, offline_key(key))
    made = CliRunner().invoke(software_app, [
        "sign", str(wheel), "--key", str(file), "--site", commune.house.site, "--version", version,
        "--minimum", "0.1.0", "--serial", str(serial), "--out", str(out)])
    assert made.exit_code == 0, made.output
    manifest = SoftwareManifest.from_bytes(dsse.decode(out.read_bytes()).payload)
    now = commune.clock()
    again = manifest.model_copy(update={"issued": now, "expires": now + timedelta(days=9)})
    return dsse.encode(again.sign(offline_key(key)))


def publish(commune: Commune, raw: bytes, folder: Path, *first: str) -> Release:
    with commune.house.database.work() as session:
        return software.publish(session, commune.house, raw, [folder / "x.whl"], first or (FIRST,))


def pole(commune: Commune, token: str) -> TestClient:
    client = a_client(commune.app)
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def offered(commune: Commune, node: str) -> int:
    return pole(commune, node).get("/nodes/me/software").status_code


def tell(commune: Commune, node: str, result: str, version: str = "0.2.0", seq: int = 1) -> None:
    """The pole's journal says so, and its hello that it runs the version."""
    entry = Entry(seq=seq, at=commune.clock(), kind="software", data={"result": result, "version": version})
    with commune.house.database.work() as session:
        session.add(JournalEntry(node_id=node, journal_id="j", seq=seq, at=entry.at, received_at=entry.at,
                                 kind=entry.kind, body=entry.to_bytes().decode(), hash=""))
        _runs(session, node, version)


def _runs(session: Session, node: str, version: str) -> None:
    state = session.get_one(NodeState, node)
    state.firmware, state.online = version, True
    session.add(state)


def test_a_release_goes_to_the_first_pole_alone(ready: Commune, tmp_path: Path) -> None:
    assert offered(ready, FIRST) == 404
    publish(ready, signed(ready, tmp_path), tmp_path)
    assert offered(ready, FIRST) == 200
    assert offered(ready, OTHER) == 404


def test_its_files_come_by_their_hash_whole_or_in_part(ready: Commune, tmp_path: Path) -> None:
    publish(ready, signed(ready, tmp_path), tmp_path)
    client, path = pole(ready, OTHER), f"/software/{hashlib.sha256(WHEEL).hexdigest()}"
    assert client.get(path).content == WHEEL
    part = client.get(path, headers={"Range": "bytes=4-"})
    assert (part.status_code, part.content) == (206, WHEEL[4:])
    assert client.get(f"/software/{'0' * 64}").status_code == 404


def test_it_goes_to_all_when_the_first_has_run_it_well_for_a_while(ready: Commune, tmp_path: Path) -> None:
    publish(ready, signed(ready, tmp_path), tmp_path)
    software.roll_out(ready.house)
    assert offered(ready, OTHER) == 404
    tell(ready, FIRST, "healthy")
    software.roll_out(ready.house)
    assert offered(ready, OTHER) == 404, "not at once"
    ready.clock.forward(SETTLES)
    software.roll_out(ready.house)
    assert offered(ready, OTHER) == 200


@pytest.mark.parametrize("result", ["rolled_back", "failed"])
def test_it_is_halted_when_a_pole_gives_it_up(ready: Commune, tmp_path: Path, result: str) -> None:
    publish(ready, signed(ready, tmp_path), tmp_path)
    tell(ready, FIRST, result, version="0.1.0")
    held = software.roll_out(ready.house)
    assert held is not None
    assert held.halted == FIRST
    assert offered(ready, FIRST) == 404


def test_what_was_healthy_but_runs_another_version_now_does_not_count(ready: Commune, tmp_path: Path) -> None:
    publish(ready, signed(ready, tmp_path), tmp_path)
    tell(ready, FIRST, "healthy")
    with ready.house.database.work() as session:
        _runs(session, FIRST, "0.1.0")
    ready.clock.forward(SETTLES)
    software.roll_out(ready.house)
    assert offered(ready, OTHER) == 404


@pytest.mark.parametrize("wrong", ["key", "file", "pole", "older", "noise"])
def test_a_release_that_poles_would_refuse_is_not_published(ready: Commune, tmp_path: Path, wrong: str) -> None:
    publish(ready, signed(ready, tmp_path, serial=5), tmp_path)
    raw = signed(ready, tmp_path, serial=5 if wrong == "older" else 6, key="server" if wrong == "key" else "software")
    if wrong == "file":
        (tmp_path / "x.whl").write_bytes(b"another")
    with pytest.raises(InvalidError):
        publish(ready, b"{}" if wrong == "noise" else raw, tmp_path, "nobody" if wrong == "pole" else FIRST)
    held = software.release(ready.house)
    assert held is not None
    assert held.content.serial == 5


def test_strangers_get_neither_manifest_nor_file(ready: Commune, tmp_path: Path) -> None:
    publish(ready, signed(ready, tmp_path), tmp_path)
    stranger = pole(ready, "nobody")
    for path in ("/nodes/me/software", f"/software/{hashlib.sha256(WHEEL).hexdigest()}"):
        assert stranger.get(path).status_code == 401
    assert json.loads((ready.house.settings.data / "software/release.json").read_text())["first"] == [FIRST]
