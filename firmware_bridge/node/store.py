"""The directory of recordings on the pole's disk: bytes named by their hash, and the statements beside them."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import strictjson
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.node.crashpoints import Point, Reach, pass_by
from firmware_bridge.node.inputs import OnDisk

MAX_STATEMENTS_BYTES = 256 * 1024


class Store:
    """The directory of recordings."""

    def __init__(self, directory: Path, reach: Reach = pass_by) -> None:
        self.directory, self._reach = directory, reach
        directory.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the recording lies, or will."""
        return self.directory / f"{sha256}.ogg"

    def part(self, sha256: str) -> Path:
        """What has come of it so far."""
        return self.directory / f"{sha256}.part"

    def part_bytes(self, sha256: str) -> int:
        """How many bytes of it have come."""
        part = self.part(sha256)
        return part.stat().st_size if part.exists() else 0

    def is_whole(self, sha256: str) -> bool:
        """Whether the bytes on the disk are those of the name."""
        try:
            with self.path(sha256).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except OSError:
            return False

    def scan(self) -> Iterator[OnDisk]:
        """All whole recordings; what is broken is deleted."""
        for path in sorted(self.directory.glob("*.ogg")):
            if self.is_whole(path.stem):
                yield self.on_disk(path.stem)
            else:
                self.remove(path.stem)

    def on_disk(self, sha256: str) -> OnDisk:
        """The recording as the agent wants to know it. Raises OSError."""
        return OnDisk(sha256, self.path(sha256).stat().st_size, self.statements(sha256))

    def statements(self, sha256: str) -> tuple[Envelope, ...]:
        """The statements beside it; none when they cannot be read."""
        try:
            return read_statements(self._statements_path(sha256).read_bytes())
        except (OSError, ValueError):
            return ()

    def keep_statements(self, sha256: str, raw: bytes) -> None:
        """Put statements beside it, durably."""
        beside = self._statements_path(sha256)
        fresh = beside.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        self._reach(Point.STATEMENTS_WRITTEN)
        fresh.replace(beside)
        self._reach(Point.STATEMENTS_STORED)

    def admit(self, sha256: str) -> bool:
        """Make the part the recording, durably, if its hash is right; else delete it."""
        part = self.part(sha256)
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        if found != sha256:
            self.drop_part(sha256)
            return False
        self._reach(Point.PART_SYNCED)
        part.replace(self.path(sha256))
        self._reach(Point.PART_RENAMED)
        directory = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        self.drop_part(sha256)
        self._reach(Point.PART_ADMITTED)
        return True

    def drop_part(self, sha256: str) -> None:
        """Forget what has come so far."""
        self.part(sha256).unlink(missing_ok=True)
        self.part(sha256).with_suffix(".etag").unlink(missing_ok=True)

    def remove(self, sha256: str) -> None:
        """Delete the recording and all beside it."""
        self.path(sha256).unlink(missing_ok=True)
        self._reach(Point.REMOVED_HALF)
        self._statements_path(sha256).unlink(missing_ok=True)
        self.drop_part(sha256)

    def files(self) -> list[Path]:
        """All recordings and parts of them."""
        return [*self.directory.glob("*.ogg"), *self.directory.glob("*.part")]

    def touch(self, sha256: str, at: float) -> None:
        """Mark when it was last needed, in seconds since 1970."""
        with contextlib.suppress(OSError):
            os.utime(self.path(sha256), (at, at))

    def free_bytes(self) -> int:
        """Free space on the disk."""
        return shutil.disk_usage(self.directory).free

    def _statements_path(self, sha256: str) -> Path:
        return self.directory / f"{sha256}.statements.json"


def read_statements(raw: bytes) -> tuple[Envelope, ...]:
    """Envelopes in a JSON list; those that cannot be read are left out. Raises ValueError."""
    listed = strictjson.loads(raw, MAX_STATEMENTS_BYTES)
    if not isinstance(listed, list):
        raise strictjson.MalformedJson("a list of envelopes is expected")
    found = []
    for one in listed[:16]:
        try:
            found.append(dsse.from_dict(one))
        except dsse.MalformedEnvelope:
            continue
    return tuple(found)
