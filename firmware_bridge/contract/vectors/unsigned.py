"""Vectors of everything else: journal, time exchange, what the node says, blocks, tokens."""

import base64
from datetime import timedelta
from typing import Any

from firmware_bridge.contract.base import write_instant
from firmware_bridge.contract.blocks import Block
from firmware_bridge.contract.envelope import encode
from firmware_bridge.contract.messages import (
    FIRST_HASH,
    Entry,
    Heartbeat,
    Held,
    Hello,
    JournalBatch,
    TimeState,
    chain,
    policies_digest,
)
from firmware_bridge.contract.token import Token, short_hash
from firmware_bridge.contract.vectors.world import HELD_ORDER, NODE, NOW, key

Case = dict[str, Any]


def journal() -> dict[str, Any]:
    """A journal of three entries: texts, hashes, the signed batch; and batches that do not hold."""
    texts = [_entry(1, "boot", boot="b1", firmware="0.3.0"), _entry(2, "clock", state="trusted", was="untrusted"),
             _entry(3, "play_start", item="1", from_ms=0)]
    hashes = [FIRST_HASH]
    for text in texts:
        hashes.append(chain(hashes[-1], text))
    batches = {
        "good, from the beginning": (_batch(1, FIRST_HASH, texts), "accepted"),
        "good, from the second entry": (_batch(2, hashes[1], texts[1:]), "accepted"),
        "an entry is left out": (_batch(1, FIRST_HASH, [texts[0], texts[2]]), "refused"),
        "it does not follow what was stored": (_batch(2, hashes[2], texts[1:]), "refused"),
        "an entry says something else": (_batch(2, hashes[1], [texts[1].replace("untrusted", "holdover"), texts[2]]),
                                         "refused"),
        "the first number is not the first entry's": (_batch(2, FIRST_HASH, texts), "refused")}
    return {"first_previous": FIRST_HASH, "entries": texts, "hashes": hashes[1:], "batches": [
        {"name": name, "expected": expected, "raw": base64.b64encode(encode(batch.sign(key("node")))).decode()}
        for name, (batch, expected) in batches.items()]}


def _entry(seq: int, kind: str, **data: Any) -> str:
    at = NOW + timedelta(seconds=seq)
    return Entry(seq=seq, at=at, kind=kind, time_state=TimeState.TRUSTED, data=data).to_bytes().decode()


def _batch(first: int, previous: str, texts: list[str]) -> JournalBatch:
    return JournalBatch(node=NODE, journal="j1", first_seq=first, previous=previous, entries=tuple(texts))


def time_exchanges() -> list[Case]:
    """Asked and answered on the monotonic clock (s), the server's instants, and what follows: time and error."""
    made = []
    for asked, came, server_ms in ((100.0, 100.08, 4), (100.0, 100.002, 0), (5000.25, 5003.25, 1000), (7.5, 7.5, 0)):
        sent = NOW + timedelta(milliseconds=server_ms)
        made.append({
            "asked_mono": asked, "came_mono": came, "received": write_instant(NOW), "sent": write_instant(sent),
            "time": write_instant(NOW + timedelta(milliseconds=server_ms / 2)), "at_mono": (asked + came) / 2,
            "error_s": round(max(0.0, came - asked - server_ms / 1000) / 2, 9)})
    return made


def said() -> dict[str, Any]:
    """What the node says, and the digest in it."""
    policies = {"an-phu": 3, "an-phu-thon-2": 1}
    held = Held(order=HELD_ORDER, root=3, approvers=7, policies=policies_digest(policies), stop=9)
    hello = Hello(boot="b1", connection=2, firmware="0.3.0", held=held, journal="j1", first_seq=1, last_seq=3,
                  capabilities=("play",), time_state=TimeState.TRUSTED)
    beat = Heartbeat(o=held.order, t=(held.root, held.approvers, held.policies), s=held.stop, j=3, p=None)
    playing = beat.model_copy(update={"p": "6f9619ff-8b86-d011-b42d-00c04fc964ff", "j": 99_999})
    return {"policies": policies, "policies_digest": held.policies, "hello": hello.to_bytes().decode(),
            "heartbeats": [one.to_bytes().decode() for one in (beat, playing)], "longest_heartbeat_bytes": 100}


def blocks() -> list[Case]:
    """Blocks as bytes, with what they hold; None where a block is none."""
    good = [Block(ask=1, offset=0, total=10_000, data=bytes(range(64))), Block(ask=2**32 - 1, offset=9990, total=10_000,
            data=b"0123456789"), Block(ask=7, offset=0, total=0)]
    made: list[Case] = [
        {"raw": base64.b64encode(one.to_bytes()).decode(), "ask": one.ask, "offset": one.offset, "total": one.total,
         "data": base64.b64encode(one.data).decode()} for one in good]
    bad = [good[0].to_bytes()[:11], good[1].to_bytes() + b"x", bytes(12) + bytes(65 * 1024)]
    return made + [{"raw": base64.b64encode(one).decode(), "ask": None} for one in bad]


def tokens() -> list[Case]:
    """Enrolment tokens as typed, with what they say; `server` None where it is no token."""
    secret, root, authority = bytes(range(10)), short_hash(b"root"), short_hash(b"authority")
    made: list[Case] = []
    for server, own in (("https://loa.anphu.gov.vn", None), ("https://192.168.1.10:8443", authority),
                        ("http://127.0.0.1:8000", None)):
        text = Token(server, secret, root, own).to_text()
        made.append({"text": text, "server": server, "secret": secret.hex(), "root": root.hex(),
                     "authority": own.hex() if own else None})
    text = made[0]["text"]
    lower = made[0] | {"text": f" {text.lower().replace('0', 'o').replace('1', 'l')} "}
    wrong = ("1" if text[0] != "1" else "2") + text[1:]
    return [*made, lower, *({"text": one, "server": None} for one in (wrong, text[:-6], "", "U" * 40, text * 20))]
