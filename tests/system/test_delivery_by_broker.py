"""A pole that reaches the broker and nothing else: its recording comes all the same, and is approved."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from firmware_bridge.bridge.broker import EmbeddedNats
from firmware_bridge.contract.envelope import to_dict
from loudspeaker.conductor.blocks import BlockDesk, Content
from tests.firmware_bridge.builders import SITE, Commune, broadcast, order
from tests.firmware_bridge.node.depot import Depot
from tests.system.test_node_over_the_air import NODE_USER, SERVER, Centre, add_tone, node, now, until

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedNats]:
    held = EmbeddedNats(tmp_path / "broker", SITE)
    held.start()
    held.set_users([SERVER, NODE_USER])
    yield held
    held.stop()


def content_of(depot: Depot, sha256: str, what: str) -> Content | None:
    if what == "statements":
        raw = json.dumps([to_dict(one) for one in depot.statements[sha256]]).encode()
    else:
        raw = depot.recordings[sha256]
    return Content(len(raw), lambda at, count: raw[at:at + count])


def test_without_https_a_recording_comes_by_way_of_the_broker(tmp_path: Path, broker: EmbeddedNats) -> None:
    commune, depot = Commune(issued=now() - timedelta(days=1)), Depot(url=NOWHERE)
    name, size = add_tone(depot, tmp_path, 2.0, 440)
    centre = Centre(broker, commune)
    desk = BlockDesk(lambda sha256, what: content_of(depot, sha256, what), centre.bridge.publish_block)
    centre.bridge.on_block_request = desk.ask
    centre.start()
    desk.start()
    try:
        with node(tmp_path, broker, depot, commune):
            soon = broadcast("b1", now() + timedelta(minutes=5), name)
            centre.want(order(soon, issued=now(), lengths={name: 2000}, sizes={name: size}))
            until(lambda: "recording_stored" in centre.kinds(), 60)
    finally:
        desk.stop()
        centre.stop()
    assert (tmp_path / f"data/recordings/{name}.ogg").read_bytes() == depot.recordings[name]
