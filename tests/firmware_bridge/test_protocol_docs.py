"""docs/protocol.md and docs/asyncapi.yaml say what the contract does: topics, types, fields, reasons, numbers."""

import inspect
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from firmware_bridge.bridge import decode, outbox
from firmware_bridge.contract import (
    base,
    blocks,
    documents,
    enrolment,
    envelope,
    keys,
    messages,
    software,
    strictjson,
    topics,
    trust,
)
from firmware_bridge.contract.base import Payload
from firmware_bridge.contract.documents import Document, Receipt
from firmware_bridge.contract.messages import Entry, EntryKind, chain, policies_digest
from firmware_bridge.contract.token import Token, short_hash
from firmware_bridge.contract.topics import Down, ToGroup, Up
from firmware_bridge.node import timekeeping
from firmware_bridge.wire import Backoff
from firmware_bridge.wire.connection import KEEPALIVE_S
from tests.firmware_bridge import asyncapi

DOCS = Path(__file__).parents[2] / "docs"
PROTOCOL = (DOCS / "protocol.md").read_text(encoding="utf-8")
FLOWING = " ".join(PROTOCOL.split())
TYPES = {
    one.__name__: one for module in (blocks, documents, enrolment, messages, software)
    for _, one in inspect.getmembers(module, inspect.isclass)
    if issubclass(one, Payload) and one not in (Payload, Document)
}
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PROTOCOL, re.S | re.M))


