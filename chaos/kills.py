"""kill -9 at every crash point of a pole, thousands of times, over real files: one end each, no replay, no gap."""

import hashlib
import json
import mmap
import os
import random
import signal
import struct
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx2

from chaos.lone_pole import Clock, LonePole, hush
from firmware_bridge.contract.documents import AirClass
from firmware_bridge.contract.envelope import to_dict
from firmware_bridge.contract.messages import Entry, EntryKind
from firmware_bridge.contract.topics import Down
from firmware_bridge.node.crashpoints import Point
from firmware_bridge.node.effects import Cue
from firmware_bridge.node.inputs import Connected, Evicted
from firmware_bridge.node.journal import Journal
from tests.firmware_bridge.builders import NOON, Commune, approved, broadcast, by_server, order, play_now, receipt

EVERY_S = 9
"""A broadcast begins so often."""
LATEST_S = 4
LIFE_S = 14.0
"""A life in which the point is not reached ends here, by itself."""
KILLS_PER_WORLD = 60
"""Then the pole is looked at, and another one begins."""
RECORDINGS = ((b"news " * 300, 3000), (b"music " * 200, 2000), (b"siren " * 100, 1500))
TERMINAL = (EntryKind.PLAY_END, EntryKind.PLAY_MISSED)
FIRST_SAMPLE = "first sample"
OF_RECORDINGS = frozenset({Point.PART_SYNCED, Point.PART_RENAMED, Point.PART_ADMITTED, Point.STATEMENTS_WRITTEN,
                           Point.STATEMENTS_STORED, Point.REMOVED_HALF})
POINTS: tuple[str, ...] = (*Point, FIRST_SAMPLE)


@dataclass
class World:
    """One pole on one disk, and what was seen of its lives."""

    data: Path
    dice: random.Random
    clock: Clock = field(default_factory=Clock)
    lives: int = 0
    version: int = 0
    trust: int = 1
    kills: Counter[str] = field(default_factory=Counter)
    orders: dict[int, frozenset[str]] = field(default_factory=dict)
    """Broadcasts by version of the order that listed them."""


@dataclass(frozen=True)
class Result:
    """Kills by point, and every broken promise in words."""

    kills: Counter[str]
    orders: int
    broken: tuple[str, ...]


def run(kills: int, seed: int, folder: Path | None = None) -> Result:
    """At least `kills` kills, spread over all points."""
    hush()
    dice, counted, orders, broken = random.Random(seed), Counter[str](), 0, list[str]()
    with httpx2.Client() as client:
        while counted.total() < kills:
            with tempfile.TemporaryDirectory(dir=folder or _memory()) as data:
                world = World(Path(data), dice)
                while world.kills.total() < min(kills, KILLS_PER_WORLD):
                    _live(world, client, rarest(world.kills + counted, dice))
                _live(world, client, None)
                broken += found_broken(world)
                counted += world.kills
                orders += len(world.orders)
    return Result(counted, orders, tuple(broken))


def rarest(kills: Counter[str], dice: random.Random) -> str:
    """The point to die at next: any, but rather one that was seldom reached."""
    return min(dice.sample(POINTS, 3), key=kills.__getitem__)


def found_broken(world: World) -> Iterator[str]:
    """Every promise that the files of a dead pole show broken."""
    journal = Journal.open(world.data / "node.db")
    entries = journal.entries(limit=1_000_000)
    if journal.broken is not None:
        yield f"the journal was taken for damaged: {journal.broken}"
    journal.close()
    if [one.seq for one in entries] != list(range(1, len(entries) + 1)):
        yield "the journal has a gap"
    ends = Counter(one.broadcast for one in entries if one.kind in TERMINAL)
    yield from (f"{name} has {ends[name]} ends" for name in taken_in(world, entries) if ends[name] != 1)
    yield from _wrongly_heard(world, entries)


def taken_in(world: World, entries: Iterable[Entry]) -> frozenset[str]:
    """Every broadcast of an order or a command that the pole accepted."""
    orders = [world.orders[int(str(one.data["version"]))] for one in entries if one.kind == EntryKind.ORDER_ACCEPTED]
    commands = frozenset(one.broadcast for one in entries if one.kind == EntryKind.COMMAND and one.broadcast)
    return commands.union(*orders)


def _wrongly_heard(world: World, entries: list[Entry]) -> Iterator[str]:
    """Sound without a start on the disk, again in a later life, or that its end denies."""
    starts = {one.broadcast for one in entries if one.kind == EntryKind.PLAY_START}
    missed = {one.broadcast for one in entries if one.kind == EntryKind.PLAY_MISSED}
    first: dict[str, int] = {}
    for life, name in heard(world.data):
        if name not in starts:
            yield f"{name} was heard and has no start"
        if name in missed:
            yield f"{name} was heard and is said to be missed"
        if first.setdefault(name, life) != life:
            yield f"{name} was heard in life {first[name]} and again in {life}"


def heard(data: Path) -> list[tuple[int, str]]:
    """(life, broadcast) of every first sample that went out."""
    path = data / "heard"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(life), name) for life, name in (line.split() for line in lines)]


