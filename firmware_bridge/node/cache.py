"""The recordings on the pole's disk: fetched in resumable pieces, named by their hash, with what was signed.

A file counts once its bytes were hashed and its statements lie beside it; whether they suffice is the agent's word.
"""

import contextlib
import random
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from firmware_bridge.node.budget import Meter
from firmware_bridge.node.clocks import monotonic, wall
from firmware_bridge.node.effects import Fetch, Want
from firmware_bridge.node.fetching import NotHad, Part, Source, good_statements
from firmware_bridge.node.inputs import Arrived, Evicted, Spoiled, Trouble
from firmware_bridge.node.routes import Routes
from firmware_bridge.node.store import Store

LONGEST_WAIT_S = 60.0
SOON_S = 120.0
SOON_WAIT_S = 5.0
SPREAD_S = 600.0
"""A fleet does not ask as one: what is far off begins at a random moment within this, or a 100th of the time left."""

Report = Callable[[Arrived | Spoiled | Evicted | Trouble], None]


class _NotNow(Exception):
    """Another recording has to come first, the day's bytes are spent, or the node ends."""


@dataclass
class _Try:
    failures: int = 0
    not_before: float = 0.0


@dataclass(frozen=True)
class Held:
    """A file on the disk. `needed_at` is when an order last needed it, in seconds since 1970."""

    name: str
    bytes: int
    needed_at: float


def chosen_to_go(files: Iterable[Held], needed: Collection[str], lacking: int) -> tuple[str, ...] | None:
    """The files to delete for `lacking` bytes, the longest unneeded first, never one of `needed`.

    None where all that could go would not do: then nothing is to be deleted.
    """
    gone: list[str] = []
    for one in sorted(files, key=lambda each: (each.needed_at, each.name)):
        if lacking <= 0:
            break
        if one.name not in needed:
            gone.append(one.name)
            lacking -= one.bytes
    return tuple(gone) if lacking <= 0 else None


