"""`loudspeaker-node`: what a technician types."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from typer.testing import CliRunner

from firmware_bridge.node.__main__ import app
from firmware_bridge.node.journal import Journal
from tests.firmware_bridge.builders import config
from tests.firmware_bridge.node.test_journal import entry


def written(folder: Path, player: str = "null") -> Path:
    path = folder / "node.json"
    path.write_text(config("http://127.0.0.1:9", 9, player=player).to_text())
    path.chmod(0o600)
    return path


def node(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "firmware_bridge.node", "run", "--config", str(folder / "node.json"), "--data",
             str(folder / "data"), *more], stderr=log)


def wait_for(path: Path, text: bytes, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists() or text not in path.read_bytes():
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


def test_check_tells_what_is_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", "--config", str(written(tmp_path))])
    assert result.exit_code == 0
    assert "decoder (ffmpeg)" in result.output


def test_a_bad_configuration_ends_with_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    path.write_text("{}")
    result = CliRunner().invoke(app, ["check", "--config", str(path)])
    assert result.exit_code == 2
    assert "Cannot use the configuration" in result.output


def test_self_test_passes_here(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["self-test", "--data", str(tmp_path)]).exit_code == 0


def test_the_journal_is_printed_a_line_an_entry(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "node.db")
    journal.commit([entry(1), entry(2)])
    journal.close()
    result = CliRunner().invoke(app, ["journal", "--data", str(tmp_path)])
    assert [json.loads(line)["seq"] for line in result.output.splitlines()] == [1, 2]


def test_it_starts_without_any_server_and_ends_quickly(tmp_path: Path) -> None:
    written(tmp_path)
    process = node(tmp_path)
    wait_for(tmp_path / "log", b"event=boot")
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert time.monotonic() - began < 1.5
    assert b"main_loop" not in (tmp_path / "log").read_bytes()


def test_two_nodes_do_not_share_a_disk(tmp_path: Path) -> None:
    written(tmp_path)
    first = node(tmp_path)
    wait_for(tmp_path / "log", b"event=boot")
    second = node(tmp_path)
    assert second.wait(20) == 2
    first.kill()
    first.wait()


def test_it_needs_none_of_the_servers_packages(tmp_path: Path) -> None:
    """The base install alone runs a node: nothing of the server extra is imported."""
    script = (
        "import sys, firmware_bridge.node.__main__\n"
        "for name in ('fastapi', 'sqlmodel', 'sqlalchemy', 'numpy', 'apscheduler', 'pydub', 'dateutil', 'uvicorn',"
        " 'jinja2', 'schedules', 'audio', 'loudspeaker'):\n"
        "    assert name not in sys.modules, name\n")
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "HOME": str(tmp_path)})