def rows(text: str) -> list[list[str]]:
    """Cells of the tables in `text`, without headings."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_type_of_the_contract_has_a_section_and_no_other_has_one() -> None:
    assert set(SECTIONS) == set(TYPES)


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_section_lists_exactly_the_fields_of_its_type_in_order(name: str) -> None:
    assert [row[0].strip("`") for row in rows(SECTIONS[name])] == list(TYPES[name].model_fields)


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_section_says_which_fields_are_needed(name: str) -> None:
    for field, info in TYPES[name].model_fields.items():
        said = row_of(name, field)[2]
        assert said == "yes" if info.is_required() else said.startswith(("no", "for ")), field


def row_of(name: str, field: str) -> list[str]:
    return next(row for row in rows(SECTIONS[name]) if row[0] == f"`{field}`")


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_stated_default_is_the_real_one(name: str) -> None:
    for field, info in TYPES[name].model_fields.items():
        stated = row_of(name, field)[2]
        if stated.startswith("no, `"):
            default = re.sub(r"[\"'() ]|,\)", "", str(info.default)).strip(",")
            assert re.sub(r"[\"'\[\] ]", "", stated.removeprefix("no, ").strip("`")) == default, field
        elif re.fullmatch(r"no, \d+", stated):
            assert info.default == int(stated.removeprefix("no, ")), field


@pytest.mark.parametrize("kind", [one for one in TYPES.values() if issubclass(one, Document)])
def test_a_signed_document_is_named_with_its_payload_type(kind: type[Document]) -> None:
    assert f"`{kind.TYPE}`" in SECTIONS[kind.__name__]


def test_the_topics_are_those_of_the_code_with_their_payloads() -> None:
    table = {row[0].strip("`"): (row[1], row[2].strip("`"), row[3] == "yes")
             for row in rows(PROTOCOL.split("## 3. Topics")[1].split("## 4.")[0])}
    expected = {}
    for kind, payload in asyncapi.PAYLOADS.items():
        way = "node → server" if isinstance(kind, Up) else "server → node"
        place = "groups/all" if isinstance(kind, ToGroup) else "nodes/{node}"
        expected[f"{place}/{kind}"] = (way, payload.__name__, issubclass(payload, Document))
    expected["groups/{group}/command"] = ("server → node", "Command", True)
    assert table == expected
    assert f"`{topics.ROOT}/{{site}}/`" in PROTOCOL


def test_a_nodes_rights_are_what_the_document_says() -> None:
    rights = topics.node_rights("s", "n", ("g",))
    assert len(rights.publish) == len(Up) == 6
    assert len(rights.subscribe) == len(Down) + 3 == 9


def test_every_reason_for_a_refusal_is_explained_and_none_is_invented() -> None:
    table = PROTOCOL.split("## 11. Why something is refused")[1].split("## 12.")[0]
    assert [row[0].strip("`") for row in rows(table)] == [str(one) for one in trust.Reason]


def test_every_kind_of_journal_entry_is_explained() -> None:
    journal = (DOCS / "journal.md").read_text(encoding="utf-8")
    assert not [kind for kind in EntryKind if f"| `{kind}` |" not in journal]


def test_the_envelope_to_test_against_is_good_and_ours() -> None:
    seed, public, known = (re.findall(pattern, FLOWING)[0] for pattern in (
        r"Seed `([^`]+)`", r"public key `([^`]+)`", r"key id `([^`]+)`"))
    key = keys.private_from_base64(seed)
    assert keys.public_to_base64(key) == public
    assert keys.key_id(public) == known
    printed = next(line for line in PROTOCOL.splitlines() if line.startswith('{"payloadType":"'))
    read = envelope.decode(printed.encode())
    assert envelope.good_signers(read, {known: public}) == {known}
    assert envelope.encode(Receipt.from_bytes(read.payload).sign(key)) == printed.encode()


def test_the_hash_and_the_digest_to_test_against_are_ours() -> None:
    entry = '{"seq":1,"at":"2026-03-15T05:30:00.000Z","kind":"boot"}'
    assert Entry.from_bytes(entry.encode()).seq == 1
    assert f"`{entry}` it is `{chain(messages.FIRST_HASH, entry)}`" in FLOWING
    assert f"`an-phu=3;an-phu-thon-2=1` → `{policies_digest({'an-phu': 3, 'an-phu-thon-2': 1})}`" in FLOWING


@pytest.mark.parametrize("sentence", [
    f"Every {messages.HEARTBEAT_SECONDS} s, the first",
    f"After {messages.OFFLINE_SECONDS} s of silence",
    f"every {messages.TELEMETRY_SECONDS // 60} min, and on change",
    f"more than {strictjson.MAX_DEPTH} levels",
    f"an envelope {envelope.MAX_ENVELOPE_BYTES // 2**20} MiB, the document in it {base.MAX_PAYLOAD_BYTES // 2**20} MiB",
    f"a journal batch {decode.MAX_JOURNAL_BYTES // 2**20} MiB and {decode.MAX_ENTRIES:,} entries",
    f"other messages of the node {decode.MAX_SMALL_BYTES // 2**10} KiB",
    f"1 to {envelope.MAX_SIGNATURES} signatures",
    f"at most {blocks.MAX_ASKED_BYTES // 2**20} MiB at once",
    f"at most {trust.AHEAD.seconds // 60} min in the future",
    f"Keepalive {KEEPALIVE_S} s",
    f"*w* is {Backoff().base_s:.0f} s after the first failure and doubles to {Backoff().cap_s:.0f} s",
    f"after {outbox.FIRST_S:.0f}, 10, 20 … {outbox.LONGEST_S:.0f} s (each ± 25 %)",
    f"up to {timekeeping.SAMPLES} times after connecting",
    f"`trusted` (error at most {timekeeping.TRUSTED_WITHIN_S} s)",
    f"`holdover` (at most {timekeeping.HOLDOVER_WITHIN_S:.0f} s; grows by {timekeeping.DRIFT * 1e6:.0f} ppm",
])
def test_a_number_in_the_text_is_the_codes(sentence: str) -> None:
    assert sentence in FLOWING


def test_a_heartbeat_without_telemetry_fits_a_hundred_bytes() -> None:
    beat = messages.Heartbeat(o=(1, 9999), t=(9, 999, "0badcafe"), s=999, j=99999, p="0123456789abcdef0123456789abcdef")
    assert len(beat.to_bytes()) <= 100


def test_the_asyncapi_file_is_what_the_contract_gives() -> None:
    assert asyncapi.FILE.read_text(encoding="utf-8") == asyncapi.text(), "python -m tests.firmware_bridge.asyncapi"


def test_the_asyncapi_file_covers_every_topic_and_refers_to_nothing_that_is_not_there() -> None:
    document = asyncapi.document()
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {
        *(f"{topics.ROOT}/{{site}}/nodes/{{node}}/{kind}" for kind in (*Up, *Down)),
        f"{topics.ROOT}/{{site}}/groups/{{group}}/command", f"{topics.ROOT}/{{site}}/groups/all/roll-call"}
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', asyncapi.text())):
        found: object = document
        for step in reference.split("/"):
            assert isinstance(found, dict)
            assert step in found, reference
            found = found[step]


def test_the_token_to_test_against_is_ours() -> None:
    example = Token("https://radio.xa.vn:8443", bytes(range(10)), short_hash(b"root"), short_hash(b"authority"))
    assert f"`{example.to_text()}`" in PROTOCOL


def test_links_in_the_document_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PROTOCOL):
        assert (DOCS / target).exists(), target


def test_nothing_but_models_is_taken_for_a_type() -> None:
    assert all(issubclass(one, BaseModel) for one in TYPES.values())
    assert len(TYPES) > 25
