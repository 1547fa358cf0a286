"""`python -m chaos.clean_debian`: a node installs itself in a clean Debian root, enrols over loopback, airs and renews.

The root is made by debootstrap; only this machine's package sources and certificates go into it. Run as root.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import httpx2
import imageio_ffmpeg
import typer
from sqlmodel import col, select

from chaos.releasing import Keys, build_wheel
from loudspeaker.bulletins.models import Recording
from loudspeaker.conductor import enrolling, offline
from loudspeaker.conductor.house import House
from loudspeaker.demo.sample import Sample, acting
from loudspeaker.nodes.models import NodeState
from loudspeaker.playbacks.models import JournalEntry, Playback
from loudspeaker.users import tokens
from tests.system import commune as commune_of_tests
from tests.system import heard
from tests.system.commune import Commune, sample_commune, until

HERE = Path(__file__).parent.parent
VERSION, BETTER, BROKEN = "0.1.0", "0.1.1", "0.1.2"
SUITE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
NODE = "loudspeaker-node"
WAV_FOLLOWS_S = 3.0
"""The wav's header follows what is played within a second."""
SOUNDS_LIKE = 0.9
"""Correlation of what the wav holds with what was approved."""


def main(root: Annotated[Path | None, typer.Option(help="A root made by debootstrap before; it is copied.")] = None
         ) -> None:
    """Exit code 1 when the node does not install, enrol or air."""
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise SystemExit("Run as root, with debootstrap: apt-get install debootstrap")
    with tempfile.TemporaryDirectory(prefix="clean-debian-") as folder:
        told = check(Path(folder), root)
    typer.echo(told)


def check(folder: Path, made: Path | None = None) -> str:
    """The whole way; what was seen. Raises AssertionError, CalledProcessError."""
    began = time.monotonic()
    root = folder / "root"
    make_root(root, made)
    install(root, build_wheel(folder / "wheels", VERSION))
    installed = time.monotonic() - began
    keys = Keys()
    with (patch.object(offline, "install_new_keys", keys.install), patch.object(commune_of_tests, "STARTING_S", 120.0),
          mounted(root), sample_commune(folder) as (commune, sample, house)):
        node = enrol(root, sample, house)
        with running(root):
            correlation, late_ms = air(root, node, commune, sample, house)
            renewed = renew(root, folder / "wheels", node, commune, sample, house, keys)
    return (f"installed in {installed:.0f} s, enrolled as {node}, aired: correlation {correlation:.3f}, "
            f"{late_ms:.0f} ms after its instant; {renewed}")


def make_root(root: Path, made: Path | None = None) -> None:
    """A clean Debian with Python, nothing of ours."""
    if made is not None:
        subprocess.run(["cp", "-a", str(made), str(root)], check=True)
        return
    subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)], check=True,
                   stdout=subprocess.DEVNULL)


def install(root: Path, wheel: Path) -> None:
    """By the script alone. Reaching the package index is this machine's matter: its certificates are lent."""
    for file in (wheel, HERE / "scripts/install-node"):
        shutil.copy(file, root / "tmp")
    with contextlib.suppress(OSError):
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "tmp/lent.crt")
    with mounted(root):
        inside(root, "/tmp/install-node", "--from", f"/tmp/{wheel.name}")


def enrol(root: Path, sample: Sample, house: House) -> str:
    """With a token of the server, by the node's own user; the node's id."""
    with house.database.work() as session:
        actor = acting(session, house, sample.people["quantri"])
        card = enrolling.expect_node(session, house, actor, sample.villages["Đồng Tâm"].id, "Cột sạch")
    inside(root, "runuser", "-u", NODE, "--", NODE, "enrol", "--token", "-", said=card.token + "\n")
    assert (root / "etc/loudspeaker/node.json").stat().st_mode & 0o077 == 0, "the configuration is not private"
    return card.node_id


def air(root: Path, node: str, commune: Commune, sample: Sample, house: House) -> tuple[float, float]:
    """Plan a broadcast at the node's village; correlation and lateness (ms) of what its wav holds."""
    begins = (datetime.now(UTC) + timedelta(seconds=25)).replace(microsecond=0)
    plan(commune, sample, begins)
    until("the broadcast is in the log", lambda: _played(house, node), 120)
    time.sleep(WAV_FOLLOWS_S)
    with house.database.read() as session:
        recording = session.get_one(Recording, sample.recordings["call"])
    rendition = next(commune.settings.data.glob(f"recordings/**/{recording.sha256}*"))
    (folder := commune.folder / "heard").mkdir()
    for suffix in (".wav", ".json"):
        shutil.copy((root / "var/lib" / NODE / "heard").with_suffix(suffix), folder / f"{node}{suffix}")
    sound = heard.read_sound(folder, node)
    found = heard.find(sound, heard.decode(imageio_ffmpeg.get_ffmpeg_exe(), rendition, sound.rate), begins)
    assert found[0] >= SOUNDS_LIKE, found
    return found


