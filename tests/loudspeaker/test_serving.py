"""The real process: ready when it says so, on free ports, and gone within three seconds with pages open."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from firmware_bridge.node.enrol import enrol
from loudspeaker import __main__ as launcher
from loudspeaker import serving
from loudspeaker.conductor.offline import install_new_keys
from loudspeaker.conductor.opening import open_house
from loudspeaker.settings import Settings

START_S = 60.0
LIMIT_S = 3.0 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
"""Three seconds of a machine that does nothing else."""


class Served:
    """A running `loudspeaker serve`."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.log = (data.parent / "server.log").open("w+")
        settings = Settings(data=data, site="xa-minh-tan")
        with open_house(settings) as house, house.database.work() as session:
            install_new_keys(session, house)
        environment = {**os.environ, "LOUDSPEAKER_DATA": str(data), "LOUDSPEAKER_SITE": "xa-minh-tan"}
        self.process = subprocess.Popen([sys.executable, "-m", "loudspeaker", "serve", "--port", "0", "--json"],
                                        env=environment, stdout=subprocess.PIPE, stderr=self.log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.said()
        self.facts: dict[str, Any] = json.loads(line)

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def stop(self) -> float:
        """SIGTERM; how many seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(START_S)
        return time.monotonic() - begun

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.log.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    running = Served(tmp_path / "data")
    yield running
    running.close()


def test_it_serves_sets_up_and_ends_within_three_seconds_with_an_open_event_stream(served: Served) -> None:
    assert served.facts["site"] == "xa-minh-tan"
    with httpx2.Client(base_url=served.facts["url"], trust_env=False, timeout=10) as client:
        assert client.get("/healthz").json() == {"database": True, "broker": True}
        asked = {"code": served.facts["setup_code"], "commune": "Xã Minh Tân", "name": "Quang", "login": "quang",
                 "password": "mùa xuân ở Sơn Dương"}
        assert client.post("/api/v1/setup", json=asked).status_code == 201
        me = client.post("/api/v1/session", json={"login": "quang", "password": asked["password"]}).json()
        made = client.post("/api/v1/nodes", headers={"X-CSRF-Token": me["csrf"]}, json={
            "place_id": me["roles"][0]["place_id"], "name": "Loa 1"})
        assert made.status_code == 201, made.text
        config = enrol(made.json()["token"], served.data.parent / "pole.json")
        assert config.brokers[0].port == served.facts["broker"]["port"]
        with client.stream("GET", "/events") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: hello"
            took = served.stop()
    assert served.process.returncode == 0, served.said()
    assert took < LIMIT_S
    assert "Traceback" not in served.said()


def test_a_taken_port_is_said_and_ends_with_1(served: Served, tmp_path: Path) -> None:
    port = served.facts["url"].rsplit(":", 1)[1]
    other = subprocess.run([sys.executable, "-m", "loudspeaker", "serve", "--port", port, "--data", tmp_path / "other"],
                           capture_output=True, text=True, timeout=START_S, check=False)
    assert other.returncode == 1
    assert "Cannot listen" in other.stderr
    assert "Traceback" not in other.stderr


def test_a_part_that_does_not_open_is_said_in_a_sentence(served: Served, tmp_path: Path) -> None:
    broker = {"LOUDSPEAKER_BROKER_PORT": str(served.facts["broker"]["port"])}
    other = subprocess.run([sys.executable, "-m", "loudspeaker", "serve", "--port", "0", "--data", tmp_path / "other"],
                           capture_output=True, text=True, timeout=START_S, check=False, env=os.environ | broker)
    assert other.returncode == 1
    assert "in use by another program" in other.stderr.replace("\n", " ")
    assert "Traceback" not in other.stderr


def test_a_socket_is_bound_before_anything_else_so_that_its_port_is_known() -> None:
    bound = serving.bind("127.0.0.1", 0)
    try:
        with pytest.raises(serving.CannotListenError):
            serving.bind("127.0.0.1", bound.getsockname()[1])
    finally:
        bound.close()


def test_on_a_pole_the_command_says_how_to_install_the_server(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "fastapi" else real(name))
    with pytest.raises(SystemExit) as ended:
        launcher.main()
    assert ended.value.code == 2
    assert "pip install 'loudspeaker[server]'" in capsys.readouterr().err
