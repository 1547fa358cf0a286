"""Two servers by mistake on one database: one leads, the other is told so, and a frozen one wakes up powerless."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from loudspeaker.conductor.opening import open_house
from loudspeaker.settings import Settings

READY_S, END_S = 60, 20


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two data folders with the same keys; the database is in the first."""
    first, second = tmp_path / "first", tmp_path / "second"
    with open_house(Settings(data=first)):
        pass
    shutil.copytree(first, second)
    return first, second


class Served:
    """`loudspeaker serve` on a data folder, with the database of the first."""

    def __init__(self, data: Path, database: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "loudspeaker", "serve", "--data", str(data), "--port", "0", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment | {"LOUDSPEAKER_DATABASE_URL": f"sqlite:///{database}"})
        self.url = ""

    def ready(self) -> "Served":
        """Once it serves."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.url = json.loads(line)["url"]
        assert httpx.get(f"{self.url}/healthz", trust_env=False, timeout=10).status_code == 200
        return self

    def end(self) -> str:
        """Gone, whatever it takes; what it said on stderr."""
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        return self.process.communicate(timeout=END_S)[1]


@pytest.fixture
def servers(folders: tuple[Path, Path]) -> Iterator[list[Served]]:
    """Servers that end with the test."""
    started: list[Served] = []
    yield started
    for one in started:
        one.end()


def start(servers: list[Served], data: Path, first: Path) -> Served:
    servers.append(Served(data, first / "loudspeaker.db"))
    return servers[-1]


def test_the_second_is_refused_with_a_sentence_and_the_first_serves_on(
        folders: tuple[Path, Path], servers: list[Served]) -> None:
    first, second = folders
    leader = start(servers, first, first).ready()
    other = start(servers, second, first)
    said = other.process.communicate(timeout=READY_S)[1]
    assert other.process.returncode == 1
    assert f"another server works on this database (process {leader.process.pid}" in " ".join(said.split())
    assert httpx.get(f"{leader.url}/healthz", trust_env=False, timeout=10).status_code == 200


def test_after_kill_9_the_next_leads_at_once_and_a_frozen_leader_ends_when_it_wakes(
        folders: tuple[Path, Path], servers: list[Served]) -> None:
    first, second = folders
    killed = start(servers, first, first).ready()
    killed.process.kill()
    killed.process.wait(END_S)
    frozen = start(servers, first, first).ready()
    frozen.process.send_signal(signal.SIGSTOP)
    leader = start(servers, second, first).ready()
    frozen.process.send_signal(signal.SIGCONT)
    began = time.monotonic()
    frozen.process.wait(END_S)
    assert time.monotonic() - began < END_S
    assert leader.process.poll() is None
    assert httpx.get(f"{leader.url}/healthz", trust_env=False, timeout=10).status_code == 200
