"""The node as a process of its own, with the embedded broker, the bridge and HTTP: heard in its wav and told."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.bridge.broker import BrokerUser, EmbeddedNats, server_user
from firmware_bridge.bridge.decode import Journal
from firmware_bridge.bridge.outbox import Wanted, What
from firmware_bridge.bridge.server import Bridge
from firmware_bridge.contract.documents import RunningOrder, TrustBundle
from firmware_bridge.contract.messages import Entry, policies_digest
from firmware_bridge.contract.topics import node_rights
from tests.firmware_bridge.builders import (
    COMMUNE,
    NODE,
    PATH,
    SITE,
    Commune,
    approved,
    broadcast,
    config,
    key,
    order,
    public,
    stop,
)
from tests.firmware_bridge.node.depot import Depot, serving, tone

NODE_USER = BrokerUser(NODE, "secret-of-node", "client-of-node", node_rights(SITE, NODE, PATH))


def now() -> datetime:
    return datetime.now(UTC)


class Centre:
    """The server's side of one node: sends what is wanted, receipts what comes."""

    def __init__(self, broker: EmbeddedNats, commune: Commune) -> None:
        self.commune = commune
        self.entries: dict[tuple[str, int], Entry] = {}
        self.order: RunningOrder | None = None
        address = broker.address.address_for(SERVER)
        self.bridge = Bridge(address, SITE, key("server"), lambda _: public(NODE), now)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self.bridge.start()
        self._thread.start()

    def stop(self) -> None:
        self._closing.set()
        self._thread.join()
        self.bridge.stop()

    def want(self, wanted: RunningOrder) -> None:
        self.order = wanted
        self.bridge.want([Wanted(
            NODE, (wanted.epoch, wanted.version), 1, 1, policies_digest({COMMUNE: 1}),
            wanted.standing_stop.generation)])

    def kinds(self, broadcast_id: str | None = None) -> list[str]:
        return [one.kind for _, one in sorted(self.entries.items()) if broadcast_id in (None, one.broadcast)]

    def _store(self, batch: Journal) -> None:
        for line in batch.lines:
            self.entries[batch.journal, line.entry.seq] = line.entry
        self.bridge.publish_receipt(NODE, batch.journal, batch.last_seq)

    def _run(self) -> None:
        while not self._closing.is_set():
            batch = self.bridge.drain(wait_s=0.02, idle_s=0.1)
            for one in batch.received:
                if isinstance(one.message, Journal):
                    self._store(one.message)
            for due in self.bridge.due():
                if due.what is What.TRUST:
                    self.bridge.publish_trust(NODE, TrustBundle.from_bytes(self.commune.bundle()))
                elif due.what is What.ORDER and self.order is not None:
                    self.bridge.publish_order(NODE, self.order.sign(key("server")))


SERVER = server_user()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNats]:
    held = EmbeddedNats(tmp_path_factory.mktemp("broker"), SITE)
    held.start()
    held.set_users([SERVER, NODE_USER])
    yield held
    held.stop()


