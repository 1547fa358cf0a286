"""Documents of every type, and endless ways to alter them after they were signed."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import trust as rules
from firmware_bridge.contract.documents import CommandKind, Document, RollCall, TimeAnswer, TreeHead
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.merkle import EMPTY
from firmware_bridge.contract.topics import Down
from tests.firmware_bridge.builders import (
    NODE,
    NOON,
    PATH,
    SITE,
    Commune,
    approved,
    broadcast,
    command,
    key,
    order,
    receipt,
    sha,
)

NEWS = sha("news")
HELD = Commune()
NEXT = HELD.then()


@dataclass(frozen=True)
class Kind:
    """A type of document: a good one, how it is read, and where a node hears it (None: not by itself)."""

    name: str
    good: Envelope
    read: Callable[[Envelope], Document]
    topic: Down | None = None


def kinds() -> tuple[Kind, ...]:
    """One of each."""
    trust, server = HELD.full_trust(), key("server")
    head = TreeHead(site=SITE, size=0, root=EMPTY.hex(), issued=NOON)
    answer = TimeAnswer(site=SITE, node=NODE, nonce="n", received=NOON, sent=NOON)
    policy = HELD.but(version=2).policy().sign(key("hoa"))
    return (
        Kind("trust root", NEXT.root_envelope(), lambda one: rules.read_root(one, HELD.root(), NOON)),
        Kind("approver list", NEXT.list_envelope(), lambda one: rules.read_approvers(one, trust, NOON)),
        Kind("policy", policy, lambda one: rules.read_policy(one, trust, PATH, NOON)),
        Kind("recording statement", approved(NEWS), lambda one: rules.read_recording(one, trust, PATH, NOON)),
        Kind("running order", order(broadcast("b1", NOON + timedelta(hours=1), NEWS)).sign(server),
             lambda one: rules.read_order(one, trust, NODE, (0, 0), NOON), Down.ORDER),
        Kind("command", command("c1", CommandKind.VOLUME, volume=30).sign(server),
             lambda one: rules.read_command(one, trust, NODE, PATH, NOON), Down.COMMAND),
        Kind("receipt", receipt("j1", 1).sign(server), lambda one: rules.read_receipt(one, trust, NODE), Down.RECEIPT),
        Kind("time", answer.sign(server), lambda one: rules.read_time(one, trust, NODE, "n"), Down.TIME),
        Kind("roll call", RollCall(site=SITE, issued=NOON, window_s=30).sign(server),
             lambda one: rules.read_roll_call(one, trust)),
        Kind("tree head", head.sign(server), lambda one: rules.read_tree_head(one, trust, (0, EMPTY), ())))


def alter(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    """The bytes of `kind.good`, altered in one way."""
    ways = (_flip, _flip, _flip_payload, _flip_payload, _truncate, _cut, _splice, _twice, _twice_outside, _other_type,
            _other_signature, _other_signer, _deep, _not_text, _padded)
    return draw.choice(ways)(draw, kind, others) if draw.random() > 0.002 else _huge(draw, kind, others)


def accepts(kind: Kind, raw: bytes) -> bool:
    """Whether a reader believes something that was not signed. Any failure but a refusal is raised."""
    try:
        envelope = dsse.decode(raw)
        kind.read(envelope)
    except (dsse.MalformedEnvelope, rules.Refused):
        return False
    return (envelope.payload_type, envelope.payload) != (kind.good.payload_type, kind.good.payload)


def _flip(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    raw = bytearray(dsse.encode(kind.good))
    for _ in range(draw.randint(1, 4)):
        raw[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)
    return bytes(raw)


def _flip_payload(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    payload = bytearray(kind.good.payload)
    payload[draw.randrange(len(payload))] ^= 1 << draw.randrange(8)
    return _encode(kind, bytes(payload))


def _truncate(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    if draw.random() < 0.5:
        raw = dsse.encode(kind.good)
        return raw[:draw.randrange(len(raw))]
    return _encode(kind, kind.good.payload[:draw.randrange(len(kind.good.payload))])


def _cut(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    payload = kind.good.payload
    at = draw.randrange(len(payload))
    return _encode(kind, payload[:at] + payload[at + draw.randint(1, 40):])


def _splice(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    payload, other = kind.good.payload, draw.choice(others).good.payload
    at = draw.randrange(len(payload))
    return _encode(kind, payload[:at] + other[draw.randrange(len(other)):])


def _twice(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    fields = json.loads(kind.good.payload)
    name = draw.choice(list(fields))
    again = json.dumps({name: draw.choice([fields[name], 2**50, "x", None])})[1:]
    return _encode(kind, kind.good.payload[:-1] + b"," + again.encode())


def _twice_outside(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    raw, other = dsse.encode(kind.good), draw.choice(others).good
    return raw[:-1] + b',"payload":' + json.dumps(dsse.to_dict(other)["payload"]).encode() + b"}"


def _other_type(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    other = draw.choice([one for one in others if one.name != kind.name]).good
    return dsse.encode(draw.choice([Envelope(other.payload_type, kind.good.payload, kind.good.signatures),
                                    Envelope(kind.good.payload_type, other.payload, other.signatures), other]))


def _other_signature(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    other = draw.choice([one for one in others if one.name != kind.name]).good
    taken = tuple(dsse.Signature(mine.key_id, theirs.value)
                  for mine, theirs in zip(kind.good.signatures, other.signatures, strict=False))
    return dsse.encode(Envelope(kind.good.payload_type, _altered(draw, kind), taken or other.signatures))


def _other_signer(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    stranger = key(draw.choice(["stranger", "root", "server", "leader", "hoa", "lan"]))
    forged = dsse.sign(kind.good.payload_type, _altered(draw, kind), stranger)
    if {one.key_id for one in forged.signatures} & {one.key_id for one in kind.good.signatures}:
        forged = dsse.sign(kind.good.payload_type, _altered(draw, kind), key("stranger"))
    claimed = kind.good.signatures[0].key_id if draw.random() < 0.5 else forged.signatures[0].key_id
    return dsse.encode(Envelope(forged.payload_type, forged.payload,
                                (dsse.Signature(claimed, forged.signatures[0].value),)))


def _deep(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    depth = draw.choice([13, 100, 100_000])
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    inside = kind.good.payload[:-1] + b',"a":' + nested + b"}"
    return draw.choice([nested, _encode(kind, nested), _encode(kind, inside)])


def _not_text(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    noise = draw.randbytes(draw.randint(0, 200))
    return draw.choice([noise, _encode(kind, noise), _encode(kind, b"\xff\xfe" + kind.good.payload), b"null", b"[]"])


def _padded(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    return _encode(kind, kind.good.payload + draw.choice([b" ", b"\n", b"\x00", b"{}"]) * draw.randint(1, 3))


def _huge(draw: random.Random, kind: Kind, others: tuple[Kind, ...]) -> bytes:
    filling = b"9" * 5_000_000
    return draw.choice([filling, b'{"payload":"' + filling, _encode(kind, b'{"site":"' + filling + b'"}')])


def _altered(draw: random.Random, kind: Kind) -> bytes:
    """The payload with one field changed, still good JSON."""
    fields = json.loads(kind.good.payload)
    fields[draw.choice(list(fields))] = draw.choice([2**50, "x", None, True, [], 1.5])
    return json.dumps(fields).encode()


def _encode(kind: Kind, payload: bytes) -> bytes:
    return dsse.encode(Envelope(kind.good.payload_type, payload, kind.good.signatures))
