"""Reading what nodes say: everything that means nothing is named, nothing escapes."""

import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.bridge.decode import Journal, Malformed, Received, Why, decode
from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import keys
from firmware_bridge.contract.documents import Receipt
from firmware_bridge.contract.messages import (
    FIRST_HASH,
    Entry,
    Heartbeat,
    Hello,
    JournalBatch,
    Presence,
    Telemetry,
    TimeRequest,
    chain,
)
from firmware_bridge.contract.topics import Up

NOW = datetime(2026, 3, 15, 5, 30, tzinfo=UTC)
KEY = keys.new_key()
PUBLIC = keys.public_to_base64(KEY)


def read(kind: str, payload: bytes, site: str = "demo", node: str = "n1") -> Received | Malformed:
    return decode(f"loudspeaker/v1/{site}/nodes/{node}/{kind}", payload, "demo",
                  lambda one: PUBLIC if one == "n1" else None, NOW)


def why(kind: str, payload: bytes) -> Why:
    refused = read(kind, payload)
    assert isinstance(refused, Malformed), refused
    assert refused.node == "n1"
    return refused.why


def entry(seq: int, **changes: object) -> str:
    return Entry.model_validate({"seq": seq, "at": NOW, "kind": "boot"} | changes).to_bytes().decode()


def batch(*entries: str, first_seq: int = 1, node: str = "n1", key: Ed25519PrivateKey = KEY) -> bytes:
    return dsse.encode(JournalBatch(node=node, journal="j", first_seq=first_seq, previous=FIRST_HASH,
                                    entries=entries).sign(key))


