"""What must be durable, and what happens when the disk cannot: a reserve first, then memory, and no false claim."""

import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from firmware_bridge.node.crashpoints import Reach, pass_by
from firmware_bridge.node.effects import Keep, Write
from firmware_bridge.node.journal import Journal
from firmware_bridge.node.kept import is_damage

RESERVE_BYTES = 4 * 1024 * 1024
"""Given up when the disk is full, so that the journal can go on: weeks of entries."""
SHARE = 8
"""On a small disk the reserve takes no more than one part in so many of it."""
FULL_KEEPS = 2000
"""Entries that stay on a full disk; older ones that the server has make room for new ones."""
PAGE = 4096


class Ledger:
    """The journal with its reserve. `trouble` is why not everything is on the disk now, None when it is."""

    def __init__(self, data: Path, reach: Reach = pass_by) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._path, self._reach = data / "node.db", reach
        self._reserve = data / "reserve"
        self._waiting: list[Write | Keep] = []
        self.trouble: str | None = None
        self.reserve_used = False
        self.journal = self._open()

    def commit(self, writes: Sequence[Write | Keep], receipted: int = 0) -> None:
        """Make `writes` durable. What the disk does not take is remembered in order, and goes with the next that can.

        `receipted` is how far the journal is on the server. Raises sqlite3.DatabaseError when the file is damaged.
        """
        before = len(self._waiting)
        self._waiting += writes
        try:
            self._write(receipted)
        except sqlite3.DatabaseError:
            del self._waiting[before:]
            raise

    def retry(self, receipted: int = 0) -> None:
        """Try again what the disk did not take, and hold a reserve again once there is space. Raises as `commit`."""
        if self._waiting:
            self._write(receipted)
        if not self._waiting:
            self.hold_reserve()

    def hold_reserve(self) -> None:
        """Take the reserve from the disk while twice as much is free, so that it does not come and go."""
        disk = shutil.disk_usage(self._reserve.parent)
        size = min(RESERVE_BYTES, disk.total // SHARE // PAGE * PAGE)
        if self._reserve.exists() or disk.free < 2 * size:
            return
        try:
            with self._reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
            self.reserve_used = False
        except OSError:
            self._reserve.unlink(missing_ok=True)

    def reopen(self) -> None:
        """Open the files anew, after damage: what is broken is set aside. Raises sqlite3.OperationalError."""
        self.journal.close()
        self._waiting.clear()
        self.journal = self._open()

    def close(self) -> None:
        """Close the files."""
        self.journal.close()

    def _open(self) -> Journal:
        try:
            return Journal.open(self._path, self._reach)
        except sqlite3.OperationalError:
            if not self._give_up_reserve():
                raise
            return Journal.open(self._path, self._reach)

    def _write(self, receipted: int) -> None:
        try:
            self._write_or_make_room(receipted)
        except sqlite3.OperationalError as error:
            if is_damage(error):
                raise
            self.trouble = f"not on the disk: {error}"
            return
        self._waiting.clear()
        self.trouble = None if self.journal.lag is None else f"no second copy: {self.journal.lag}"

    def _write_or_make_room(self, receipted: int) -> None:
        try:
            self.journal.commit(self._waiting)
        except sqlite3.OperationalError as error:
            if is_damage(error) or not self._give_up_reserve():
                raise
            self.journal.commit(self._waiting)
        if self.journal.lag is not None:
            self._give_up_reserve()
        if self.reserve_used:
            self.journal.shrink(receipted, FULL_KEEPS)

    def _give_up_reserve(self) -> bool:
        """Whether there was one."""
        held = self._reserve.exists()
        self._reserve.unlink(missing_ok=True)
        self.reserve_used = self.reserve_used or held
        return held
