"""What came in, as typed values: pure, and strict before anything is parsed.

Unsigned messages have one reader and are never stored as bytes, so they are read by pydantic's own JSON parser, which
is quick. The journal is evidence that others read too: there also a key that stands twice is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias, TypeVar

from pydantic import ValidationError

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import topics
from firmware_bridge.contract.base import MalformedPayload, Payload
from firmware_bridge.contract.blocks import BlockRequest
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.messages import Entry, Heartbeat, Hello, JournalBatch, Presence, TimeRequest, chain
from firmware_bridge.contract.topics import Up

MAX_SMALL_BYTES = 8 * 1024
"""An unsigned message: hello, presence, heartbeat, time request, block request."""
MAX_JOURNAL_BYTES = 1024 * 1024
MAX_ENTRIES = 1000

P = TypeVar("P", bound=Payload)


class Why(StrEnum):
    """Why a message was not believed."""

    TOPIC = "topic"
    RETAINED = "retained"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    FIELDS = "fields"
    ENVELOPE = "envelope"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_NODE = "unknown_node"
    SIGNATURE = "signature"
    WRONG_NODE = "wrong_node"
    SEQUENCE = "sequence"


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One entry with the exact text that the chain covers, and its own hash in the chain."""

    entry: Entry
    text: str
    hash: str


@dataclass(frozen=True, slots=True)
class Journal:
    """A batch signed by its node, without a gap inside. That it joins the stored chain at `previous` is the caller's
    to check. `oldest` is the first entry that the node still has, where it says so."""

    journal: str
    first_seq: int
    previous: str
    lines: tuple[JournalLine, ...]
    oldest: int | None = None

    @property
    def last_seq(self) -> int:
        """Seq of the last entry; `first_seq` − 1 when there is none."""
        return self.first_seq + len(self.lines) - 1


Message: TypeAlias = Hello | Presence | Heartbeat | TimeRequest | BlockRequest | Journal


@dataclass(frozen=True, slots=True)
class Received:
    """A message that may be believed as far as the broker's rights and, for the journal, the node's signature go."""

    node: str
    kind: Up
    message: Message
    at: datetime


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that means nothing. `node` is empty when even the topic is not one of ours."""

    node: str
    topic: str
    why: Why
    detail: str


class _Refused(Exception):
    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(detail)
        self.why = why
        self.detail = detail


def decode(topic: str, payload: bytes, site: str, public_key_of: Callable[[str], str | None],
           at: datetime) -> Received | Malformed:
    """Read one message. `public_key_of(node)` is the node's base64 public key, None for a stranger."""
    try:
        parsed = _parse_topic(topic, site)
    except topics.BadTopic:
        return Malformed("", topic[:200], Why.TOPIC, "")
    try:
        match parsed.kind:
            case Up.HEARTBEAT:
                return Received(parsed.node, Up.HEARTBEAT, _small(Heartbeat, payload), at)
            case Up.JOURNAL:
                return Received(parsed.node, Up.JOURNAL, _journal(parsed.node, payload, public_key_of), at)
            case Up.HELLO:
                return Received(parsed.node, Up.HELLO, _small(Hello, payload), at)
            case Up.PRESENCE:
                return Received(parsed.node, Up.PRESENCE, _small(Presence, payload), at)
            case Up.BLOCK_REQUEST:
                return Received(parsed.node, Up.BLOCK_REQUEST, _small(BlockRequest, payload), at)
            case _:
                return Received(parsed.node, Up.TIME_REQUEST, _small(TimeRequest, payload), at)
    except _Refused as refused:
        return Malformed(parsed.node, topic, refused.why, refused.detail)


_parse_topic = lru_cache(65536)(topics.parse_up)
"""A few topics for each node come again and again."""


def _small(kind: type[P], payload: bytes) -> P:
    if len(payload) > MAX_SMALL_BYTES:
        raise _Refused(Why.TOO_LARGE, f"{len(payload)} bytes")
    if b"\\u0000" in payload:
        raise _Refused(Why.NOT_JSON, "NUL is no text")
    try:
        return kind.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        why = Why.NOT_JSON if first["type"] == "json_invalid" else Why.FIELDS
        raise _Refused(why, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:200]) from error


def _journal(node: str, payload: bytes, public_key_of: Callable[[str], str | None]) -> Journal:
    if len(payload) > MAX_JOURNAL_BYTES:
        raise _Refused(Why.TOO_LARGE, f"{len(payload)} bytes")
    public_key = public_key_of(node)
    if public_key is None:
        raise _Refused(Why.UNKNOWN_NODE, node)
    try:
        envelope = dsse.decode(payload, MAX_JOURNAL_BYTES)
    except dsse.MalformedEnvelope as error:
        raise _Refused(Why.ENVELOPE, str(error)[:200]) from error
    if envelope.payload_type != JournalBatch.TYPE:
        raise _Refused(Why.WRONG_TYPE, envelope.payload_type)
    if not dsse.good_signers(envelope, {key_id(public_key): public_key}):
        raise _Refused(Why.SIGNATURE)
    batch = _strict(JournalBatch, envelope.payload)
    if batch.node != node:
        raise _Refused(Why.WRONG_NODE, batch.node)
    if len(batch.entries) > MAX_ENTRIES:
        raise _Refused(Why.TOO_LARGE, f"{len(batch.entries)} entries")
    return Journal(batch.journal, batch.first_seq, batch.previous, tuple(_lines(batch)), batch.oldest)


def _lines(batch: JournalBatch) -> list[JournalLine]:
    lines, previous = [], batch.previous
    for seq, text in enumerate(batch.entries, batch.first_seq):
        entry = _strict(Entry, text.encode("utf-8", "surrogatepass"))
        if entry.seq != seq:
            raise _Refused(Why.SEQUENCE, f"{entry.seq} stands where {seq} should")
        previous = chain(previous, text)
        lines.append(JournalLine(entry, text, previous))
    return lines


def _strict(kind: type[P], raw: bytes) -> P:
    try:
        return kind.from_bytes(raw, MAX_JOURNAL_BYTES)
    except MalformedPayload as error:
        raise _Refused(Why.FIELDS, str(error)[:200]) from error

