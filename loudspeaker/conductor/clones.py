"""Two machines under one identity: told by starts that come back, for a start is never repeated."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from firmware_bridge.contract.messages import Hello

CLONE = "clone"
"""Reason of the security fault."""
BOOTS_KEPT = 4
STRAGGLES_S = 120
"""How long a message may be under way."""


def boots_after(boots: Mapping[str, Any], hello: Hello, at: datetime) -> dict[str, Any]:
    """A node's last starts with one more hello of `at`, the newest last; a late word of an earlier one changes nothing.

    Each is [highest connection number, Unix time since when it was the newest].
    """
    if is_late(boots, hello, at):
        return dict(boots)
    highest, since = boots.get(hello.boot, (0, 0))
    if not boots or _newest(boots) != hello.boot:
        since = int(at.timestamp())
    others = {boot: seen for boot, seen in boots.items() if boot != hello.boot}
    return dict([*others.items(), (hello.boot, [max(highest, hello.connection), since])][-BOOTS_KEPT:])


def is_clone(boots: Mapping[str, Any], hello: Hello, at: datetime) -> bool:
    """Whether this hello shows a second machine: an earlier start makes a *new* connection, or speaks long after the
    newer one began."""
    return _is_of_an_earlier_start(boots, hello) and not is_late(boots, hello, at)


def is_late(boots: Mapping[str, Any], hello: Hello, at: datetime) -> bool:
    """Whether this is a delayed or repeated word of an earlier start."""
    if not _is_of_an_earlier_start(boots, hello):
        return False
    highest, _ = boots[hello.boot]
    _, since = boots[_newest(boots)]
    return bool(hello.connection <= highest and at.timestamp() - since <= STRAGGLES_S)


def _is_of_an_earlier_start(boots: Mapping[str, Any], hello: Hello) -> bool:
    return hello.boot in boots and hello.boot != _newest(boots)


def _newest(boots: Mapping[str, Any]) -> str:
    return next(reversed(list(boots)))