class Cache:
    """Fetches what the agent wants, one after the other, the soonest first, in its own thread.

    `clock` is the node's own time.
    """

    def __init__(
        self, store: Store, routes: Routes, report: Report, floor_bytes: int,
        clock: Callable[[], datetime] = wall, draw: Callable[[], float] = random.random,
        first_wait_s: float = 0.5,
    ) -> None:
        self._store, self._routes, self._report, self._floor = store, routes, report, floor_bytes
        self._clock, self._draw, self._first_wait_s = clock, draw, first_wait_s
        self._meter = Meter(store.directory / "fetched.json")
        self._fetch = Fetch((), frozenset())
        self._tries: dict[str, _Try] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="cache", daemon=True)

    @property
    def fetched_bytes(self) -> int:
        """Of recordings and statements, on the place's day."""
        return self._meter.bytes

    def start(self) -> None:
        """Begin to fetch."""
        self._thread.start()

    def want(self, fetch: Fetch) -> None:
        """From now on this is wanted, and nothing else."""
        with self._changed:
            wanted = {one.sha256 for one in fetch.wants}
            self._tries = {sha: kept for sha, kept in self._tries.items() if sha in wanted}
            for one in fetch.wants:
                self._tries.setdefault(one.sha256, _Try(not_before=monotonic() + self._head_start(one)))
            for sha256 in self._fetch.needed - fetch.needed:
                self._store.touch(sha256, self._clock().timestamp())
            self._fetch = fetch
            self._meter.begin(fetch.day)
            self._changed.notify_all()

    def close(self) -> None:
        """Stop; what has come so far stays."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(0.5)

    def _head_start(self, want: Want) -> float:
        """A random wait, longer when there is time."""
        begin = max(self._clock(), want.leave.after or self._clock())
        left = (want.by - begin).total_seconds()
        return self._draw() * max(0.0, min(SPREAD_S, (left - SOON_S) / 100))

    def _run(self) -> None:
        while (want := self._next()) is not None:
            before = self._store.part_bytes(want.sha256)
            problem = self._attempt(want)
            if problem is not None:
                self._postpone(want, problem, came_on=self._store.part_bytes(want.sha256) > before)

    def _next(self) -> Want | None:
        """The next recording to get; waits for one. None at the end."""
        with self._changed:
            while not self._closing:
                waits = [(self._wait_for(one), one) for one in self._fetch.wants if self._may_spend(one)]
                ready = [one for wait, one in waits if wait <= 0]
                if ready:
                    return ready[0]
                self._changed.wait(min((wait for wait, _ in waits), default=None))
            return None

    def _wait_for(self, want: Want) -> float:
        """Seconds until this may be tried."""
        wait = self._tries[want.sha256].not_before - monotonic()
        if want.leave.after is None:
            return wait
        opens = (want.leave.after - self._clock()).total_seconds()
        return max(wait, min(opens, LONGEST_WAIT_S))

    def _may_spend(self, want: Want) -> bool:
        return want.leave.pressing or not self._is_spent()

    def _is_spent(self) -> bool:
        return self._fetch.bytes_a_day is not None and self._meter.bytes >= self._fetch.bytes_a_day

    def _attempt(self, want: Want) -> NotHad | None:
        """Get one recording and its statements. The reason when it failed."""
        over = "hours" if want.leave.outside else "bytes" if self._is_spent() else None
        try:
            if not self._store.path(want.sha256).exists():
                self._make_room(want)
                self._by_some_way(want, lambda way: self._download(way, want))
                if not self._store.admit(want.sha256):
                    self._report(Spoiled(want.sha256, "the bytes are not those of the name"))
                    return NotHad("altered")
            else:
                over = None
            self._by_some_way(want, lambda way: self._get_statements(way, want))
            over = over or ("bytes" if self._is_spent() and want.leave.pressing else None)
            self._report(Arrived(self._store.on_disk(want.sha256), over))
        except _NotNow:
            return None
        except NotHad as problem:
            return problem
        except (OSError, ValueError) as error:
            return NotHad(f"{type(error).__name__}: {error}")
        finally:
            with contextlib.suppress(OSError):  # a full disk counts for less than the recording
                self._meter.keep()
        with self._changed:
            self._tries[want.sha256] = _Try(1, monotonic() + LONGEST_WAIT_S)
        return None

    def _by_some_way(self, want: Want, get: Callable[[Source], None]) -> None:
        """Do it by HTTPS or by the broker, and remember whether that works."""
        way = self._routes.choose((want.by - self._clock()).total_seconds())
        before = self._meter.bytes
        try:
            get(way)
        except NotHad as problem:
            if problem.reached or self._meter.bytes > before:
                self._routes.worked(way)
            else:
                self._routes.failed(way)
            raise
        self._routes.worked(way)

    def _postpone(self, want: Want, problem: NotHad, came_on: bool) -> None:
        """Try again after a while, ever longer; soon when some of it came or it is needed soon."""
        left = (want.by - self._clock()).total_seconds()
        with self._changed:
            tried = self._tries.setdefault(want.sha256, _Try())
            tried.failures = 1 if came_on else tried.failures + 1
            longest = SOON_WAIT_S if left < SOON_S else LONGEST_WAIT_S
            wait = min(longest, self._first_wait_s * 2.0 ** min(tried.failures - 1, 10)) * (0.5 + self._draw() / 2)
            if problem.after_s is not None:
                wait = min(problem.after_s * (1 + self._draw() / 4), max(SOON_WAIT_S, left / 4))
            tried.not_before = monotonic() + wait
        if "No space" in str(problem):
            self._report(Trouble("disk", str(problem)))

    def _download(self, way: Source, want: Want) -> None:
        """Append to the part what is missing."""
        with Part(self._store, want.sha256, want.bytes) as part:
            way.recording(part, lambda count: self._came(want, count))

    def _get_statements(self, way: Source, want: Want) -> None:
        raw = way.statements(want.sha256, self._meter.add)
        self._store.keep_statements(want.sha256, good_statements(raw))

    def _came(self, want: Want, count: int) -> None:
        """Count what came; break off when something else has to come first, or no more may be spent."""
        with self._changed:
            self._meter.add(count)
            if self._closing or not self._may_spend(want):
                raise _NotNow
            first = next((one for one in self._fetch.wants if self._may_spend(one) and self._wait_for(one) <= 0), want)
            if first.sha256 != want.sha256:
                raise _NotNow

    def _make_room(self, want: Want) -> None:
        """Evict what no order needs until the recording fits above the floor. Raises OSError when it cannot."""
        need = self._floor + max(0, (want.bytes or 0) - self._store.part_bytes(want.sha256))
        with self._changed:
            lacking = need - self._store.free_bytes()
            wanted = {one.sha256 for one in self._fetch.wants} | self._fetch.needed
            files = [Held(path.stem, path.stat().st_size, path.stat().st_mtime) for path in self._store.files()]
            gone = chosen_to_go(files, wanted, lacking)
            for name in gone or ():
                self._store.remove(name)
                self._report(Evicted(name))
        if gone is None:
            raise OSError(f"No space: {self._store.free_bytes()} bytes free, {need} needed")
