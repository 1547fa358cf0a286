"""Recordings over HTTPS: continued where they broke off, and nothing believed that the server says about them."""

import os
import re
import ssl
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO, Protocol, Self

import httpx2

from firmware_bridge.node.clocks import monotonic, wall
from firmware_bridge.node.store import MAX_STATEMENTS_BYTES, Store, read_statements

MAX_RECORDING_BYTES = 512 * 1024 * 1024
SLOWEST = 200.0
"""Bytes a second, over a minute: a link or a server that gives less gives nothing."""
JUDGED_AFTER_S = 60.0
LONGEST_RETRY_AFTER_S = 3600.0
_COVERS = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")

Check = Callable[[int], None]
"""Told the size of each piece that came; raises to break off."""


class NotHad(Exception):
    """It could not be had this time. `after_s` is when the server wants to be asked again.

    `reached` tells whether the server answered at all.
    """

    def __init__(self, why: str, after_s: float | None = None, reached: bool = True) -> None:
        super().__init__(why)
        self.after_s = after_s
        self.reached = reached


class Part:
    """A recording of which some has come; `size` is what it must come to, where that is known."""

    def __init__(self, store: Store, sha256: str, size: int | None = None) -> None:
        self.sha256, self.size = sha256, size
        self._store = store
        self._file: BinaryIO | None = None
        self.have = store.part_bytes(sha256)
        if self.have > (size or MAX_RECORDING_BYTES):
            self.restart()

    def __enter__(self) -> Self:
        self._file = self._store.part(self.sha256).open("ab")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    @property
    def is_whole(self) -> bool:
        """Whether all has come; whether it is what was approved is for the hash to say."""
        return self.size is not None and self.have == self.size

    @property
    def tag(self) -> str | None:
        """The ETag of the answer that what is here came with."""
        try:
            return self._tag_path.read_text() or None
        except OSError:
            return None

    def keep_tag(self, tag: str) -> None:
        """Remember it for If-Range."""
        if tag != self.tag:
            self._tag_path.write_text(tag)

    def add(self, data: bytes) -> None:
        """Append. Raises NotHad when it becomes too long, and OSError."""
        if self.have + len(data) > (self.size or MAX_RECORDING_BYTES):
            self.restart()
            raise NotHad(f"more than {self.size or MAX_RECORDING_BYTES} bytes came")
        if self._file is None:
            raise ValueError("the part is not open")
        self._file.write(data)
        self.have += len(data)

    def restart(self) -> None:
        """Forget what has come."""
        self.have = 0
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
        else:
            self._store.drop_part(self.sha256)

    @property
    def _tag_path(self) -> Path:
        return self._store.part(self.sha256).with_suffix(".etag")


class Source(Protocol):
    """One way by which recordings come."""

    def recording(self, part: Part, check: Check) -> None:
        """Append to `part` what is missing. What came stays there. Raises NotHad, OSError and what `check` raises."""

    def statements(self, sha256: str, check: Check) -> bytes:
        """The JSON list of the recording's statements. Raises NotHad, OSError and what `check` raises."""


class HttpSource:
    """The server's HTTPS. `clock` is monotonic."""

    def __init__(self, client: httpx2.Client, clock: Callable[[], float] = monotonic) -> None:
        self._client, self._clock = client, clock

    def recording(self, part: Part, check: Check) -> None:
        """Append to `part` what is missing."""
        if part.is_whole:
            return
        headers = {"Accept-Encoding": "identity"}
        if part.have:
            headers["Range"] = f"bytes={part.have}-"
            if (tag := part.tag) is not None:
                headers["If-Range"] = tag
        try:
            with self._client.stream("GET", f"/recordings/{part.sha256}", headers=headers) as answer:
                _judge(answer, part)
                self._take(answer, part, check)
        except httpx2.HTTPError as error:
            raise _unreached(error) from error
        if part.size is not None and part.have < part.size:
            raise NotHad(f"it ended after {part.have} of {part.size} bytes")

    def statements(self, sha256: str, check: Check) -> bytes:
        """The JSON list of the recording's statements."""
        raw = b""
        try:
            with self._client.stream("GET", f"/recordings/{sha256}/statement") as answer:
                _refuse(answer)
                for chunk in self._steadily(answer.iter_bytes()):
                    check(len(chunk))
                    raw += chunk
                    if len(raw) > MAX_STATEMENTS_BYTES:
                        raise NotHad("the statements are too long")
        except httpx2.HTTPError as error:
            raise _unreached(error) from error
        return raw

    def _take(self, answer: httpx2.Response, part: Part, check: Check) -> None:
        for chunk in self._steadily(answer.iter_raw()):
            part.add(chunk)
            check(len(chunk))

    def _steadily(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        began, came = self._clock(), 0
        for chunk in chunks:
            came += len(chunk)
            passed = self._clock() - began
            yield chunk
            if passed > JUDGED_AFTER_S:
                if came < SLOWEST * passed:
                    raise NotHad(f"{came} bytes in {passed:.0f} s are too slow", reached=False)
                began, came = self._clock(), 0


def read_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by Retry-After: a number, or a date against `now` (seconds since 1970). At most an hour."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdigit() else parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def _refuse(answer: httpx2.Response) -> None:
    """Anything but success. Redirects too: nobody sends a pole elsewhere."""
    if answer.status_code in (429, 503):
        after = read_retry_after(answer.headers.get("retry-after"), wall().timestamp())
        raise NotHad(f"the server is busy ({answer.status_code})", after)
    if not 200 <= answer.status_code < 300:
        raise NotHad(f"the server answers {answer.status_code}")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise NotHad("the answer is packed, which nobody asked for")


def _judge(answer: httpx2.Response, part: Part) -> None:
    """Make `part` ready for what this answer brings. Raises NotHad where it brings something else."""
    if answer.status_code == 416:
        part.restart()
        raise NotHad("the server has less than what is here")
    _refuse(answer)
    total = answer.headers.get("content-length", "")
    if answer.status_code == 206:
        covers = _COVERS.fullmatch(answer.headers.get("content-range", ""))
        if covers is None or int(covers[1]) != part.have:
            raise NotHad(f"other bytes than asked for: {answer.headers.get('content-range', '')[:80]!r}")
        total = covers[3]
    elif answer.status_code == 200:
        part.restart()
    else:
        raise NotHad(f"the server answers {answer.status_code}")
    if part.size is not None and total.isdigit() and int(total) != part.size:
        raise NotHad(f"it has {total} bytes, not {part.size}")
    if "etag" in answer.headers:
        part.keep_tag(answer.headers["etag"][:200])


def _unreached(error: httpx2.HTTPError) -> NotHad:
    return NotHad(f"{type(error).__name__}: {error}", reached=False)


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


def open_client(server: str, token: str, ca: str | None = None) -> httpx2.Client:
    """A client of the server, as this node. Proxies of the environment are not for a pole's own server."""
    timeout = httpx2.Timeout(10.0, read=20.0)
    verify = ssl.create_default_context(cadata=ca) if ca else True
    return httpx2.Client(base_url=server, headers={"Authorization": f"Bearer {token}"}, timeout=timeout,
                         trust_env=False, verify=verify)


def good_statements(raw: bytes) -> bytes:
    """`raw` itself where it is a list of envelopes. Raises NotHad."""
    try:
        read_statements(raw)
    except ValueError as error:
        raise NotHad(f"the statements cannot be read: {error}") from error
    return raw
