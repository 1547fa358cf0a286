"""`make image-check`: the image's server as its own user, over a restart, airing to a pole outside it.

The image is run by docker, podman or, where neither works, buildah.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx2 as httpx
from rich.console import Console

from audio.engine import find_ffmpeg
from chaos.served import free_port
from loudspeaker.conductor.house import House
from loudspeaker.conductor.opening import open_house, utc_now
from loudspeaker.demo.plan import (
    PlannedPlayback,
    all_here,
    as_rows,
    is_delivered,
    is_over,
    planned_playbacks,
    states,
    write_plan,
)
from loudspeaker.demo.processes import Child
from loudspeaker.demo.sample import Sample, approve_all, make_sample, morning_programmes
from loudspeaker.settings import Settings
from tests.system import heard

HOST = "127.0.0.1"
OWNER = 10001
"""The image's user."""
KEPT = "/kept"
LEAD = timedelta(seconds=20)
console = Console()


@dataclass
class Runtime:
    """How an image is run on this machine; `prefix` is a command line to which the program in the image is added."""

    name: str
    prefix: list[str]
    end: list[str]
    environment: dict[str, str]

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """A short program in a container of the image."""
        return subprocess.run([*self.prefix, *command], capture_output=True, text=True, check=False, timeout=60,
                              env={**os.environ, **self.environment})


def runtime(image: str, data: Path, settings: Settings) -> Runtime:
    """docker or podman where they work, else buildah. Raises SystemExit where there is none."""
    given = {"LOUDSPEAKER_DATA": KEPT, "LOUDSPEAKER_PORT": str(settings.port), "LOUDSPEAKER_HOST": HOST,
             "LOUDSPEAKER_BROKER_HOST": HOST, "LOUDSPEAKER_BROKER_PORT": str(settings.broker_port)}
    options = [word for name, value in given.items() for word in ("--env", f"{name}={value}")]
    for program in ("docker", "podman"):
        if shutil.which(program) and not subprocess.run([program, "info"], capture_output=True, check=False).returncode:
            return Runtime(program, [program, "run", "--rm", "--network", "host", "--volume", f"{data}:{KEPT}",
                                     *options, image], [], {})
    if not shutil.which("buildah"):
        raise SystemExit("No docker, podman or buildah works here: apt-get install buildah")
    own = {"BUILDAH_ISOLATION": os.environ.get("BUILDAH_ISOLATION", "chroot"),
           "STORAGE_DRIVER": os.environ.get("STORAGE_DRIVER", "vfs")}
    made = subprocess.run(["buildah", "from", image], capture_output=True, text=True, check=True,
                          env={**os.environ, **own}).stdout.strip()
    return Runtime("buildah", ["buildah", "run", "--volume", f"{data}:{KEPT}:rw", *options, made, "--"],
                   ["buildah", "rm", made], own)


def main() -> int:
    """Run the check; 0 when all of it held."""
    image = os.environ.get("IMAGE", "loudspeaker:latest")
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        folder = Path(name)
        settings = Settings(data=folder / "kept", host=HOST, port=free_port(), broker_port=free_port(), tls="own")
        with open_house(settings) as house:
            sample = make_sample(house, folder)
            owned(settings.data)
            runner = runtime(image, settings.data, settings)
            try:
                return _check(house, sample, folder, runner)
            finally:
                if runner.end:
                    subprocess.run(runner.end, check=False, capture_output=True,
                                   env={**os.environ, **runner.environment})