def _live(world: World, client: httpx2.Client, point: str | None) -> None:
    """One life, to its death at `point` or, with None, to the end of all that is listed."""
    world.lives += 1
    scene = _scene(world, point)
    once = point in OF_RECORDINGS or point in (Point.COMMAND_KEPT, Point.TRUST_KEPT)
    killed = _in_child(world, client, scene, point, 1 if once else 1 + int(world.dice.expovariate(1.0)))
    if killed and point is not None:
        world.kills[point] += 1
    elif killed:
        raise RuntimeError("the pole died by itself")
    world.clock.mono = round(world.clock.mono + world.dice.choice((0.1, 1.0, 3.0, 8.0)), 3)


@dataclass(frozen=True)
class _Scene:
    """What happens to the pole in this life."""

    trust: bytes
    order: bytes
    command: bytes
    statements: dict[str, bytes]
    evicted: str | None
    receipted: float


def _scene(world: World, point: str | None) -> _Scene:
    now = world.clock().wall
    world.version += 1
    world.trust += point == Point.TRUST_KEPT
    first = int((now - NOON).total_seconds() // EVERY_S)
    names = names_of_recordings()
    coming = [broadcast(f"b{number}", NOON + timedelta(seconds=EVERY_S * number), *names[:2], latest_s=LATEST_S)
              for number in range(max(0, first - 1), first + 8)]
    world.orders[world.version] = frozenset(one.id for one in coming)
    lengths = {name: length for name, (_, length) in zip(names, RECORDINGS, strict=True)}
    sizes = {name: len(raw) for name, (raw, _) in zip(names, RECORDINGS, strict=True)}
    listed = order(*coming, version=world.version, issued=now, lengths=lengths, sizes=sizes)
    alarm = play_now(f"c{world.lives}", names[2], issued=now, latest_s=6)
    sounds = point == Point.COMMAND_KEPT or world.dice.random() < 0.2
    evicted = world.dice.choice(names) if point in OF_RECORDINGS or world.dice.random() < 0.2 else None
    command = by_server(alarm) if sounds else b""
    trust = Commune(version=world.trust).bundle()
    return _Scene(trust, by_server(listed), command, signed_statements(), evicted, world.dice.random())


def _in_child(world: World, client: httpx2.Client, scene: _Scene, point: str | None, nth: int) -> bool:
    """Whether the child was killed; `world.clock` is then where it was."""
    shared = mmap.mmap(-1, 8)
    shared[:] = struct.pack("d", world.clock.mono)
    child = os.fork()
    if child == 0:
        _act(world, client, scene, _Killer(point, nth), shared)
    _, status = os.waitpid(child, 0)
    (world.clock.mono,) = struct.unpack("d", shared[:])
    shared.close()
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise RuntimeError(f"the pole failed: {os.WEXITSTATUS(status)}")
    return os.WIFSIGNALED(status)


class _Killer:
    """Kills its own process at the `nth` pass of `point`."""

    def __init__(self, point: str | None, nth: int) -> None:
        self._point, self._left = point, nth

    def __call__(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def _act(world: World, client: httpx2.Client, scene: _Scene, kill: _Killer, shared: mmap.mmap) -> None:
    """The child's whole life. Never returns."""
    status = 1
    try:
        _play(world, client, scene, kill, shared)
        status = 0
    finally:
        if status:
            traceback.print_exc()
        os._exit(status)


def _play(world: World, client: httpx2.Client, scene: _Scene, kill: _Killer, shared: mmap.mmap) -> None:
    def write_heard(cue: Cue) -> None:
        with (world.data / "heard").open("a") as file:
            file.write(f"{world.lives} {cue.broadcast}\n")
        kill(FIRST_SAMPLE)

    def note(mono: float) -> None:
        shared[:] = struct.pack("d", mono)

    pole = LonePole(world.data, client, world.clock, heard=write_heard, reach=kill, passed=note)
    pole.wake()
    pole.take(Connected())
    pole.receive(scene.trust, Down.TRUST)
    if scene.evicted:
        pole.runner._store.remove(scene.evicted)
        pole.take(Evicted(scene.evicted))
    pole.receive(scene.order, Down.ORDER)
    for name, (raw, _) in zip(names_of_recordings(), RECORDINGS, strict=True):
        if name not in pole.runner.state.stored:
            pole.fetch(name, raw, scene.statements[name])
    if scene.command:
        pole.receive(scene.command, Down.COMMAND)
    mark = pole.runner.state.journal
    pole.receive(by_server(receipt(mark.id, int(mark.last * scene.receipted), pole.clock().wall)), Down.RECEIPT)
    pole.run_for(LIFE_S if kill._point else EVERY_S * 12.0)
    pole.close()


def names_of_recordings() -> list[str]:
    """The hashes of `RECORDINGS`, in their order."""
    return [_hash(raw) for raw, _ in RECORDINGS]


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def signed_statements() -> dict[str, bytes]:
    """The statements that lie beside each, by hash."""
    return {_hash(raw): json.dumps([to_dict(approved(_hash(raw), size=len(raw), duration_ms=length,
                                                     air_class=AirClass.EMERGENCY))]).encode()
            for raw, length in RECORDINGS}


def _memory() -> Path | None:
    """A disk in memory, where there is one: a kill does not need the platter."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() and os.access(shared, os.W_OK) else None
