"""Files kept under the SHA-256 of what is in them."""

import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

from audio.errors import AudioError
from audio.limits import MIB

SHA256: Final = re.compile(r"[0-9a-f]{64}")
COPY_BYTES: Final = 1 * MIB


@dataclass(frozen=True, slots=True)
class ContentStore:
    """Recordings below `root`, as `root/ab/abcd….ogg`; `free_bytes` are left free on the disk."""

    root: Path
    free_bytes: int = 64 * MIB
    suffix: str = ".ogg"

    def add(self, path: Path) -> str:
        """Keep a copy of the file at `path` and return its SHA-256; on return it survives a power cut.

        Adding what is already there changes nothing. Raises `disk_full` or `storage_failed`, and leaves nothing.
        """
        try:
            return self._add(path)
        except OSError as failure:
            raise AudioError.from_os(failure) from failure

    def _add(self, path: Path) -> str:
        self.root.mkdir(parents=True, exist_ok=True)
        size = path.stat().st_size
        free = shutil.disk_usage(self.root).free
        if free - size < self.free_bytes:
            raise AudioError("disk_full", free_bytes=free, needed_bytes=size + self.free_bytes)
        descriptor, name = tempfile.mkstemp(prefix="incoming-", dir=self.root)
        try:
            digest = hashlib.sha256()
            with path.open("rb") as source, os.fdopen(descriptor, "wb") as target:
                while data := source.read(COPY_BYTES):
                    digest.update(data)
                    target.write(data)
                target.flush()
                os.fsync(target.fileno())
            final = self._place(digest.hexdigest())
            if not final.parent.is_dir():
                final.parent.mkdir(exist_ok=True)
                sync_folder(self.root)
            Path(name).replace(final)
            sync_folder(final.parent)
            return digest.hexdigest()
        finally:
            Path(name).unlink(missing_ok=True)

    def has(self, sha256: str) -> bool:
        """Whether the file is kept; its bytes are not looked at."""
        return self._place(sha256).is_file()

    def path_of(self, sha256: str) -> Path:
        """Path of the kept file, not to be written to. Raises `unknown_recording`."""
        place = self._place(sha256)
        if not place.is_file():
            raise AudioError("unknown_recording", sha256=sha256)
        return place

    def open(self, sha256: str) -> BufferedReader:
        """Open the kept file for reading. Raises `unknown_recording`."""
        return self.path_of(sha256).open("rb")

    def verify(self, sha256: str) -> bool:
        """Whether the kept bytes still have their name. Raises `unknown_recording`."""
        with self.open(sha256) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256

    def remove(self, sha256: str) -> None:
        """Forget the file; one that is not there is fine."""
        place = self._place(sha256)
        place.unlink(missing_ok=True)
        if place.parent.is_dir():
            sync_folder(place.parent)

    def sweep(self) -> int:
        """Remove what a crash left half-written; call when nothing is being added. Return how many files went."""
        left = list(self.root.glob("incoming-*"))
        for file in left:
            file.unlink(missing_ok=True)
        return len(left)

    def _place(self, sha256: str) -> Path:
        if not SHA256.fullmatch(sha256):
            raise AudioError("unknown_recording", sha256=sha256[:80])
        return self.root / sha256[:2] / f"{sha256}{self.suffix}"


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
