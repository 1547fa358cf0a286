"""Many agents on one loop, at a real broker and the server's real bridge."""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from firmware_bridge.bridge.broker import BrokerUser, EmbeddedNats, server_user
from firmware_bridge.bridge.server import Bridge
from firmware_bridge.contract.documents import CommandKind, StandingStop, TrustBundle
from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.contract.topics import node_rights
from firmware_bridge.fleet.line import Line
from firmware_bridge.fleet.running import running
from tests.firmware_bridge.builders import PATH, SITE, Commune, command, config, key, order, public

POLES = 15
PATIENCE_S = 60.0
COMMUNE = Commune(issued=datetime.now(UTC) - timedelta(days=1), keys_until=datetime.now(UTC) + timedelta(days=30))


@dataclass
class Site:
    broker: EmbeddedNats
    bridge: Bridge
    configs: list[NodeConfig]

    def give(self, version: int) -> None:
        """Every pole is to hold trust and an order of this version."""
        now = datetime.now(UTC)
        for one in self.configs:
            document = order(node=one.node, version=version, issued=now)
            self.bridge.publish_trust(one.node, TrustBundle.from_bytes(COMMUNE.bundle()))
            self.bridge.publish_order(one.node, document.sign(key("server")))


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    names = [f"pole-{number}" for number in range(POLES)]
    own, broker = server_user(), EmbeddedNats(folder / "broker", SITE)
    users = [BrokerUser(one, "secret", f"client-{one}", node_rights(SITE, one, PATH)) for one in names]
    broker.set_users([own, *users])
    broker.start()
    bridge = Bridge(broker.address.address_for(own), SITE, key("server"), public, lambda: datetime.now(UTC))
    bridge.start()
    try:
        yield Site(broker, bridge, [config("http://127.0.0.1:9", broker.address.port, COMMUNE, one) for one in names])
    finally:
        bridge.stop()
        broker.stop()


def test_agents_hold_what_they_are_sent_and_obey_a_stop_over_a_bad_line(tmp_path: Path) -> None:
    async def live(one: Site) -> None:
        heard: list[tuple[str, str]] = []
        async with running(one.configs, line=Line(0.01, 0.02, 0.05),
                           on_heard=lambda node, topic, _at: heard.append((node, topic))) as fleet:
            assert await fleet.until(lambda pole: pole.state.link.up, PATIENCE_S) is not None
            one.give(1)
            assert await fleet.until(lambda pole: pole.state.seen == (1, 1), PATIENCE_S) is not None
            stop = command("stop-1", CommandKind.STOP, target="group:all", issued=datetime.now(UTC),
                           standing_stop=StandingStop(generation=1, active=True))
            one.bridge.publish_command(stop, stop.sign(key("server")), [pole.node for pole in fleet.poles])
            assert await fleet.until(lambda pole: "stop-1" in pole.seen.commands, PATIENCE_S) is not None
            assert {node for node, topic in heard if "/groups/all/" in topic} == {pole.node for pole in fleet.poles}
            summary = fleet.summary()
            assert (summary.connected, summary.with_order, summary.with_trust) == (POLES, POLES, POLES)
            assert not summary.refusals

    with site(tmp_path) as one:
        asyncio.run(live(one))


def test_agents_find_a_broker_again_that_was_killed_and_wiped(tmp_path: Path) -> None:
    async def live(one: Site) -> None:
        async with running(one.configs) as fleet:
            assert await fleet.until(lambda pole: pole.state.link.up, PATIENCE_S) is not None
            assert one.broker.pid is not None
            os.kill(one.broker.pid, signal.SIGKILL)
            shutil.rmtree(tmp_path / "broker")
            assert await fleet.until(lambda pole: pole.state.link.connection >= 2, PATIENCE_S) is not None

    with site(tmp_path) as one:
        asyncio.run(live(one))
