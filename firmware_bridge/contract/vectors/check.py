"""Holding this implementation to the files; and the files themselves."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import trust as rules
from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.blocks import Block
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.messages import Entry, Heartbeat, Hello, JournalBatch, chain, policies_digest
from firmware_bridge.contract.software import read_manifest
from firmware_bridge.contract.token import BadToken, Token
from firmware_bridge.contract.trust import Reason, Refused
from firmware_bridge.contract.vectors import signed, unsigned, world
from firmware_bridge.contract.vectors.world import HELD_MINIMUM, HELD_ORDER, HELD_SERIAL, NODE, NONCE, NOW, PATH

DATA = Path(__file__).parent / "data"
READERS: dict[str, Callable[[Envelope], object]] = {
    "trust-root": lambda one: rules.read_root(one, world.root(), NOW),
    "approver-list": lambda one: rules.read_approvers(one, world.trust(), NOW),
    "policy": lambda one: rules.read_policy(one, world.trust(), PATH, NOW),
    "recording-statement": lambda one: rules.read_recording(one, world.trust(), PATH, NOW),
    "running-order": lambda one: rules.read_order(one, world.trust(), NODE, HELD_ORDER, NOW),
    "command": lambda one: rules.read_command(one, world.trust(), NODE, world.GROUPS, NOW),
    "receipt": lambda one: rules.read_receipt(one, world.trust(), NODE),
    "time": lambda one: rules.read_time(one, world.trust(), NODE, NONCE),
    "roll-call": lambda one: rules.read_roll_call(one, world.trust()),
    "software-manifest": lambda one: read_manifest(one, world.trust(), HELD_SERIAL, HELD_MINIMUM, NOW),
}


def files() -> dict[str, Any]:
    """The content of every file, made from the seeds."""
    return {"context.json": signed.context(), "documents.json": signed.cases(), "journal.json": unsigned.journal(),
            "time.json": unsigned.time_exchanges(), "messages.json": unsigned.said(), "blocks.json": unsigned.blocks(),
            "tokens.json": unsigned.tokens()}


def text_of(content: Any) -> str:
    """A file as it is written."""
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def write(folder: Path = DATA) -> None:
    """Write all files."""
    for name, content in files().items():
        (folder / name).write_text(text_of(content), encoding="utf-8")


def failures(folder: Path = DATA) -> Iterator[str]:
    """What does not hold, one sentence each."""
    held = {name: json.loads((folder / name).read_text(encoding="utf-8")) for name in files()}
    for case in held["documents.json"]:
        told = judge(case["document"], base64.b64decode(case["raw"]))
        if told != case["expected"] and not (case["expected"] == "refused" and told != signed.ACCEPTED):
            yield f"{case['document']}, {case['name']}: {told}, not {case['expected']}"
    yield from _journal_failures(held["journal.json"])
    yield from _message_failures(held["messages.json"])
    for case in held["blocks.json"]:
        if _block(base64.b64decode(case["raw"])) != (case["ask"] if case["ask"] is None else (
                case["ask"], case["offset"], case["total"], case["data"])):
            yield f"block {case['raw'][:16]}"
    for case in held["tokens.json"]:
        read = _token(case["text"])
        if read != (case["server"] and (case["server"], case["secret"], case["root"], case["authority"])):
            yield f"token {case['text'][:20]}"


def judge(document: str, raw: bytes) -> str:
    """`accepted`, or why it is refused."""
    try:
        READERS[document](dsse.decode(raw))
    except dsse.MalformedEnvelope:
        return Reason.MALFORMED
    except Refused as refused:
        return refused.reason
    return signed.ACCEPTED


def _journal_failures(journal: dict[str, Any]) -> Iterator[str]:
    hashes = [journal["first_previous"]]
    for text, expected in zip(journal["entries"], journal["hashes"], strict=True):
        hashes.append(chain(hashes[-1], text))
        if hashes[-1] != expected:
            yield f"hash of {text}"
    for case in journal["batches"]:
        told = "accepted" if _follows(base64.b64decode(case["raw"]), hashes, journal["entries"]) else "refused"
        if told != case["expected"]:
            yield f"journal, {case['name']}: {told}"


def _follows(raw: bytes, hashes: list[str], stored: list[str]) -> bool:
    """Whether a batch is the node's, without a gap, and continues the chain that `stored` began."""
    envelope = dsse.decode(raw)
    batch = JournalBatch.from_bytes(envelope.payload)
    numbers = [Entry.from_bytes(text.encode()).seq for text in batch.entries]
    own = {key_id(world.public("node")): world.public("node")}
    whole = numbers == list(range(batch.first_seq, batch.first_seq + len(numbers)))
    same = list(batch.entries) == stored[batch.first_seq - 1:batch.first_seq - 1 + len(numbers)]
    return bool(dsse.good_signers(envelope, own)) and whole and same and batch.previous == hashes[batch.first_seq - 1]


def _message_failures(said: dict[str, Any]) -> Iterator[str]:
    if policies_digest(said["policies"]) != said["policies_digest"]:
        yield "digest of the policies"
    if Hello.from_bytes(said["hello"].encode()).to_bytes().decode() != said["hello"]:
        yield "hello"
    for text in said["heartbeats"]:
        same = Heartbeat.from_bytes(text.encode()).to_bytes().decode() == text
        if not same or len(text) > said["longest_heartbeat_bytes"]:
            yield f"heartbeat {text}"


def _block(raw: bytes) -> tuple[int, int, int, str] | None:
    try:
        read = Block.from_bytes(raw)
    except MalformedPayload:
        return None
    return read.ask, read.offset, read.total, base64.b64encode(read.data).decode()


def _token(text: str) -> tuple[str, str, str, str | None] | None:
    try:
        read = Token.from_text(text)
    except BadToken:
        return None
    return read.server, read.secret.hex(), read.root.hex(), read.authority.hex() if read.authority else None