HEARTBEAT = Heartbeat(o=(1, 2), t=(1, 1, "0badcafe"), s=3, j=4, p="b1", m=Telemetry(cpu_c=40.5, power="mains"))
MESSAGES: dict[Up, Hello | Presence | Heartbeat | TimeRequest] = {
    Up.HELLO: Hello(boot="b", connection=2, journal="j"),
    Up.PRESENCE: Presence(boot="b", connection=2, online=False),
    Up.HEARTBEAT: HEARTBEAT,
    Up.TIME_REQUEST: TimeRequest(nonce="n", sent=NOW),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_each_kind_of_message_is_read_as_what_it_is(kind: Up) -> None:
    assert read(kind, MESSAGES[kind].to_bytes()) == Received("n1", kind, MESSAGES[kind], NOW)


def test_a_message_of_a_newer_node_is_read_without_what_is_unknown() -> None:
    newer = json.loads(HEARTBEAT.to_bytes()) | {"battery": {"v": [12.1]}}
    assert read(Up.HEARTBEAT, json.dumps(newer).encode()) == Received("n1", Up.HEARTBEAT, HEARTBEAT, NOW)


@pytest.mark.parametrize("topic", [
    "", "loudspeaker/v1/demo/nodes/n1", "loudspeaker/v1/other/nodes/n1/hello", "loudspeaker/v2/demo/nodes/n1/hello",
    "loudspeaker/v1/demo/nodes/n1/order", "loudspeaker/v1/demo/nodes/N1/hello", "loudspeaker/v1/demo/nodes//hello",
    "loudspeaker/v1/demo/groups/n1/hello", "loudspeaker/v1/demo/nodes/n1/hello/x",
])
def test_a_topic_that_is_not_a_nodes_own_is_no_message(topic: str) -> None:
    refused = decode(topic, MESSAGES[Up.HELLO].to_bytes(), "demo", lambda _: PUBLIC, NOW)
    assert refused == Malformed("", topic, Why.TOPIC, "")


@pytest.mark.parametrize(("payload", "reason"), [
    (b"", Why.NOT_JSON), (b"{", Why.NOT_JSON), (b"\xff\xfe", Why.NOT_JSON), (b"[" * 5000, Why.NOT_JSON),
    (b'{"nonce":"a\\u0000b"}', Why.NOT_JSON), (b'{"nonce":"\\ud800"}', Why.NOT_JSON), (b"null", Why.FIELDS),
    (b"[]", Why.FIELDS), (b"{}", Why.FIELDS), (b'{"o":[0,0],"t":[0,0,""],"m":{"cpu_c":NaN}}', Why.FIELDS),
    (b'{"o":[0,0],"t":[0,0,""],"m":{"cpu_c":1e999}}', Why.FIELDS), (b'{"o":[-1,0],"t":[0,0,""]}', Why.FIELDS),
    (b'{"o":[0,0],"t":[0,0,""],"j":99999999999999999999}', Why.FIELDS),
    (b'{"o":[0,0],"t":[0,0,""],"m":{"disk_free_mb":99999999999}}', Why.FIELDS), (b" " * 9000, Why.TOO_LARGE),
])
def test_a_heartbeat_that_is_none_is_named(payload: bytes, reason: Why) -> None:
    assert why(Up.HEARTBEAT, payload) is reason


@pytest.mark.parametrize("sent", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00"])
def test_an_instant_that_is_none_is_named(sent: str) -> None:
    assert why(Up.TIME_REQUEST, f'{{"nonce":"n","sent":"{sent}"}}'.encode()) is Why.FIELDS


def test_a_signed_journal_is_read_with_the_chain_worked_out() -> None:
    one, two = entry(5, data={"ưu tiên": [1, None]}), entry(6, kind="a_later_kind")
    received = read(Up.JOURNAL, batch(one, two, first_seq=5))
    assert isinstance(received, Received)
    journal = received.message
    assert isinstance(journal, Journal)
    first = chain(FIRST_HASH, one)
    assert [(line.entry.seq, line.text, line.hash) for line in journal.lines] == [
        (5, one, first), (6, two, chain(first, two))]
    assert journal.last_seq == 6


def test_an_empty_batch_says_where_the_journal_stands() -> None:
    received = read(Up.JOURNAL, batch(first_seq=9))
    assert isinstance(received, Received)
    assert isinstance(received.message, Journal)
    assert received.message.last_seq == 8


def test_a_strangers_journal_is_not_believed() -> None:
    refused = read(Up.JOURNAL, batch(entry(1)), node="n2")
    assert isinstance(refused, Malformed)
    assert refused.why is Why.UNKNOWN_NODE


@pytest.mark.parametrize(("payload", "reason"), [
    (batch(entry(1), key=keys.new_key()), Why.SIGNATURE),
    (batch(entry(1), node="n2"), Why.WRONG_NODE),
    (batch(entry(1), entry(3)), Why.SEQUENCE),
    (batch(entry(1), entry(1)), Why.SEQUENCE),
    (batch(entry(1).replace('"kind"', '"kind":"x","kind"')), Why.FIELDS),
    (batch(entry(1).replace('"boot"', '"\\ud800"')), Why.FIELDS),
    (batch(entry(1)[:-1] + ',"data":{"x":1e999}}'), Why.FIELDS),
    (batch("\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace")), Why.FIELDS),
    (batch(*[entry(at) for at in range(1, 1002)]), Why.TOO_LARGE),
    (dsse.encode(Receipt(site="demo", node="n1", journal="j", seq=1, issued=NOW).sign(KEY)), Why.WRONG_TYPE),
    (dsse.encode(dsse.sign(JournalBatch.TYPE, b"[]", KEY)), Why.FIELDS),
    (b"{}", Why.ENVELOPE), (b"not json", Why.ENVELOPE), (b"x" * (1024 * 1024 + 1), Why.TOO_LARGE),
])
def test_a_journal_that_is_none_is_named(payload: bytes, reason: Why) -> None:
    assert why(Up.JOURNAL, payload) is reason


@settings(deadline=None)
@given(st.sampled_from([*Up]), st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail(kind: Up, payload: bytes) -> None:
    assert isinstance(read(kind, payload), Received | Malformed)


SIGNED = batch(entry(1), entry(2))


@settings(deadline=None)
@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_no_altered_byte_of_a_signed_journal_is_believed(at: int, change: int) -> None:
    altered = bytearray(SIGNED)
    altered[at] ^= change
    assert isinstance(read(Up.JOURNAL, bytes(altered)), Malformed)


FIELDS = st.sampled_from(["o", "t", "m", "nonce", "sent", "boot", "x"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(SCALARS, lambda one: st.lists(one, max_size=4) | st.dictionaries(FIELDS, one), max_leaves=12)


@settings(deadline=None)
@given(JSON, st.sampled_from([*Up]))
def test_no_json_makes_the_reader_fail(value: object, kind: Up) -> None:
    assert isinstance(read(kind, json.dumps(value).encode()), Received | Malformed)
