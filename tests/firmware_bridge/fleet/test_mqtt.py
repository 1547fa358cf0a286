"""The bytes of MQTT 3.1.1, and packets that come in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.fleet import mqtt
from firmware_bridge.fleet.mqtt import BadPacket, Kind, Packet, Reader
from firmware_bridge.wire import Address, Will

ADDRESS = Address("h", 1, "user", "word", "me")
messages = st.lists(st.tuples(st.text(min_size=1, max_size=20), st.binary(max_size=300)), max_size=5)


def test_a_login_says_clean_session_user_password_and_will() -> None:
    raw = mqtt.connect(ADDRESS, Will("t", b"w"), 25)
    assert raw[:12] == bytes((0x10, len(raw) - 2)) + b"\x00\x04MQTT\x04\xc6\x00\x19"
    assert raw[12:] == b"\x00\x02me\x00\x01t\x00\x01w\x00\x04user\x00\x04word"


def test_a_subscription_asks_for_qos_0() -> None:
    assert mqtt.subscribe(7, ["a/b"]) == b"\x82\x08\x00\x07\x00\x03a/b\x00"


@given(messages, st.integers(min_value=1, max_value=50))
def test_messages_come_out_as_they_went_in_whatever_the_pieces(listed: list[tuple[str, bytes]], size: int) -> None:
    raw = b"".join(mqtt.publish(topic, payload) for topic, payload in listed)
    reader, found = Reader(), list[Packet]()
    for at in range(0, len(raw), size):
        found += reader.feed(raw[at:at + size])
    read = [mqtt.read_published(one) for one in found]
    assert [(one.topic, one.payload, one.retained) for one in read] == [(*one, False) for one in listed]


@given(st.binary(max_size=60))
def test_any_bytes_are_packets_or_refused(raw: bytes) -> None:
    try:
        for packet in Reader().feed(raw):
            if packet.kind == Kind.PUBLISH:
                mqtt.read_published(packet)
    except BadPacket:
        return


def test_a_length_without_an_end_is_refused() -> None:
    with pytest.raises(BadPacket):
        list(Reader().feed(b"\x30\xff\xff\xff\xff\x01"))


def test_large_lengths_are_written_in_several_bytes() -> None:
    (packet,) = Reader().feed(mqtt.publish("t", bytes(200_000)))
    assert len(mqtt.read_published(packet).payload) == 200_000
