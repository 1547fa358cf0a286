"""A small HTTP server that serves a pole: recordings with Range, their statements, its order and trust."""

import hashlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from firmware_bridge.contract.envelope import Envelope, to_dict
from firmware_bridge.node.players.decoder import find_ffmpeg


@dataclass
class Depot:
    """What is served. `cut_after` ends every answer after so many bytes; `requests` is what was asked."""

    recordings: dict[str, bytes] = field(default_factory=dict)
    statements: dict[str, tuple[Envelope, ...]] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    cut_after: int | None = None
    ranges: bool = True
    sent_bytes: int = 0
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""
    before_answer: Callable[[], None] = lambda: None

    def add(self, raw: bytes, *statements: Envelope) -> str:
        """Serve a recording; returns its hash."""
        name = hashlib.sha256(raw).hexdigest()
        self.recordings[name] = raw
        self.statements[name] = statements
        return name


@contextmanager
def serving(depot: Depot) -> Iterator[Depot]:
    """The depot on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(depot))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    depot.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield depot
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def tone(path: Path, seconds: float, hertz: int = 440) -> bytes:
    """An Ogg Opus file with a tone, as the server renders."""
    subprocess.run([
        find_ffmpeg(), "-loglevel", "error", "-y", "-f", "lavfi", "-i",
        f"sine=frequency={hertz}:duration={seconds}:sample_rate=48000", "-af", "volume=4", "-c:a", "libopus",
        "-b:a", "32k", "-ac", "1", str(path)], check=True)
    return path.read_bytes()


def _handler(depot: Depot) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"depot": depot})


class _Handler(BaseHTTPRequestHandler):
    depot: Depot

    def do_GET(self) -> None:
        depot = self.depot
        depot.requests.append((self.path, self.headers.get("Range")))
        depot.before_answer()
        parts = self.path.strip("/").split("/")
        if parts[:2] == ["nodes", "me"] and parts[2] in depot.documents:
            self.give(200, depot.documents[parts[2]])
        elif parts[0] == "recordings" and parts[-1] == "statement" and parts[1] in depot.statements:
            self.give(200, json.dumps([to_dict(one) for one in depot.statements[parts[1]]]).encode())
        elif parts[0] == "recordings" and parts[1] in depot.recordings:
            self.give_recording(depot.recordings[parts[1]], f'"{parts[1]}"')
        else:
            self.give(404, b"")

    def give_recording(self, raw: bytes, tag: str) -> None:
        asked = self.headers.get("Range")
        if not asked or not self.depot.ranges or self.headers.get("If-Range", tag) != tag:
            self.give(200, raw, {"ETag": tag})
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        covers = f"bytes {start}-{len(raw) - 1}/{len(raw)}"
        self.give(206, raw[start:], {"ETag": tag, "Content-Range": covers})

    def give(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        sent = body if self.depot.cut_after is None or not headers else body[:self.depot.cut_after]
        if headers:
            self.depot.sent_bytes += len(sent)
        self.wfile.write(sent)
        self.close_connection = len(sent) < len(body)

    def log_message(self, *args: object) -> None:
        pass