@contextmanager
def node(folder: Path, broker: EmbeddedNats, depot: Depot, commune: Commune) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A node process; kill and restart by `start`."""
    settings = config(depot.url, broker.address.port, commune)
    address = settings.brokers[0].model_copy(update={"password": NODE_USER.password, "client_id": NODE_USER.client_id})
    path = folder / "node.json"
    path.write_text(settings.model_copy(update={"brokers": (address,)}).to_text())
    running: list[subprocess.Popen[bytes]] = [start(folder)]
    try:
        yield running
    finally:
        running[-1].kill()
        running[-1].wait()


def start(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "firmware_bridge.node", "run", "--config", str(folder / "node.json"), "--data",
             str(folder / "data"), "--player", "wav", "--wav", str(folder / "heard.wav")],
            stderr=log, env={**os.environ, "HTTP_PROXY": "http://127.0.0.1:9"})


@contextmanager
def scene(folder: Path, broker: EmbeddedNats) -> Iterator[tuple[Centre, Depot, list[subprocess.Popen[bytes]]]]:
    commune = Commune(issued=now() - timedelta(days=1))
    centre = Centre(broker, commune)
    centre.start()
    try:
        with serving(Depot()) as depot, node(folder, broker, depot, commune) as running:
            yield centre, depot, running
    finally:
        centre.stop()


def until(reached: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def add_tone(depot: Depot, folder: Path, seconds: float, hertz: int) -> tuple[str, int]:
    raw = tone(folder / f"{hertz}.ogg", seconds, hertz)
    name = depot.add(raw)
    depot.statements[name] = (
        approved(name, size=len(raw), duration_ms=round(seconds * 1000), issued=now() - timedelta(hours=1)),)
    return name, len(raw)


def sounds(folder: Path) -> list[tuple[float, float]]:
    """(start, end) of everything loud in the node's wav, seconds since 1970."""
    about = json.loads((folder / "heard.json").read_text())
    first = datetime.fromisoformat(about["first_sample_utc"]).timestamp()
    with wave.open(str(folder / "heard.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(float) / 32768
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    breaks = np.flatnonzero(np.diff(loud) > 0.05 * about["sample_rate"])
    if not len(loud):
        return []
    starts = loud[np.concatenate(([0], breaks + 1))]
    ends = loud[np.concatenate((breaks, [-1]))]
    return [(first + a / about["sample_rate"], first + b / about["sample_rate"])
            for a, b in zip(starts, ends, strict=True)]


def plan(names: list[tuple[str, int]], seconds: float, lead_s: float, gap_s: float, version: int = 1) -> RunningOrder:
    begins = now() + timedelta(seconds=lead_s)
    return order(
        *(broadcast(f"b{number}", begins + timedelta(seconds=number * (seconds + gap_s)), name, latest_s=2)
          for number, (name, _) in enumerate(names)),
        issued=now(), version=version, lengths={name: round(seconds * 1000) for name, _ in names},
        sizes=dict(names))


def test_an_order_by_broker_is_heard_on_time_told_and_receipted(tmp_path: Path, broker: EmbeddedNats) -> None:
    with scene(tmp_path, broker) as (centre, depot, running):
        names = [add_tone(depot, tmp_path, 1.5, hertz) for hertz in (440, 880)]
        wanted = plan(names, 1.5, 7, 1)
        centre.want(wanted)
        until(lambda: centre.kinds().count("play_end") == 2, 30)
        began = time.monotonic()
        running[-1].send_signal(signal.SIGTERM)
        running[-1].wait(5)
        assert time.monotonic() - began < 1.5
    ends = [one for one in centre.entries.values() if one.kind == "play_end"]
    assert [one.data["state"] for one in ends] == ["played", "played"]
    found = sounds(tmp_path)
    assert len(found) == 2
    for (begins, ended), one in zip(found, wanted.broadcasts, strict=True):
        assert abs(begins - one.start.timestamp()) < 0.1
        assert abs(ended - begins - 1.5) < 0.05


def test_killed_while_it_plays_it_comes_back_and_airs_what_is_left_without_the_server(
    tmp_path: Path, broker: EmbeddedNats,
) -> None:
    with scene(tmp_path, broker) as (centre, depot, running):
        names = [add_tone(depot, tmp_path, 2.0, hertz) for hertz in (440, 880, 660)]
        wanted = plan(names, 2.0, 7, 3)
        centre.want(wanted)
        until(lambda: centre.kinds().count("recording_stored") == 3)
        until(lambda: now() > wanted.broadcasts[0].start + timedelta(seconds=1))
        running[-1].kill()
        running[-1].wait()
        running.append(start(tmp_path))
        until(lambda: centre.kinds("b2").count("play_end") == 1, 30)
    states = {one.broadcast: one.data["state"] for one in centre.entries.values() if one.kind == "play_end"}
    assert states == {"b0": "unknown", "b1": "played", "b2": "played"}
    found = sounds(tmp_path)
    assert len(found) == 3
    for (begins, _), one in zip(found[1:], wanted.broadcasts[1:], strict=True):
        assert abs(begins - one.start.timestamp()) < 0.1


def test_a_stop_by_command_is_obeyed_and_answered(tmp_path: Path, broker: EmbeddedNats) -> None:
    with scene(tmp_path, broker) as (centre, depot, _):
        names = [add_tone(depot, tmp_path, 4.0, 440)]
        centre.want(plan(names, 4.0, 6, 0))
        until(lambda: "play_start" in centre.kinds("b0"))
        time.sleep(2)
        command = stop(1, issued=now())
        centre.bridge.publish_command(command, command.sign(key("server")), [NODE])
        until(lambda: "play_end" in centre.kinds("b0"), 5)
        assert "command" in centre.kinds()
    (end,) = [one for one in centre.entries.values() if one.kind == "play_end"]
    assert (end.data["state"], end.data["reason"]) == ("partial", "stopped")
