"""A commune to look at with a browser: a real server with its broker, and poles, each in a process of its own."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from firmware_bridge.bridge.broker.child import free_port
from loudspeaker.conductor.house import House
from loudspeaker.conductor.opening import open_house
from loudspeaker.demo.processes import Child, stop_all
from loudspeaker.demo.sample import Sample, approve_all, make_sample
from loudspeaker.settings import Settings

HOST = "127.0.0.1"
STARTING_S = 30.0
SPEAKING_S = 90.0


@dataclass
class Commune:
    """The server at `url`; `folder` takes every process's words."""

    folder: Path
    settings: Settings
    server: Child
    poles: dict[str, Child] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.settings.port}"

    @property
    def sound(self) -> Path:
        """Where the poles' sound is: `<node>.wav`, each with its `<node>.json`."""
        return self.folder / "sound"

    @property
    def setup_code(self) -> str:
        """The code of the first run, as the server printed it."""
        told = [line for line in self.server.log.read_text().splitlines() if line.startswith("{")]
        return str(json.loads(told[0])["setup_code"])

    def start(self) -> None:
        self.server.start()
        with httpx2.Client(trust_env=False, timeout=2.0) as client:
            until("the server answers", lambda: self._answers(client), STARTING_S)

    def start_pole(self, config: Path) -> Child:
        """A node with this configuration file, whose sound goes to a wav; the same node again after its end."""
        node = json.loads(config.read_text())["node"]
        if node not in self.poles:
            config.chmod(0o600)
            self.sound.mkdir(exist_ok=True)
            self.poles[node] = Child(node, [
                sys.executable, "-m", "firmware_bridge.node", "run", "--config", str(config), "--data",
                str(self.folder / node), "--player", "wav", "--wav", str(self.sound / f"{node}.wav"),
            ], self.folder / f"{node}.log", {})
        self.poles[node].start()
        return self.poles[node]

    def stop(self) -> None:
        stop_all(list(self.poles.values()))
        stop_all([self.server])

    def _answers(self, client: httpx2.Client) -> bool:
        self.server.must_live()
        try:
            return client.get(f"{self.url}/healthz").status_code == 200
        except httpx2.TransportError:
            return False


def until(what: str, reached: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until `reached()`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain: {what}"
        time.sleep(0.1)


@contextmanager
def empty_commune(folder: Path, **environment: str) -> Iterator[Commune]:
    """An installation at its first run, with `environment` for its server."""
    commune = prepared(folder, **environment)
    try:
        commune.start()
        yield commune
    finally:
        commune.stop()


@contextmanager
def sample_commune(folder: Path, **environment: str) -> Iterator[tuple[Commune, Sample, House]]:
    """The sample commune with its bulletins spoken and approved; the house is a second view of its database."""
    commune = prepared(folder, **environment)
    with open_house(commune.settings) as house:
        sample = make_sample(house, folder)
        try:
            commune.start()
            until("the sample bulletins are spoken", lambda: approve_all(house, sample), SPEAKING_S)
            yield commune, sample, house
        finally:
            commune.stop()


def prepared(folder: Path, **environment: str) -> Commune:
    settings = Settings(data=folder / "data", host=HOST, port=free_port(HOST), broker_port=free_port(HOST))
    server = Child("server", [sys.executable, "-m", "loudspeaker", "serve", "--json"], folder / "server.log", {
        "LOUDSPEAKER_DATA": str(settings.data), "LOUDSPEAKER_PORT": str(settings.port),
        "LOUDSPEAKER_BROKER_PORT": str(settings.broker_port), **environment})
    return Commune(folder, settings, server)
