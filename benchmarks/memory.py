"""The server's memory with a thousand and with ten thousand nodes in its database, joined and heard from."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx2

from benchmarks.orders import peak_mb
from firmware_bridge.bridge.broker.child import free_port
from firmware_bridge.contract.messages import Heartbeat, Held, Hello
from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.contract.topics import Down, Up, of_node
from firmware_bridge.wire import Address, Connection
from loudspeaker.conductor.opening import open_house
from loudspeaker.demo.district import Size, make_district
from loudspeaker.demo.processes import Child
from loudspeaker.settings import Settings

HOST = "127.0.0.1"
LIMITS_MB = {1_000: 200.0, 10_000: 400.0}
SPEAKING = 50
"""Nodes that join and are heard; the others are known, with their orders, rights and wants."""
READY_S, WATCHED_S = 240.0, 20.0


def run() -> list[dict[str, object]]:
    """The resident memory of `loudspeaker serve` (its broker is a process of its own) against the limits."""
    rows: list[dict[str, object]] = []
    for nodes, limit in LIMITS_MB.items():
        resident, peak = _served(nodes)
        rows.append({"what": f"server memory with {nodes:,} nodes", "against": f"{limit:.0f} MB",
                     "ratio": round(resident / limit, 2), "limit": 1.0, "ok": resident <= limit,
                     "detail": f"{resident:.0f} MB resident after its orders were built, {peak:.0f} MB at most"})
    return rows


def _served(nodes: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as name:
        folder = Path(name)
        settings = Settings(data=folder / "data", host=HOST, port=free_port(HOST), broker_port=free_port(HOST))
        with open_house(settings) as house:
            today = house.now().replace(hour=17, minute=0, second=0, microsecond=0) - timedelta(days=1)
            configs = make_district(house, Size(nodes), today, settings.broker_port).configs
        server = Child("server", [sys.executable, "-m", "loudspeaker", "serve"], folder / "server.log", {
            "LOUDSPEAKER_DATA": str(settings.data), "LOUDSPEAKER_PORT": str(settings.port),
            "LOUDSPEAKER_BROKER_PORT": str(settings.broker_port)})
        server.start()
        try:
            _await_orders(server, settings, configs)
            _speak(configs[:SPEAKING])
            return _resident_mb(server.pid), peak_mb(str(server.pid))
        finally:
            server.stop()


def _await_orders(server: Child, settings: Settings, configs: list[NodeConfig]) -> None:
    """Wait until the last node's order is built."""
    until = time.monotonic() + READY_S
    last = configs[-1]
    headers = {"Authorization": f"Bearer {last.api_token}"}
    with httpx2.Client(base_url=last.server, trust_env=False, timeout=30.0, headers=headers) as client:
        while True:
            server.must_live()
            try:
                if client.get("/nodes/me/order").status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            if time.monotonic() > until:
                raise RuntimeError(f"no orders after {READY_S:.0f} s")
            time.sleep(0.5)


def _speak(configs: list[NodeConfig]) -> None:
    """Hellos and heartbeats of some nodes for a while."""
    joined = [_joined(config) for config in configs]
    until = time.monotonic() + WATCHED_S
    while time.monotonic() < until:
        for config, link in zip(configs, joined, strict=True):
            if link.connected:
                for kind, payload in _words():
                    link.publish(of_node(config.site, config.node, kind), payload)
        time.sleep(1.0)
    for link in joined:
        link.stop()


def _words() -> Iterator[tuple[Up, bytes]]:
    yield Up.HELLO, Hello(boot="b", connection=1, journal="j", held=Held()).to_bytes()
    yield Up.HEARTBEAT, Heartbeat(o=(0, 0), t=(0, 0, "")).to_bytes()


def _joined(config: NodeConfig) -> Connection:
    broker = config.brokers[0]
    address = Address(broker.host, broker.port, broker.username, broker.password, broker.client_id)
    topics = [of_node(config.site, config.node, kind) for kind in Down]
    link = Connection(address, topics, lambda *_: None, lambda: None, lambda _reason: None)
    link.start()
    return link


def _resident_mb(pid: int | None) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
