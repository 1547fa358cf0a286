"""Envelopes: the exact bytes signed, the type inside the signature, everything strange refused before it is parsed."""

import base64
import json
import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract.documents import RecordingStatement, RunningOrder
from firmware_bridge.contract.envelope import MalformedEnvelope, decode, encode, good_signers, sign, signed_bytes
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.trust import Refused, read_command, read_order, read_recording
from tests.firmware_bridge.builders import (
    NODE,
    NOON,
    PATH,
    Commune,
    approved,
    broadcast,
    by_server,
    key,
    order,
    public,
    sha,
    stop,
)

KNOWN = {key_id(public(name)): public(name) for name in ("hoa", "binh")}


def test_the_bytes_signed_are_those_of_dsse_v1() -> None:
    assert signed_bytes("text/x", b"hello") == b"DSSEv1 6 text/x 5 hello"


@given(st.binary(max_size=300), st.text("abc/.+-", min_size=1, max_size=30))
def test_what_was_signed_comes_back_and_verifies(payload: bytes, kind: str) -> None:
    envelope = decode(encode(sign(kind, payload, key("hoa"), key("binh"))))
    assert (envelope.payload, envelope.payload_type) == (payload, kind)
    assert good_signers(envelope, KNOWN) == frozenset(KNOWN)


@given(st.binary(min_size=1, max_size=100), st.data())
def test_one_changed_bit_of_the_payload_or_the_type_spoils_the_signature(payload: bytes, data: st.DataObject) -> None:
    envelope = sign("a/b", payload, key("hoa"))
    place = data.draw(st.integers(0, len(payload) * 8 - 1))
    changed = bytearray(payload)
    changed[place // 8] ^= 1 << place % 8
    assert not good_signers(dsse.Envelope("a/b", bytes(changed), envelope.signatures), KNOWN)
    assert not good_signers(dsse.Envelope("a/c", payload, envelope.signatures), KNOWN)


def test_a_key_that_claims_the_id_of_another_does_not_count() -> None:
    envelope = sign("a/b", b"x", key("stranger"))
    claimed = {envelope.signatures[0].key_id: public("hoa")}
    assert not good_signers(envelope, claimed)


def wire(**changes: object) -> bytes:
    return json.dumps(dsse.to_dict(sign("a/b", b"x", key("hoa"))) | changes).encode()


@pytest.mark.parametrize("raw", [
    b"", b"null", b"[]", b"\xff\xfe", b"{}", b'{"payloadType":"a"}',
    wire(more=1), wire(payload="eA"), wire(payload="eA=="[:-1] + " ="), wire(payload="eB=="), wire(payload=3),
    wire(payloadType=""), wire(payloadType="é"), wire(payloadType=7), wire(signatures=[]), wire(signatures={}),
    wire(signatures=[{"keyid": "a" * 64}]), wire(signatures=[{"keyid": "a" * 64, "sig": "AAAA"}]),
    wire(signatures=dsse.to_dict(sign("a/b", b"x", key("hoa")))["signatures"] * 2),
    b'{"payload":"eA==","payload":"eQ==","payloadType":"a","signatures":[]}',
    b"[" * 50 + b"]" * 50,
    wire().replace(b'"a/b"', b"NaN"),
], ids=lambda raw: raw[:40].decode(errors="replace"))
def test_what_is_not_a_strict_envelope_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedEnvelope):
        decode(raw)


def test_an_envelope_larger_than_allowed_is_refused() -> None:
    with pytest.raises(MalformedEnvelope):
        decode(encode(sign("a/b", bytes(5000), key("hoa"))), max_bytes=4000)


def mutate(raw: bytes, dice: random.Random) -> bytes:
    """One to four random edits: bits, bytes, cuts, doubles, swaps, and fields rewritten inside the payload."""
    mutated = bytearray(raw)
    for _ in range(dice.randint(1, 4)):
        at, kind = dice.randrange(max(1, len(mutated))), dice.randrange(6)
        if kind == 0 and mutated:
            mutated[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            mutated[at:at + 1] = dice.randbytes(1)
        elif kind == 2:
            del mutated[at:at + dice.randint(1, 40)]
        elif kind == 3:
            mutated[at:at] = mutated[at:at + dice.randint(1, 40)]
        elif kind == 4:
            other = dice.randrange(max(1, len(mutated)))
            mutated[at:at + 4], mutated[other:other + 4] = mutated[other:other + 4], mutated[at:at + 4]
        else:
            mutated = bytearray(rewrite(bytes(mutated), dice))
    return bytes(mutated)


def rewrite(raw: bytes, dice: random.Random) -> bytes:
    """The payload inside with one character changed, in a well-formed envelope."""
    try:
        value = json.loads(raw)
        payload = bytearray(base64.b64decode(value["payload"]))
        payload[dice.randrange(len(payload))] = dice.randrange(32, 127)
        return json.dumps(value | {"payload": base64.b64encode(payload).decode()}).encode()
    except (ValueError, KeyError, TypeError, IndexError):
        return raw


DOCUMENTS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "recording": (encode(approved(sha("news"))), lambda raw: read_recording(
        decode(raw), Commune().full_trust(), PATH, NOON)),
    "order": (by_server(order(broadcast("b1", NOON + timedelta(hours=1), sha("news")))), lambda raw: read_order(
        decode(raw), Commune().full_trust(), NODE, (0, 0), NOON)),
    "command": (by_server(stop(1)), lambda raw: read_command(
        decode(raw), Commune().full_trust(), NODE, PATH, NOON)),
}
MUTATIONS = 2_000


@pytest.mark.parametrize("name", DOCUMENTS)
def test_mutated_documents_are_never_accepted_with_another_meaning(name: str) -> None:
    """Of thousands of mutations none is accepted, unless it says exactly what was signed (blanks in the JSON)."""
    raw, read = DOCUMENTS[name]
    original, dice, refused = read(raw), random.Random(name), 0
    for _ in range(MUTATIONS):
        mutated = mutate(raw, dice)
        try:
            accepted = read(mutated)
        except (MalformedEnvelope, Refused):
            refused += 1
        else:
            assert accepted == original
            assert decode(mutated).payload == decode(raw).payload
    assert refused > 0.9 * MUTATIONS


@pytest.mark.parametrize("kind", [RunningOrder, RecordingStatement])
def test_a_document_of_one_type_is_never_read_as_another(kind: type[RunningOrder | RecordingStatement]) -> None:
    statement = approved(sha("news"))
    posed = sign(kind.TYPE, statement.payload, key("server"))
    with pytest.raises(Refused):
        read_order(posed, Commune().full_trust(), NODE, (0, 0), NOON)
