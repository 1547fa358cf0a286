"""Releases in their slots, with the real launcher, real environments and small wheels: kept when well, else undone."""

import base64
import hashlib
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware_bridge.contract.software import SoftwareFile
from firmware_bridge.node import slots as slots_module
from firmware_bridge.node.fetching import open_client
from firmware_bridge.node.slots import BuildError, Slots
from firmware_bridge.node.update import BadFile, fetch
from tests.firmware_bridge.node.files import serve_file

LAUNCH = Path(slots_module.__file__).parent / "packaging" / "launch"
BODY = """
import os, sys, time
from pathlib import Path
VERSION, WELL = {version!r}, {well!r}
def main():
    if "--help" in sys.argv:
        return
    home = Path(sys.prefix).parent.parent
    with (home / "ran").open("a") as ran:
        ran.write(VERSION + "\\n")
    if WELL == "crashes":
        sys.exit(1)
    if WELL == "well":
        (home / "trial").unlink(missing_ok=True)
    time.sleep(60)
"""


def wheel(folder: Path, version: str, well: str = "well", needs: str = "") -> Path:
    """A node that only tells that it ran."""
    path = folder / f"loudspeaker-{version}-py3-none-any.whl"
    info = f"loudspeaker-{version}.dist-info"
    files = {
        "loudspeaker_stub.py": BODY.format(version=version, well=well),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: loudspeaker\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nloudspeaker-node = loudspeaker_stub:main\n"}
    record = "".join(f"{name},sha256={_digest(text)},{len(text.encode())}\n" for name, text in files.items())
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in (files | {f"{info}/RECORD": record + f"{info}/RECORD,,\n"}).items():
            packed.writestr(name, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home as the install script leaves it, with version 1.0."""
    home = tmp_path_factory.mktemp("home")
    (home / "slots").mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(home / "slots/a")], check=True)
    subprocess.run([str(home / "slots/a/bin/python"), "-m", "pip", "install", "--quiet", "--no-index",
                    str(wheel(home, "1.0"))], check=True)
    (home / "current").symlink_to("slots/a")
    (home / "launch").write_bytes(LAUNCH.read_bytes())
    (home / "launch").chmod(0o755)
    return home


@pytest.fixture
def home(installed: Path) -> Iterator[Path]:
    yield installed
    for name in ("trial", "rolled-back", "ran", "current"):
        (installed / name).unlink(missing_ok=True)
    (installed / "current").symlink_to("slots/a")


@contextmanager
def launched(home: Path, trial_s: int = 60) -> Iterator[subprocess.Popen[bytes]]:
    with (home / "log").open("ab") as log:
        process = subprocess.Popen([str(home / "launch"), "run"], env=os.environ | {"TRIAL_S": str(trial_s)},
                                   stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(10) != 0, "the signal reaches the node"


def wait_for_run(home: Path, *versions: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while _ran(home) != list(versions):
        assert time.monotonic() < deadline, (_ran(home), (home / "log").read_text())
        time.sleep(0.05)


def _ran(home: Path) -> list[str]:
    return (home / "ran").read_text().split() if (home / "ran").exists() else []


def current(home: Path) -> str:
    return (home / "current").readlink().name


def test_a_release_that_is_well_is_kept(home: Path, tmp_path: Path) -> None:
    slots = Slots(home)
    slots.build([wheel(tmp_path, "1.1")])
    assert current(home) == "a", "the running program is not touched"
    slots.switch()
    with launched(home):
        wait_for_run(home, "1.1")
        deadline = time.monotonic() + 10
        while slots.is_on_trial:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert current(home) == "b"
    assert not slots.take_rolled_back()


def test_a_release_that_crashes_is_undone_after_three_starts(home: Path, tmp_path: Path) -> None:
    slots = Slots(home)
    slots.build([wheel(tmp_path, "1.2", "crashes")])
    slots.switch()
    with launched(home):
        wait_for_run(home, "1.2", "1.2", "1.2", "1.0")
    assert current(home) == "a"
    assert not slots.is_on_trial
    assert slots.take_rolled_back()
    assert not slots.take_rolled_back(), "it is told once"


def test_a_release_that_never_says_that_it_is_well_is_undone_in_time(home: Path, tmp_path: Path) -> None:
    slots = Slots(home)
    slots.build([wheel(tmp_path, "1.3", "hangs")])
    slots.switch()
    with launched(home, trial_s=2):
        wait_for_run(home, "1.3", "1.0")
    assert current(home) == "a"
    assert slots.take_rolled_back()


def test_a_release_whose_libraries_are_missing_is_never_started(home: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no-such-library"):
        Slots(home).build([wheel(tmp_path, "1.4", needs="Requires-Dist: no-such-library\n")])
    assert current(home) == "a"


def test_a_power_cut_between_the_steps_of_the_switch_leaves_a_program_that_runs(home: Path) -> None:
    (home / "trial").write_text("a\n")
    with launched(home):
        wait_for_run(home, "1.0")
    assert current(home) == "a"


def test_a_file_is_fetched_by_its_hash_and_resumed(tmp_path: Path) -> None:
    body = os.urandom(300_000)
    asked = SoftwareFile(name="x.whl", sha256=hashlib.sha256(body).hexdigest(), bytes=len(body))
    (tmp_path / f"{asked.sha256}.part").write_bytes(body[:100_000])
    with serve_file(body) as (url, ranges), open_client(url, "token", None) as client:
        assert fetch(client, asked, tmp_path).read_bytes() == body
        assert ranges == ["bytes=100000-"]
        with pytest.raises(BadFile):
            fetch(client, asked.model_copy(update={"sha256": "0" * 64}), tmp_path)