def renew(root: Path, wheels: Path, node: str, commune: Commune, sample: Sample, house: House, keys: Keys) -> str:
    """A release that is well stays; the next one ends at once, and the one before comes back."""
    with house.database.work() as session:
        keys.name_software_key(session, house)
        _, token = tokens.make_token(session, acting(session, house, sample.people["quantri"]), house.now(), "renew")
    until("the pole holds the root with the software key", lambda: _holds_root(house, node, 2), 120)
    slots = [_slot(root)]
    for serial, version, broken, result in ((1, BETTER, False, "healthy"), (2, BROKEN, True, "rolled_back")):
        keys.publish(house, build_wheel(wheels, version, broken), version, serial, node)
        ask(commune, "/commands", token, {"scope": f"node:{node}", "kind": "sync"})
        until(f"release {version}: {result}", lambda wanted=result: wanted in _results(house, node), 240)  # type: ignore[misc]
        slots.append(_slot(root))
    assert slots == ["a", "b", "b"], slots
    return f"{BETTER} stays, {BROKEN} was undone: {', '.join(_results(house, node))}"


def plan(commune: Commune, sample: Sample, begins: datetime) -> None:
    """One broadcast of the sample's call, by the editor."""
    programme = {
        "place_id": sample.commune.id, "title": "Từ máy sạch", "air_class": 0, "first_start": begins.isoformat(),
        "items": [{"recordings": {"vi": sample.recordings["call"]}}],
        "targets": [{"kind": "place", "id": sample.villages["Đồng Tâm"].id}]}
    ask(commune, "/programmes", sample.editor_token, programme)


def ask(commune: Commune, path: str, token: str, body: dict[str, Any]) -> None:
    """Ask the server for something, as a person with a token."""
    with httpx2.Client(base_url=f"{commune.url}/api/v1", trust_env=False, timeout=20) as client:
        answer = client.post(path, json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.is_success, answer.text


def inside(root: Path, *command: str, said: str = "") -> None:
    """A command within the root, in its own environment. Raises CalledProcessError with what it said."""
    done = subprocess.run(["chroot", str(root), *command], input=said, text=True, env=environment(), check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
        done.check_returncode()


def environment() -> dict[str, str]:
    """That of a fresh shell of the root."""
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
            "PIP_CERT": "/tmp/lent.crt"}


@contextmanager
def mounted(root: Path) -> Iterator[None]:
    """/proc and /dev, as a container would have them."""
    for name in ("proc", "dev"):
        subprocess.run(["mount", "--bind", f"/{name}", str(root / name)], check=True)
    try:
        yield
    finally:
        for name in ("proc", "dev"):
            subprocess.run(["umount", "--lazy", str(root / name)], check=True)


@contextmanager
def running(root: Path) -> Iterator[None]:
    """The launcher, as the service starts it, but with the wav player."""
    data = f"/var/lib/{NODE}"
    command = ["chroot", str(root), "runuser", "-u", NODE, "--", "/opt/loudspeaker-node/launch", "run", "--config",
               "/etc/loudspeaker/node.json", "--data", data, "--player", "wav", "--wav", f"{data}/heard.wav"]
    with (root / "tmp/node.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield
    except BaseException:
        sys.stderr.write((root / "tmp/node.log").read_text(errors="replace")[-3000:])
        raise
    finally:
        process.terminate()
        process.wait(15)


def _slot(root: Path) -> str:
    return (root / "opt/loudspeaker-node/current").readlink().name


def _results(house: House, node: str) -> list[str]:
    with house.database.read() as session:
        found = session.exec(select(JournalEntry.body).where(
            JournalEntry.node_id == node, JournalEntry.kind == "software").order_by(col(JournalEntry.received_at)))
        return [json.loads(body)["data"]["result"] for body in found]


def _holds_root(house: House, node: str, version: int) -> bool:
    with house.database.read() as session:
        return session.get_one(NodeState, node).held_root >= version


def _played(house: House, node: str) -> bool:
    with house.database.read() as session:
        return any(one.state == "played" for one in session.exec(select(Playback).where(Playback.node_id == node)))


if __name__ == "__main__":
    typer.run(main)
