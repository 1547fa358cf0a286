"""One election morning from beginning to end: server, broker and twelve poles as processes of their own."""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from loudspeaker.conductor.house import House
from loudspeaker.conductor.opening import utc_now
from loudspeaker.demo.plan import (
    PlannedPlayback,
    all_here,
    as_rows,
    is_delivered,
    is_over,
    last_end,
    planned_playbacks,
    states,
    write_plan,
)
from loudspeaker.demo.processes import Child, kill_process, stop_all
from loudspeaker.demo.sample import Sample, approve_all, morning_programmes
from loudspeaker.errors import UnavailableError
from loudspeaker.playbacks.models import Playback

LEAD = timedelta(seconds=9)
"""From saving the programmes to the first airing, when nothing is to be killed before it."""
LEAD_WITH_KILL = timedelta(seconds=20)
SPEAKING_SECONDS = 120.0
STARTING_SECONDS = 30.0
AFTERWARDS_SECONDS = 150.0
"""How long the poles may take to tell what they did, once server and broker are back."""
TICK_SECONDS = 0.25

Show = Callable[[list[PlannedPlayback], dict[tuple[str, str], Playback]], None]


@dataclass
class Ports:
    """Where server and broker listen, so that they come back at the same addresses."""

    server: int
    broker: int


@dataclass
class Morning:
    """The running demo. `record` takes every pole's sound; with `loud` one pole speaks through this computer."""

    house: House
    sample: Sample
    folder: Path
    ports: Ports
    record: Path | None = None
    loud: bool = False
    kill_server: bool = False
    show: Show = lambda _planned, _played: None
    children: list[Child] = field(default_factory=list)
    planned: list[PlannedPlayback] = field(default_factory=list)

    def run(self) -> list[dict[str, Any]]:
        """Start everything, air the morning, wait for the log; the plan's rows with their final states."""
        server = self._server()
        self._start_server(server)
        for child in self._poles():
            child.start()
            self.children.append(child)
        self._until("the sample bulletins are spoken", SPEAKING_SECONDS, lambda: approve_all(self.house, self.sample))
        self._until("the poles have said hello", STARTING_SECONDS, self._are_here)
        lead = LEAD_WITH_KILL if self.kill_server else LEAD
        self._plan(utc_now() + lead)
        if self.kill_server:
            self._until("the poles hold what they will air", lead.total_seconds(), self._delivered)
            self._kill(server)
        self._watch_until(last_end(self.planned) + timedelta(seconds=1))
        if self.kill_server:
            self._start_server(server)
        self._until("the poles have told what they did", AFTERWARDS_SECONDS, lambda: is_over(self.played()))
        return as_rows(self.planned, self.played())

    def played(self) -> dict[tuple[str, str], Playback]:
        """The as-run log now."""
        with self.house.database.read() as session:
            return states(session)

    def stop(self) -> None:
        """End all processes: poles first, so that each wav is closed before its server is gone."""
        stop_all(self.children[1:])
        stop_all(self.children[:1])

    def keep_record(self, rows: list[dict[str, Any]]) -> None:
        """Write the plan and every rendition beside the poles' sound."""
        if self.record is None:
            return
        write_plan(self.record / "plan.json", rows)
        for sha256 in {item["sha256"] for row in rows for item in row["items"]}:
            shutil.copyfile(self.house.store.path_of(sha256), self.record / f"{sha256}.ogg")

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.ports.server}"

    def _server(self) -> Child:
        child = Child("server", [sys.executable, "-m", "loudspeaker", "serve"], self.folder / "server.log", {
            "LOUDSPEAKER_DATA": str(self.house.settings.data), "LOUDSPEAKER_PORT": str(self.ports.server),
            "LOUDSPEAKER_BROKER_PORT": str(self.ports.broker)})
        self.children.append(child)
        return child

    def _start_server(self, server: Child) -> None:
        server.start()
        with httpx2.Client(trust_env=False, timeout=2.0) as client:
            self._until("the server answers", STARTING_SECONDS,
                        lambda: _answers(server, client, f"{self.url}/healthz"))

    def _poles(self) -> list[Child]:
        poles = []
        for number, (node, config) in enumerate(sorted(self.sample.configs.items())):
            command = [sys.executable, "-m", "firmware_bridge.node", "run", "--config", str(config),
                       "--data", str(self.folder / node)]
            if self.loud and number == 0:
                command += ["--player", "system"]
            elif self.record is not None:
                command += ["--player", "wav", "--wav", str(self.record / f"{node}.wav")]
            else:
                command += ["--player", "null"]
            poles.append(Child(node, command, self.folder / f"{node}.log", {}))
        return poles

    def _plan(self, begins: datetime) -> None:
        """Save the programmes over the API; the server expands them and tells the poles."""
        headers = {"Authorization": f"Bearer {self.sample.editor_token}"}
        with httpx2.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30.0) as client:
            for programme in morning_programmes(self.sample, begins.replace(microsecond=0)):
                answer = client.post("/api/v1/programmes", json=programme)
                if answer.status_code != 201:
                    raise UnavailableError("The programme was refused: %(why)s", why=answer.text)
        with self.house.database.read() as session:
            self.planned = planned_playbacks(session)

    def _are_here(self) -> bool:
        with self.house.database.read() as session:
            return all_here(session, len(self.sample.configs))

    def _delivered(self) -> bool:
        with self.house.database.read() as session:
            return is_delivered(session, self.planned)

    def _kill(self, server: Child) -> None:
        broker = self.folder / "data" / "broker" / "nats.pid"
        pid = int(broker.read_text()) if broker.exists() else None
        server.kill()
        if pid is not None:
            kill_process(pid)

    def _watch_until(self, end: datetime) -> None:
        while utc_now() < end:
            self._tick()

    def _until(self, what: str, seconds: float, reached: Callable[[], bool]) -> None:
        until = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > until:
                raise UnavailableError("Waited %(seconds)s seconds in vain: %(what)s.", seconds=round(seconds),
                                       what=what)
            self._tick()

    def _tick(self) -> None:
        for child in self.children[1:]:
            child.must_live()
        if self.planned:
            self.show(self.planned, self.played())
        time.sleep(TICK_SECONDS)


def _answers(server: Child, client: httpx2.Client, url: str) -> bool:
    server.must_live()
    try:
        return client.get(url).status_code == 200
    except httpx2.TransportError:
        return False
