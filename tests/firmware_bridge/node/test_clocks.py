"""Time comes into the node through one door, so that every test can stand in it."""

import re
from datetime import UTC, datetime
from pathlib import Path

from firmware_bridge.node import clocks

NODE = Path(clocks.__file__).parent
LOOKS_AT_A_CLOCK = re.compile(
    r"\btime\.(time|monotonic|clock_gettime|perf_counter)\(|\b(datetime|date)\.(now|today|utcnow)\(")


def test_only_one_module_of_the_node_looks_at_a_clock() -> None:
    looking = [str(path.relative_to(NODE)) for path in sorted(NODE.rglob("*.py"))
               if path.name != "clocks.py" and LOOKS_AT_A_CLOCK.search(path.read_text(encoding="utf-8"))]
    assert looking == []


def test_the_moment_is_that_of_this_machine() -> None:
    shown = clocks.moment()
    assert abs((shown.wall - datetime.now(UTC)).total_seconds()) < 5
    assert clocks.monotonic() >= shown.mono
    assert shown.wall_error_s is None or shown.wall_error_s >= 0
