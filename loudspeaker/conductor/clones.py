"""Two machines under one identity: told by starts that come back, for a start is never repeated."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from firmware_bridge.contract.messages import Hello

CLONE = "clone"
"""Reason of the security fault."""
BOOTS_KEPT = 8
STRAGGLES = timedelta(minutes=2)
"""How long a message may be under way."""


def boots_after(boots: Mapping[str, Any], hello: Hello, at: datetime) -> dict[str, Any]:
    """A node's last starts with one more hello of `at`, the newest last.

    Each is [highest connection number, since when it was the newest].
    """
    highest, since = boots.get(hello.boot, (0, ""))
    if not boots or list(boots)[-1] != hello.boot:
        since = at.isoformat()
    others = {boot: seen for boot, seen in boots.items() if boot != hello.boot}
    return dict([*others.items(), (hello.boot, [max(highest, hello.connection), since])][-BOOTS_KEPT:])


def is_clone(boots: Mapping[str, Any], hello: Hello, at: datetime) -> bool:
    """Whether this hello shows a second machine: an earlier start makes a *new* connection, or speaks long after the
    newer one began. A late or repeated message of the earlier start is neither."""
    if hello.boot not in list(boots)[:-1]:
        return False
    highest, _ = boots[hello.boot]
    _, since = boots[list(boots)[-1]]
    return bool(hello.connection > highest or at - datetime.fromisoformat(since) > STRAGGLES)
