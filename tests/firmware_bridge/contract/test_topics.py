"""Topics and rights: literal, own, and nothing that could widen them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract.messages import Heartbeat, chain, policies_digest
from firmware_bridge.contract.topics import ALL, BadTopic, Down, ToGroup, Up, node_rights, of_group, of_node, parse_up


@given(st.text(max_size=12))
def test_no_id_can_widen_a_topic(text: str) -> None:
    try:
        topic = of_node("site", text, Up.HELLO)
    except BadTopic:
        return
    assert topic == f"loudspeaker/v1/site/nodes/{text}/hello"
    assert not set(text) & set("+#/*>$ .")


@pytest.mark.parametrize("topic", [
    "loudspeaker/v1/site/nodes/n1", "loudspeaker/v1/other/nodes/n1/hello", "loudspeaker/v1/site/nodes/+/hello",
    "loudspeaker/v1/site/nodes/n1/order", "loudspeaker/v2/site/nodes/n1/hello", "a/b", "",
    "loudspeaker/v1/site/nodes/n1/hello/more"])
def test_other_topics_are_not_read(topic: str) -> None:
    with pytest.raises(BadTopic):
        parse_up(topic, "site")


def test_a_node_has_rights_to_its_own_topics_and_its_groups_only() -> None:
    rights = node_rights("site", "n1", ("xa", "thon"))
    assert set(rights.publish) == {of_node("site", "n1", kind) for kind in Up}
    assert set(rights.subscribe) == {
        *(of_node("site", "n1", kind) for kind in Down),
        *(of_group("site", group, ToGroup.COMMAND) for group in ("xa", "thon", ALL)),
        of_group("site", ALL, ToGroup.ROLL_CALL)}
    assert not any(set(topic) & set("+#*>$") for topic in (*rights.publish, *rights.subscribe))


def test_the_digest_of_policies_tells_places_and_versions_apart() -> None:
    digests = {policies_digest(one) for one in ({}, {"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 1})}
    assert len(digests) == 5
    assert policies_digest({"a": 1, "b": 2}) == policies_digest({"b": 2, "a": 1})


def test_a_chain_depends_on_every_entry_before() -> None:
    head = chain(chain("0" * 64, "one"), "two")
    assert head != chain(chain("0" * 64, "0ne"), "two")


def test_an_idle_heartbeat_fits_into_a_hundred_bytes() -> None:
    beat = Heartbeat(o=(12, 123_456), t=(99, 9999, "0123abcd"), s=1_795_171_939_916, j=9_999_999)
    assert len(beat.to_bytes()) <= 100
