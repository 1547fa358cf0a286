"""The rights of nodes on the real brokers: every node against every other's topics (the long form is in `chaos`)."""

import pytest

from chaos.frame import Scale
from chaos.rights_matrix import SITE, foreign_filters, foreign_topics
from chaos.rows.snooping import Maker, snooping
from firmware_bridge.bridge.broker import EmbeddedMosquitto, EmbeddedNats, dynsec, nats_config
from firmware_bridge.contract import topics

BROKERS: dict[str, Maker] = {
    "nats": lambda folder: EmbeddedNats(folder, SITE),
    "mosquitto": lambda folder: EmbeddedMosquitto(folder, SITE),
}


@pytest.mark.parametrize("broker", BROKERS)
def test_no_node_hears_or_says_what_is_not_its_own(broker: str) -> None:
    seen = snooping(BROKERS[broker], Scale(long=False, seed=7), nodes=3, most=120)
    assert seen.n > 300
    assert not seen.bad, seen.note


def test_the_matrix_sees_a_node_of_mosquitto_that_may_subscribe_to_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynsec, "DENIED", {**dynsec.DENIED, "subscribe": True, "publishClientReceive": True})
    assert snooping(BROKERS["mosquitto"], Scale(long=False, seed=7), nodes=2, most=60).bad


def test_the_matrix_sees_a_node_of_nats_with_a_right_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    def generous(mqtt_topics: list[str]) -> str:
        return '["loudspeaker.v1.>"]'

    monkeypatch.setattr(nats_config, "_subjects", generous)
    assert snooping(BROKERS["nats"], Scale(long=False, seed=7), nodes=2, most=60).bad


def test_the_matrix_tries_no_topic_that_is_a_nodes_own() -> None:
    for node in range(3):
        own = topics.node_rights(SITE, f"node-{node}", (f"commune-{node % 2}", f"village-{node}"))
        assert not {one.encode() for one in own.publish} & set(foreign_topics(node, 3))
        assert not {one.encode() for one in own.subscribe} & set(foreign_filters(node, 3))
