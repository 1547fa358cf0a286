"""The test vectors: made anew they are the same, we hold to them, and so does an implementation that is not ours."""

import base64
import json
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from firmware_bridge.contract.vectors import check
from firmware_bridge.contract.vectors.__main__ import main
from firmware_bridge.node.timekeeping import answered
from scripts.build_assets import find_node

INDEPENDENT = Path(__file__).with_name("independent.mjs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(check.DATA, tmp_path / "vectors"))


def independent(folder: Path) -> dict[str, object]:
    command = [str(find_node().program), str(INDEPENDENT), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, object] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("name", check.files())
def test_a_file_made_anew_is_byte_for_byte_the_same(name: str) -> None:
    assert (check.DATA / name).read_text(encoding="utf-8") == check.text_of(check.files()[name])


def test_we_hold_to_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0, capsys.readouterr().out
    assert main([]) == 2


def test_an_implementation_that_shares_nothing_with_ours_holds_to_them() -> None:
    told = independent(check.DATA)
    assert told["failures"] == []
    assert int(str(told["judged"])) > 70


def test_every_document_has_a_good_one_and_at_least_ten_bad_ones() -> None:
    cases = check.files()["documents.json"]
    for document in check.READERS:
        expected = [one["expected"] for one in cases if one["document"] == document]
        assert expected.count("accepted") >= 1, document
        assert len(expected) - expected.count("accepted") >= 10, document


def test_a_spoilt_vector_is_noticed_by_both(folder: Path) -> None:
    cases = json.loads((folder / "documents.json").read_text())
    good = next(one for one in cases if one["name"] == "good")
    raw = bytearray(base64.b64decode(good["raw"]))
    at = raw.index(b'"sig":"') + 10
    raw[at] = ord("A") if raw[at] != ord("A") else ord("B")
    good["raw"] = base64.b64encode(raw).decode()
    (folder / "documents.json").write_text(json.dumps(cases))
    assert len(list(check.failures(folder))) == 1
    assert len(str(independent(folder)["failures"])) > 2


def test_a_verdict_that_is_turned_round_is_noticed(folder: Path) -> None:
    path = folder / "documents.json"
    path.write_text(path.read_text().replace('"expected": "older_version"', '"expected": "accepted"'))
    assert list(check.failures(folder))


def test_the_time_of_an_exchange_is_what_the_node_reckons() -> None:
    for one in check.files()["time.json"]:
        sample = answered(one["asked_mono"], one["came_mono"], datetime.fromisoformat(one["received"]),
                          datetime.fromisoformat(one["sent"]))
        assert abs((sample.time_at(one["at_mono"]) - datetime.fromisoformat(one["time"])).total_seconds()) < 1e-5
        assert sample.error_s == pytest.approx(one["error_s"], abs=0.002)
