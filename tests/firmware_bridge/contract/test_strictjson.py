"""Strict JSON: the same values as usual, and nothing that two readers could understand differently."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract.strictjson import MAX_DEPTH, MalformedJson, dumps, loads

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2**53, 2**53) | TEXTS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8)


@given(VALUES)
def test_what_is_written_is_read_back(value: object) -> None:
    assert loads(dumps(value), 1_000_000) == value


@given(st.text('[]{}"\\a,:1 ', max_size=60))
def test_it_reads_what_json_reads_unless_it_is_too_deep(text: str) -> None:
    try:
        expected = json.loads(text)
    except json.JSONDecodeError:
        expected = MalformedJson
    try:
        found = loads(text.encode(), 1000)
    except MalformedJson:
        found = MalformedJson
    assert found == expected or found is MalformedJson


@pytest.mark.parametrize("raw", [
    b'{"a":1,"a":2}', b"NaN", b"[Infinity]", b"\xc3", b"{", b"", b"[1,]",
    b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)])
def test_what_is_ambiguous_or_too_deep_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedJson):
        loads(raw, 1000)


def test_brackets_inside_texts_are_not_depth() -> None:
    assert loads(b'["' + b"[{" * 50 + b'\\"[["]', 1000)


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(MalformedJson):
        loads(b'"' + b"a" * 100 + b'"', 50)


def test_hostile_texts_take_no_longer_than_their_length_deserves() -> None:
    began = time.monotonic()
    for hostile in (b'"' + b'\\"' * 500_000, b'"' * 1_000_000, b"\\" * 1_000_000, b'{"' * 300_000):
        with pytest.raises(MalformedJson):
            loads(hostile, 2_000_000)
    assert time.monotonic() - began < 5
