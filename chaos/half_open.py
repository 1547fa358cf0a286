"""Connections that die without a word: when each side sees it."""

import random
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlmodel import col, select

from chaos.proxy import Proxy
from firmware_bridge.bridge.broker import BrokerUser, EmbeddedNats, Endpoint, new_secret
from firmware_bridge.contract import topics
from firmware_bridge.contract.messages import HEARTBEAT_SECONDS
from firmware_bridge.wire import Connection
from firmware_bridge.wire.connection import KEEPALIVE_S
from loudspeaker.conductor.health import sweep_nodes
from loudspeaker.conductor.jobs import HEALTH_S
from loudspeaker.database import Database
from loudspeaker.migrations import upgrade
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.places.models import Place
from loudspeaker.settings import Settings

LIMIT_S = 100.0
SITE, NODE = "site-0badcafe", "thon-an-binh-1"
BEGIN = datetime(2026, 3, 15, 5, 0, tzinfo=UTC)


def seen_by_server(nodes: int, seed: int) -> list[float]:
    """Seconds after their last word at which the server's own rounds declare dead nodes offline; a virtual clock."""
    draw = random.Random(seed)
    silence = timedelta(seconds=Settings.model_fields["offline_seconds"].default)
    with tempfile.TemporaryDirectory(prefix="half-open-") as folder:
        database = Database(f"sqlite:///{folder}/server.db")
        upgrade(database.engine)
        last = {f"pole-{number}": BEGIN + timedelta(seconds=draw.uniform(0, HEARTBEAT_SECONDS))
                for number in range(nodes)}
        _fill(database, last)
        seen: dict[str, float] = {}
        now = BEGIN + timedelta(seconds=draw.uniform(0, HEALTH_S))
        while len(seen) < nodes and now < BEGIN + timedelta(minutes=10):
            with database.work() as session:
                sweep_nodes(session, now, silence, BEGIN - timedelta(hours=1))
            with database.read() as session:
                lost = session.exec(select(col(NodeState.node_id)).where(col(NodeState.online).is_(False))).all()
            seen |= {node: (now - last[node]).total_seconds() for node in lost if node not in seen}
            now += timedelta(seconds=HEALTH_S)
        database.close()
    return [seen.get(node, float("inf")) for node in last]


def seen_by_node(keepalive_s: int = KEEPALIVE_S) -> float:
    """Seconds after which a pole's real connection through a black hole is given up."""
    user = BrokerUser(NODE, new_secret(), new_secret(), topics.node_rights(SITE, NODE, ()))
    with tempfile.TemporaryDirectory(prefix="half-open-") as folder:
        broker = EmbeddedNats(Path(folder), SITE)
        broker.set_users([user])
        broker.start()
        up, down = threading.Event(), threading.Event()
        try:
            with Proxy(broker.address.host, broker.address.port) as proxy:
                connection = Connection(
                    Endpoint("127.0.0.1", proxy.port).address_for(user), user.rights.subscribe if user.rights else (),
                    lambda *_: None, up.set, lambda _reason: down.set(), keepalive_s=keepalive_s)
                connection.start()
                if not up.wait(30):
                    return float("inf")
                proxy.freeze()
                began = time.monotonic()
                found = down.wait(2 * LIMIT_S)
                took = time.monotonic() - began
                proxy.thaw()
                connection.stop()
        finally:
            broker.stop()
    return took if found else float("inf")


def _fill(database: Database, last: dict[str, datetime]) -> None:
    with database.work() as session:
        session.add(Place(id="xa", path="xa/", kind="commune", name="Xã", created_at=BEGIN))
        session.flush()
        session.add_all(Node(id=node, place_id="xa", name=node, public_key="", client_id=node, broker_secret="",
                             api_token_hash=node, created_at=BEGIN) for node in last)
        session.flush()
        session.add_all(NodeState(node_id=node, online=True, seen_at=at) for node, at in last.items())