def _check(house: House, sample: Sample, folder: Path, runner: Runtime) -> int:
    who = runner.run("id", "--user").stdout.strip()
    must(who == str(OWNER), f"the image's user is {who}, not root ({runner.name})")
    server = Child("server", [*runner.prefix, "loudspeaker", "serve"], folder / "server.log", runner.environment)
    server.start()
    wait("the server in the image answers", 90, lambda: _answers(house))
    must(runner.run("loudspeaker", "health").returncode == 0, "its health check is content")
    poles = _poles(sample, folder)
    try:
        wait("its poles outside have joined over TLS", 60, lambda: _here(house, len(poles)))
        wait("it has spoken the bulletins, and they are approved", 120, lambda: approve_all(house, sample))
        _stop(server)
        must(not _answers(house), "it ends when asked to")
        server.start()
        wait("it answers again after a restart, on the same data", 90, lambda: _answers(house))
        planned = _plan(house, sample)
        wait("the poles hold what they will air", LEAD.total_seconds(), lambda: _delivered(house, planned))
        wait("every playback has ended", 120, lambda: _over(house))
    finally:
        for pole in poles:
            pole.ask_to_stop()
        time.sleep(3)
        for pole in poles:
            pole.kill()
        _stop(server)
    return _listen(house, planned, folder)


def _listen(house: House, planned: list[PlannedPlayback], folder: Path) -> int:
    with house.database.read() as session:
        rows = as_rows(planned, states(session))
    write_plan(folder / "plan.json", rows)
    for sha256 in {item["sha256"] for row in rows for item in row["items"]}:
        shutil.copyfile(house.store.path_of(sha256), folder / f"{sha256}.ogg")
    found = heard.findings(folder, str(find_ffmpeg()))
    good = [one for one in found if one.correlation > 0.9 and abs(one.late_ms) <= 100]
    must(bool(found) and len(good) == len(found), f"{len(good)} of {len(found)} segments are heard at their instant")
    return 0


def _plan(house: House, sample: Sample) -> list[PlannedPlayback]:
    """The first programme of the sample's morning, for all poles."""
    assert house.tls is not None
    begins = (utc_now() + LEAD).replace(microsecond=0)
    with _client(house) as client:
        answer = client.post("/api/v1/programmes", json=morning_programmes(sample, begins)[0],
                             headers={"Authorization": f"Bearer {sample.editor_token}"})
    must(answer.status_code == 201, "a programme is saved")
    with house.database.read() as session:
        return planned_playbacks(session)


def _poles(sample: Sample, folder: Path) -> list[Child]:
    poles = [Child(node, [sys.executable, "-m", "firmware_bridge.node", "run", "--config", str(config), "--data",
                          str(folder / node), "--player", "wav", "--wav", str(folder / f"{node}.wav")],
                   folder / f"{node}.log", {}) for node, config in sorted(sample.configs.items())]
    for pole in poles:
        pole.start()
    return poles


def _client(house: House) -> httpx.Client:
    assert house.tls is not None
    return httpx.Client(base_url=house.public_url, verify=str(house.tls.authority), trust_env=False, timeout=30)


def _answers(house: House) -> bool:
    try:
        with _client(house) as client:
            return client.get("/healthz").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _here(house: House, count: int) -> bool:
    with house.database.read() as session:
        return all_here(session, count)


def _delivered(house: House, planned: list[PlannedPlayback]) -> bool:
    with house.database.read() as session:
        return is_delivered(session, planned)


def _over(house: House) -> bool:
    with house.database.read() as session:
        return is_over(states(session))


def _stop(server: Child) -> None:
    server.ask_to_stop()
    until = time.monotonic() + 20
    while server.alive and time.monotonic() < until:
        time.sleep(0.1)
    server.kill()


def owned(data: Path) -> None:
    """The folder belongs to the image's user, as a volume made by a container engine would."""
    for path in (data, *data.rglob("*")):
        os.chown(path, OWNER, OWNER)


def must(held: bool, what: str) -> None:
    """Print what held; ends the check where it did not."""
    console.print(f"{'✓' if held else '✗'} {what}", highlight=False)
    if not held:
        raise SystemExit(1)


def wait(what: str, seconds: float, reached: Callable[[], bool]) -> None:
    """Wait for it. Raises SystemExit when it does not come."""
    until = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > until:
            must(False, f"{what} (waited {seconds:.0f} s)")
        time.sleep(0.5)
    must(True, what)


if __name__ == "__main__":
    sys.exit(main())
