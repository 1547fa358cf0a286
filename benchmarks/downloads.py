"""Recordings to two hundred poles at once: our server against nginx with sendfile, one worker each, side by side."""

import hashlib
import os
import random
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from firmware_bridge.bridge.broker.child import free_port
from loudspeaker.bulletins.models import Bulletin, Recording, RecordingState
from loudspeaker.conductor.opening import open_house
from loudspeaker.database import new_id
from loudspeaker.demo.processes import Child, stop_all
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.places.models import Place
from loudspeaker.settings import Settings
from loudspeaker.users.models import User
from loudspeaker.users.secrets import digest

AT_ONCE = 200
SIZE = 1_200_000
"""Five minutes at 32 kb/s."""
ROUNDS = 41
LIMIT = 1 / 0.7
"""Our time for the same bytes, at most."""
HOST = "127.0.0.1"
TOKEN = "bench-node-token"
NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen {host}:{port} backlog=1024; root {folder}/www; default_type audio/ogg; }}
}}
"""


def run() -> list[dict[str, object]]:
    """Two rows: whole recordings, and their second halves. Raises RuntimeError without nginx."""
    raw = random.Random(1).randbytes(SIZE)
    name = hashlib.sha256(raw).hexdigest()
    with tempfile.TemporaryDirectory(prefix="bench-downloads-") as folder:
        at = Path(folder)
        with _nginx(at / "nginx", raw, name) as theirs, _server(at / "ours", raw) as ours:
            return [_row("whole", ours, theirs, name, 0), _row("second halves by Range", ours, theirs, name, SIZE // 2)]


def _row(what: str, ours: int, theirs: int, name: str, begin: int) -> dict[str, object]:
    for port in (ours, theirs):
        _seconds(port, name, begin)
    rounds = []
    for number in range(ROUNDS):  # side by side, and by turns first: a neighbour's load is nobody's merit
        turns = (ours, theirs) if number % 2 else (theirs, ours)
        spent = {port: _seconds(port, name, begin) for port in turns}
        rounds.append((spent[ours], spent[theirs]))
    ratio = median(our / their for our, their in rounds)
    rates = [AT_ONCE * (SIZE - begin) / median(spent) / 1e6 for spent in zip(*rounds, strict=True)]
    return {"what": f"{AT_ONCE} downloads at once, {what}", "against": "nginx with sendfile, one worker",
            "ratio": round(ratio, 2), "limit": round(LIMIT, 2), "ok": ratio <= LIMIT,
            "detail": f"{rates[0]:,.0f} MB/s, nginx {rates[1]:,.0f} MB/s: {1 / ratio:.2f}× in the middle of {ROUNDS}"
                      " rounds side by side"}


class _Download:
    """One pole's download, as far as it has come."""

    def __init__(self, port: int, request: bytes, expected: int) -> None:
        self.socket = socket.create_connection((HOST, port), 30)
        self.socket.setblocking(False)
        self._request, self._expected = request, expected
        self._left: int | None = None

    def begin(self) -> None:
        """Ask."""
        self.socket.sendall(self._request)

    def go_on(self, buffer: bytearray) -> bool:
        """Take what is there; True once all has come. Raises RuntimeError on anything but the recording."""
        count = self.socket.recv_into(buffer)
        if count == 0:
            raise RuntimeError("a server ended a download")
        if self._left is None:
            head, _, _ = bytes(buffer[:count]).partition(b"\r\n\r\n")
            if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 206")):
                raise RuntimeError(head.decode(errors="replace"))
            self._left = self._expected + len(head) + 4
        self._left -= count
        return self._left == 0


def _seconds(port: int, name: str, begin: int) -> float:
    """How long `AT_ONCE` downloads take."""
    asked = f"Range: bytes={begin}-\r\n" if begin else ""
    requests = [(f"GET /recordings/{name} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {TOKEN}-{number}\r\n"
                 f"{asked}\r\n").encode() for number in range(AT_ONCE)]
    buffer = bytearray(1024 * 1024)
    downloads = [_Download(port, request, SIZE - begin) for request in requests]
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for one in downloads:
            one.begin()
            selector.register(one.socket, selectors.EVENT_READ, one)
        waiting = len(downloads)
        while waiting:
            for key, _ in selector.select(30):
                if key.data.go_on(buffer):
                    selector.unregister(key.fileobj)
                    waiting -= 1
    spent = time.perf_counter() - began
    for one in downloads:
        one.socket.close()
    return spent


@contextmanager
def _nginx(folder: Path, raw: bytes, name: str) -> Iterator[int]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise RuntimeError("nginx was not found: apt-get install --no-install-recommends nginx-light")
    port = free_port(HOST)
    (folder / "www/recordings").mkdir(parents=True)
    (folder / "www/recordings" / name).write_bytes(raw)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, host=HOST, port=port))
    folder.parent.chmod(0o755)  # its worker is another user where we are root
    child = subprocess.Popen([program, "-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")])
    try:
        _await(port)
        yield port
    finally:
        child.terminate()
        child.wait()


@contextmanager
def _server(folder: Path, raw: bytes) -> Iterator[int]:
    settings = Settings(data=folder, host=HOST, port=free_port(HOST), broker_port=free_port(HOST))
    _fill(settings, raw)
    child = Child("server", [sys.executable, "-m", "loudspeaker", "serve", "--json"], folder / "server.log", {
        "LOUDSPEAKER_DATA": str(folder), "LOUDSPEAKER_PORT": str(settings.port),
        "LOUDSPEAKER_BROKER_PORT": str(settings.broker_port), "PYTHONPATH": os.getcwd()})
    child.start()
    try:
        _await(settings.port, child)
        yield settings.port
    finally:
        stop_all([child])


def _fill(settings: Settings, raw: bytes) -> None:
    """One pole, and one recording that is approved."""
    now = datetime.now(UTC)
    with open_house(settings) as house, house.database.work() as session:
        sound = settings.data / "sound"
        sound.write_bytes(raw)
        sha256 = house.store.add(sound)
        place = Place(id="xa", path="xa/", kind="commune", name="Xã", created_at=now)
        user = User(id=new_id(), name="Lan", login="lan", created_at=now)
        session.add_all((place, user))
        session.flush()
        nodes = [f"cum-{number}" for number in range(AT_ONCE)]
        session.add_all(Node(id=node, place_id=place.id, name=node, public_key="", client_id=new_id(),
                             broker_secret=new_id(), api_token_hash=digest(f"{TOKEN}-{number}"), created_at=now)
                        for number, node in enumerate(nodes))
        bulletin = Bulletin(place_id=place.id, title="Bản tin", author_id=user.id, created_at=now, changed_at=now)
        session.add(bulletin)
        session.flush()
        session.add_all(NodeState(node_id=node) for node in nodes)
        session.add(Recording(
            bulletin_id=bulletin.id, author_id=user.id, state=RecordingState.APPROVED, deadline_at=now, sha256=sha256,
            size_bytes=len(raw), duration_ms=300_000, created_at=now))


def _await(port: int, child: Child | None = None) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if child is not None:
            child.must_live()
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nobody listens on port {port}")
