"""The recordings on the pole's disk: fetched over HTTP in resumable pieces, named by their hash, with what was signed.

A file counts once its bytes were hashed and its statements lie beside it; whether they suffice is the agent's word.
"""

import os
import random
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from firmware_bridge.node.effects import Fetch, Want
from firmware_bridge.node.inputs import Arrived, Evicted, Spoiled, Trouble
from firmware_bridge.node.store import Store, read_statements

MAX_RECORDING_BYTES = 512 * 1024 * 1024
LONGEST_WAIT_S = 60.0
SOON_S = 120.0
SOON_WAIT_S = 5.0

Report = Callable[[Arrived | Spoiled | Evicted | Trouble], None]


class _MoreUrgent(Exception):
    """Another recording has to come first."""


@dataclass
class _Try:
    failures: int = 0
    not_before: float = 0.0


class Cache:
    """Fetches what the agent wants, one after the other, the soonest first, in its own thread."""

    def __init__(
        self, store: Store, client: httpx2.Client, report: Report, floor_bytes: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC), draw: Callable[[], float] = random.random,
        first_wait_s: float = 0.5,
    ) -> None:
        self._store, self._client, self._report, self._floor = store, client, report, floor_bytes
        self._clock, self._draw, self._first_wait_s = clock, draw, first_wait_s
        self._fetch = Fetch((), frozenset())
        self._tries: dict[str, _Try] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="cache", daemon=True)

    def start(self) -> None:
        """Begin to fetch."""
        self._thread.start()

    def want(self, fetch: Fetch) -> None:
        """From now on this is wanted, and nothing else."""
        with self._changed:
            wanted = {one.sha256 for one in fetch.wants}
            self._tries = {sha: kept for sha, kept in self._tries.items() if sha in wanted}
            for one in fetch.wants:
                self._tries.setdefault(one.sha256, _Try(not_before=time.monotonic() + self._head_start(one)))
            self._fetch = fetch
            self._changed.notify_all()

    def close(self) -> None:
        """Stop; what has come so far stays."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(0.5)

    def _head_start(self, want: Want) -> float:
        """A random wait, longer when there is time: a fleet does not ask as one."""
        left = (want.by - self._clock()).total_seconds()
        return self._draw() * max(0.0, min(60.0, (left - SOON_S) / 10))

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
                now = time.monotonic()
                ready = [one for one in self._fetch.wants if self._tries[one.sha256].not_before <= now]
                if ready:
                    return ready[0]
                waits = [self._tries[one.sha256].not_before - now for one in self._fetch.wants]
                self._changed.wait(min(waits, default=None))
            return None

    def _attempt(self, want: Want) -> str | None:
        """Get one recording and its statements. The reason when it failed."""
        try:
            if not self._store.path(want.sha256).exists():
                self._make_room(want)
                self._download(want)
                if not self._store.admit(want.sha256):
                    self._report(Spoiled(want.sha256, "the bytes are not those of the name"))
                    return "altered"
            self._get_statements(want.sha256)
            self._report(Arrived(self._store.on_disk(want.sha256)))
        except _MoreUrgent:
            return None
        except (httpx2.HTTPError, OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        with self._changed:
            self._tries[want.sha256] = _Try(1, time.monotonic() + LONGEST_WAIT_S)
        return None

    def _postpone(self, want: Want, problem: str, came_on: bool) -> None:
        """Try again after a while, ever longer; soon when some of it came or it is needed soon."""
        left = (want.by - self._clock()).total_seconds()
        with self._changed:
            tried = self._tries.setdefault(want.sha256, _Try())
            tried.failures = 1 if came_on else tried.failures + 1
            longest = SOON_WAIT_S if left < SOON_S else LONGEST_WAIT_S
            wait = min(longest, self._first_wait_s * 2.0 ** min(tried.failures - 1, 10)) * (0.5 + self._draw() / 2)
            tried.not_before = time.monotonic() + wait
        if "No space" in problem:
            self._report(Trouble("disk", problem))

    def _download(self, want: Want) -> None:
        """Append to the part what is missing. Raises httpx2.HTTPError, OSError, ValueError, _MoreUrgent."""
        part = self._store.part(want.sha256)
        have = self._store.part_bytes(want.sha256)
        if want.bytes is not None and have == want.bytes:
            return
        tag = part.with_suffix(".etag")
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        if have and tag.exists():
            headers["If-Range"] = tag.read_text()
        with self._client.stream("GET", f"/recordings/{want.sha256}", headers=headers) as answer:
            if answer.status_code == 416:
                self._store.drop_part(want.sha256)
                raise ValueError("the part is longer than the recording")
            answer.raise_for_status()
            resumed = answer.status_code == 206 and answer.headers.get("content-range", "").startswith(f"bytes {have}-")
            if "etag" in answer.headers:
                tag.write_text(answer.headers["etag"])
            self._append(want, answer, part, have if resumed else 0)

    def _append(self, want: Want, answer: httpx2.Response, part: Path, have: int) -> None:
        limit = want.bytes or MAX_RECORDING_BYTES
        with part.open("r+b" if have else "wb") as file:
            file.seek(have)
            for chunk in answer.iter_raw():
                have += len(chunk)
                if have > limit:
                    file.close()
                    self._store.drop_part(want.sha256)
                    raise ValueError(f"more than {limit} bytes came")
                file.write(chunk)
                self._check_urgency(want)
            file.flush()
            os.fsync(file.fileno())

    def _check_urgency(self, want: Want) -> None:
        with self._changed:
            if self._closing:
                raise _MoreUrgent
            now = time.monotonic()
            first = next((one for one in self._fetch.wants if self._tries[one.sha256].not_before <= now), want)
            if first.sha256 != want.sha256:
                raise _MoreUrgent

    def _get_statements(self, sha256: str) -> None:
        answer = self._client.get(f"/recordings/{sha256}/statement")
        answer.raise_for_status()
        read_statements(answer.content)
        self._store.keep_statements(sha256, answer.content)

    def _make_room(self, want: Want) -> None:
        """Evict what no order needs until the recording fits above the floor. Raises OSError when it cannot."""
        need = self._floor + (want.bytes or 0)
        if self._store.free_bytes() >= need:
            return
        files = sorted(self._store.directory.glob("*.ogg"), key=lambda path: path.stat().st_mtime)
        for path in files:
            if path.stem not in self._fetch.needed:
                self._store.remove(path.stem)
                self._report(Evicted(path.stem))
                if self._store.free_bytes() >= need:
                    return
        raise OSError(f"No space: {self._store.free_bytes()} bytes free, {need} needed")


def get_documents(client: httpx2.Client) -> dict[str, bytes]:
    """This node's order and trust over HTTPS, by kind; what cannot be had is left out."""
    found = {}
    for kind in ("trust", "order"):
        try:
            answer = client.get(f"/nodes/me/{kind}")
            answer.raise_for_status()
            found[kind] = answer.content
        except httpx2.HTTPError:
            continue
    return found


def _context(ca: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=ca)


def open_client(server: str, token: str, ca: str | None = None) -> httpx2.Client:
    """A client of the server, as this node. Proxies of the environment are not for a pole's own server."""
    timeout = httpx2.Timeout(10.0, read=20.0)
    verify = _context(ca) if ca else True
    return httpx2.Client(base_url=server, headers={"Authorization": f"Bearer {token}"}, timeout=timeout,
                         trust_env=False, verify=verify)
