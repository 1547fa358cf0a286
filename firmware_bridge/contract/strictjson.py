"""JSON read strictly: bounded size and depth, no duplicate keys, no NaN or infinity, no text that UTF-8 or a database
cannot hold (lone surrogates, NUL). Everything foreign enters through here."""

import json
import math
import re
from typing import Any

MAX_DEPTH = 12
_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
"""Brackets, and whole strings, so that brackets inside them are passed over."""
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class MalformedJson(ValueError):
    """The bytes are not the strict JSON that the protocol allows."""


def loads(raw: bytes, max_bytes: int) -> Any:
    """Parse `raw` as UTF-8 JSON of at most `max_bytes` bytes and 12 levels. Raises MalformedJson."""
    if len(raw) > max_bytes:
        raise MalformedJson(f"{len(raw)} bytes, at most {max_bytes} are allowed")
    try:
        text = raw.decode("utf-8")
        _check_depth(text)
        value = _DECODER.decode(text)
        if "\\u" in text and _NUL.search(dumps(value)):
            raise MalformedJson("NUL is no text")
        return value
    except MalformedJson:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedJson(str(error)) from error


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON, keys in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedJson("a key stands twice in one object")
    return result


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise MalformedJson(f"{text} is out of range")
    return value


def _no_constant(name: str) -> None:
    raise MalformedJson(f"{name} is not a number")


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for found in _STRUCTURE.finditer(text):
        char = found[0]
        if char in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedJson(f"nested deeper than {MAX_DEPTH} levels")
        elif char in "]}":
            depth -= 1


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_float=_finite)
