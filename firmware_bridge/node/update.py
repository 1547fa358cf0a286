"""Fetching releases, and carrying out what the agent decides about them."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import httpx2
import structlog

from firmware_bridge.contract.software import SoftwareFile, SoftwareManifest
from firmware_bridge.node.clocks import monotonic
from firmware_bridge.node.effects import Confirm, Install, Restart
from firmware_bridge.node.inputs import (
    SoftwareConfirmed,
    SoftwareInput,
    SoftwareInstalled,
    SoftwareOffered,
    SoftwareTried,
)
from firmware_bridge.node.slots import BuildError, Slots

FIRST_LOOK_S = 60.0
LOOK_EVERY_S = 6 * 3600.0
MAX_MANIFEST_BYTES = 256 * 1024
RESTART = 75
"""Exit code that asks the launcher for a new start."""
CHUNK = 64 * 1024
TRIES = 30


class Updates:
    """The releases of one pole. What comes of them is reported; `stop` ends the node for a restart."""

    def __init__(self, slots: Slots, client: httpx2.Client, is_well: Callable[[], bool]) -> None:
        self._slots, self._client, self._is_well = slots, client, is_well
        self._report: Callable[[SoftwareInput], None] = lambda happened: None
        self._stop: Callable[[], None] = lambda: None
        self._look_due = monotonic() + FIRST_LOOK_S
        self._log = structlog.get_logger("node.update")
        self.exit_code = 0

    def begin(self, report: Callable[[SoftwareInput], None], stop: Callable[[], None]) -> None:
        """The node has started: tell whether this release is on trial, or has come back."""
        self._report, self._stop = report, stop
        if self._slots.take_rolled_back():
            report(SoftwareTried(rolled_back=True))
        elif self._slots.is_on_trial:
            report(SoftwareTried())

    def look_if_due(self) -> None:
        """Look for a release every few hours."""
        if monotonic() >= self._look_due:
            self._look_due = monotonic() + LOOK_EVERY_S
            threading.Thread(target=self.look, name="update", daemon=True).start()

    def look(self) -> None:
        """Ask the server for the manifest that is meant for this pole."""
        try:
            answer = self._client.get("/nodes/me/software")
        except httpx2.HTTPError as error:
            self._log.info("not asked", error=repr(error))
            return
        if answer.status_code == 200 and len(answer.content) <= MAX_MANIFEST_BYTES:
            self._report(SoftwareOffered(answer.content))

    def perform(self, effect: Install | Restart | Confirm) -> None:
        """Carry out an effect; what takes long goes on aside."""
        match effect:
            case Install(manifest):
                threading.Thread(target=self._install, args=(manifest,), name="install", daemon=True).start()
            case Restart():
                self._slots.switch()
                self.exit_code = RESTART
                self._stop()
            case Confirm():
                threading.Thread(target=self._confirm, name="confirm", daemon=True).start()

    def _install(self, manifest: SoftwareManifest) -> None:
        try:
            folder = self._slots.home / "wheels"
            folder.mkdir(exist_ok=True)
            files = [fetch(self._client, one, folder) for one in manifest.files]
            self._slots.build(files)
            for one in folder.iterdir():
                one.unlink()
        except (httpx2.HTTPError, OSError, BuildError, BadFile) as error:
            self._report(SoftwareInstalled(manifest.version, str(error) or repr(error)))
        else:
            self._report(SoftwareInstalled(manifest.version))

    def _confirm(self) -> None:
        """The machine must be well too; otherwise the launcher's patience ends the trial."""
        if self._is_well():
            self._slots.confirm()
            self._report(SoftwareConfirmed())


class BadFile(Exception):
    """The bytes are not those of the manifest."""


def fetch(client: httpx2.Client, file: SoftwareFile, folder: Path) -> Path:
    """The file, resumed where it broke off before, checked by its hash. Raises BadFile, HTTPError, OSError."""
    path, part = folder / file.name, folder / f"{file.sha256}.part"
    for _ in range(TRIES):
        have = part.stat().st_size if part.exists() else 0
        if have >= file.bytes:
            break
        try:
            _append(client, file, part, have)
        except httpx2.TransportError:
            continue
    raw = part.read_bytes() if part.exists() else b""
    if hashlib.sha256(raw).hexdigest() != file.sha256:
        part.unlink(missing_ok=True)
        raise BadFile(f"{file.name}: {len(raw)} bytes that are not those of the manifest")
    part.replace(path)
    return path


def _append(client: httpx2.Client, file: SoftwareFile, part: Path, have: int) -> None:
    with client.stream("GET", f"/software/{file.sha256}", headers={"Range": f"bytes={have}-"}) as answer:
        answer.raise_for_status()
        with part.open("ab" if answer.status_code == 206 else "wb") as out:
            for chunk in answer.iter_bytes(CHUNK):
                out.write(chunk)
                if out.tell() > file.bytes:
                    raise BadFile(f"{file.name}: longer than the manifest says")
