"""The whole morning with server and broker killed before the first airing: what every pole let be heard."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from audio.engine import find_ffmpeg
from tests.system import heard

MOST_SECONDS = 420
pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The record of a demo whose server and broker were killed, and its summary."""
    folder = tmp_path_factory.mktemp("morning")
    run = subprocess.run(
        [sys.executable, "-m", "loudspeaker", "demo", "--headless", "--record", str(folder), "--json", "--kill-server"],
        capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    summary: dict[str, Any] = json.loads(run.stdout)
    return folder, summary


def test_every_playback_ends_as_planned_though_server_and_broker_were_dead(
        morning: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = morning
    assert summary["nodes"] == 12
    assert summary["broadcasts"] >= 6
    assert summary["as_planned"] == summary["playbacks"] == len(heard.plan_of(folder))
    assert all(row["state"] == row["expected_state"] for row in heard.plan_of(folder))


def test_one_broadcast_is_pre_empted_and_two_overlap_in_different_villages(
        morning: tuple[Path, dict[str, Any]]) -> None:
    rows = heard.plan_of(morning[0])
    assert any(len(item["segments"]) > 1 for row in rows for item in row["items"])
    assert {row["class"] for row in rows} == {"ordinary", "priority"}
    north = next(row for row in rows if "bắc" in row["title"])
    south = next(row for row in rows if "phía nam" in row["title"])
    assert north["node"] != south["node"]
    assert north["planned_utc"] < south["planned_utc"] < _end(north)


def test_each_planned_segment_is_heard_within_100_ms_of_its_instant(morning: tuple[Path, dict[str, Any]]) -> None:
    found = heard.findings(morning[0], str(find_ffmpeg()))
    assert len(found) == planned_segments(morning[0])
    assert [one for one in found if one.correlation < 0.9 or abs(one.late_ms) > 100] == []


def test_nothing_is_heard_outside_the_plan(morning: tuple[Path, dict[str, Any]]) -> None:
    folder = morning[0]
    loud = {node: heard.loudest_outside(folder, node, rows)
            for node, rows in heard.by_node(heard.plan_of(folder)).items()}
    assert {node: level for node, level in loud.items() if level > heard.SILENCE} == {}


def planned_segments(folder: Path) -> int:
    """How many segments the plan has; never none."""
    count = sum(len(item["segments"]) for row in heard.plan_of(folder) for item in row["items"])
    assert count > 0
    return count


def _end(row: dict[str, Any]) -> str:
    last = row["items"][-1]["segments"][-1]
    return heard.after(last["at_utc"], last["to_ms"] - last["from_ms"])
