"""A pole on a disk of 4 MB that fills up, stays full, and is emptied again. Needs the right to mount."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx2

from chaos.kills import RECORDINGS, TERMINAL, names_of_recordings, signed_statements
from chaos.lone_pole import LonePole, hush
from firmware_bridge.contract.documents import OrderBroadcast
from firmware_bridge.contract.messages import Entry, EntryKind
from firmware_bridge.contract.topics import Down
from firmware_bridge.node.inputs import Connected
from firmware_bridge.node.journal import read_entries
from tests.firmware_bridge.builders import NOON, Commune, broadcast, by_server, order, receipt

SIZE = "4m"
EVERY_S = 60


class NoMount(RuntimeError):
    """The row cannot be run here."""


@dataclass(frozen=True)
class Seen:
    """What the pole did: broadcasts, every broken promise in words, entries written while the disk was full."""

    broadcasts: int
    broken: tuple[str, ...]
    entries: int


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of 4 MB in memory. Raises NoMount."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            raise NoMount(f"run this as root, which may mount a tmpfs: {done.stderr.strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def run(minutes: int) -> Seen:
    """A broadcast a minute: on an empty disk, a full one, one without the reserve even, and an empty one again."""
    hush()
    with small_disk() as disk, httpx2.Client() as client:
        pole = LonePole(disk / "data", client)
        listed = _begin(pole, 4 * minutes)
        pole.run_for(minutes * 60)
        before = len(read_entries(disk / "data" / "node.db", limit=1_000_000))
        _fill(disk / "junk1")
        pole.run_for(minutes * 60)
        entries = read_entries(disk / "data" / "node.db", limit=1_000_000)
        written = len(entries) - before
        broken = [*_not_kept(entries, minutes, written), *_not_told(entries, "disk")]
        _fill(disk / "junk2")
        pole.run_for(minutes * 60)
        for junk in disk.glob("junk*"):
            junk.unlink()
        pole.run_for(minutes * 60 + 60)
        entries = read_entries(disk / "data" / "node.db", limit=1_000_000)
        broken += [*_not_told(entries, "disk_recovered"), *_not_aired(entries, listed)]
        broken += [] if (disk / "data" / "reserve").exists() else ["there is no reserve again"]
        pole.close()
    return Seen(len(listed), tuple(broken), written)


def _begin(pole: LonePole, count: int) -> list[OrderBroadcast]:
    names = names_of_recordings()
    listed = [broadcast(f"b{number}", NOON + timedelta(seconds=30 + EVERY_S * number), *names[:2])
              for number in range(count)]
    pole.wake()
    pole.take(Connected())
    pole.receive(Commune().bundle(), Down.TRUST)
    for name, (raw, _) in zip(names, RECORDINGS, strict=True):
        pole.fetch(name, raw, signed_statements()[name])
    pole.receive(by_server(order(
        *listed, lengths={name: length for name, (_, length) in zip(names, RECORDINGS, strict=True)},
        sizes={name: len(raw) for name, (raw, _) in zip(names, RECORDINGS, strict=True)})), Down.ORDER)
    mark = pole.runner.state.journal
    pole.receive(by_server(receipt(mark.id, mark.last)), Down.RECEIPT)
    return listed


def _fill(path: Path) -> None:
    """Write until nothing more goes, to the last page."""
    with path.open("wb", buffering=0) as junk:
        for size in (65536, 4096, 512):
            while _wrote(junk.fileno(), size):
                pass


def _wrote(file: int, size: int) -> bool:
    try:
        return os.write(file, bytes(size)) == size
    except OSError:
        return False


def _not_kept(entries: list[Entry], minutes: int, written: int) -> Iterator[str]:
    if written < 2 * minutes - 2:
        yield f"only {written} entries reached the full disk in {minutes} minutes"
    if [one.seq for one in entries] != list(range(entries[0].seq, entries[-1].seq + 1)):
        yield "the journal has a gap"


def _not_told(entries: list[Entry], what: str) -> Iterator[str]:
    if not any(one.kind == EntryKind.FAULT and one.data.get("what") == what for one in entries):
        yield f"no fault {what!r} in the journal"


def _not_aired(entries: list[Entry], listed: list[OrderBroadcast]) -> Iterator[str]:
    for one in listed:
        ends = [each.data.get("state") for each in entries if each.kind in TERMINAL and each.broadcast == one.id]
        if ends != ["played"]:
            yield f"{one.id}: {ends}"
