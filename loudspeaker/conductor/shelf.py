"""Small renditions that are asked for often, served from memory: a fleet fetches the same few at the same time."""

import mmap
import os
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final

from audio.store import ContentStore

MIB: Final = 1024 * 1024
SHELF_BYTES: Final = 64 * MIB
ITEM_BYTES: Final = 4 * MIB
"""A rendition has 4 kB a second: this is over a quarter of an hour."""


@dataclass(frozen=True)
class Sheet:
    """A rendition in memory: `data` to slice, `file` (a descriptor) for the kernel to send from without a copy."""

    data: mmap.mmap
    file: int

    @classmethod
    def of(cls, raw: bytes) -> "Sheet":
        """A copy of `raw` in memory of its own."""
        file = os.memfd_create("sheet")
        os.truncate(file, len(raw))
        with mmap.mmap(file, len(raw)) as whole:
            whole[:] = raw
        sheet = cls(mmap.mmap(file, len(raw), access=mmap.ACCESS_READ), file)
        weakref.finalize(sheet, os.close, file)
        return sheet


class Shelf:
    """The most recently asked renditions, at most `shelf_bytes` in all. Thread-safe."""

    def __init__(self, store: ContentStore, shelf_bytes: int = SHELF_BYTES, item_bytes: int = ITEM_BYTES) -> None:
        self._store = store
        self._shelf_bytes = shelf_bytes
        self._item_bytes = item_bytes
        self._held: OrderedDict[str, Sheet] = OrderedDict()
        self._used = 0
        self._lock = Lock()

    def held(self, sha256: str) -> Sheet | None:
        """The whole rendition if it lies here already; touches no disk."""
        with self._lock:
            if sha256 in self._held:
                self._held.move_to_end(sha256)
                return self._held[sha256]
        return None

    def fetch(self, sha256: str) -> Sheet | None:
        """The whole rendition, read if need be; None where it is too large. Raises AudioError `unknown_recording`."""
        if (found := self.held(sha256)) is not None:
            return found
        path = self._store.path_of(sha256)
        if not 0 < path.stat().st_size <= self._item_bytes:
            return None
        sheet = Sheet.of(path.read_bytes())
        with self._lock:
            if sha256 not in self._held:
                self._held[sha256] = sheet
                self._used += len(sheet.data)
            while self._used > self._shelf_bytes:
                _, dropped = self._held.popitem(last=False)
                self._used -= len(dropped.data)
        return sheet
