"""A recording on its way to a pole over a bad line: the real broker, bridge, desk, connection and cache."""

import hashlib
import queue
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from chaos.proxy import Line, Proxy
from firmware_bridge.bridge.broker import BrokerUser, EmbeddedNats, Endpoint, new_secret, server_user
from firmware_bridge.bridge.server import Bridge
from firmware_bridge.contract import keys, topics
from firmware_bridge.contract.topics import Down, Up
from firmware_bridge.node.blocks import BlockSource
from firmware_bridge.node.budget import Leave
from firmware_bridge.node.cache import Cache
from firmware_bridge.node.effects import Fetch, Want
from firmware_bridge.node.fetching import HttpSource, open_client
from firmware_bridge.node.inputs import Arrived
from firmware_bridge.node.routes import Routes
from firmware_bridge.node.store import Store
from firmware_bridge.wire import Address, Backoff, Connection
from loudspeaker.api.ranges import ONE_RANGE
from loudspeaker.conductor.blocks import BlockDesk, Content

SITE, NODE = "site-0badcafe", "thon-an-binh-1"
LIMIT = 1.05
"""Bytes that may come for each byte of the recording."""
RETURN = Backoff(0.05, 0.2)
"""How soon the pole comes back; in the field it takes its time."""
NO_STATEMENTS = b"[]"
NOWHERE = "http://127.0.0.1:9"
LONGEST_S = 1200.0


@dataclass(frozen=True)
class Journey:
    """What came of it. `ratio`: bytes towards the pole for each byte of the recording."""

    arrived: bool
    same: bool
    ratio: float
    cuts: int
    seconds: float

    @property
    def good(self) -> bool:
        """All of it came, nothing else did, and hardly anything twice."""
        return self.arrived and self.same and self.ratio <= LIMIT


def by_broker(size: int, cuts: int, line: Line, seed: int = 0, holes: tuple[float, ...] = (),
              hole_s: float = 0.0) -> Journey:
    """A recording of `size` bytes by way of the broker, over a line that is cut `cuts` times.

    At each share of its way in `holes`, the line is a black hole for `hole_s`.
    """
    raw = random.Random(seed).randbytes(size)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="delivery-")))
        server = server_user()
        pole = BrokerUser(NODE, new_secret(), new_secret(), topics.node_rights(SITE, NODE, ()))
        broker = stack.enter_context(_broker(folder, server, pole))
        proxy = stack.enter_context(Proxy(broker.address.host, broker.address.port, line, seed))
        stack.enter_context(_serving(broker.address.address_for(server), raw))
        blocks, connection = _joined(Endpoint("127.0.0.1", proxy.port).address_for(pole))
        stack.callback(connection.stop)
        stack.enter_context(_holes(proxy, [round(share * size) for share in holes], hole_s))
        return _travel(folder, raw, proxy, cuts, NOWHERE, blocks, connection)


def by_https(size: int, cuts: int, line: Line, seed: int = 0, holes: tuple[float, ...] = (),
             hole_s: float = 0.0) -> Journey:
    """The same from a server, over its own protocol."""
    raw = random.Random(seed).randbytes(size)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="delivery-")))
        server = stack.enter_context(_depot(raw))
        proxy = stack.enter_context(Proxy("127.0.0.1", server, line, seed))
        stack.enter_context(_holes(proxy, [round(share * size) for share in holes], hole_s))
        return _travel(folder, raw, proxy, cuts, f"http://127.0.0.1:{proxy.port}")


def _travel(folder: Path, raw: bytes, proxy: Proxy, cuts: int, url: str,
            blocks: BlockSource | None = None, connection: Connection | None = None) -> Journey:
    name = hashlib.sha256(raw).hexdigest()
    store, reports = Store(folder / "recordings"), queue.SimpleQueue[object]()
    began = time.monotonic()
    with open_client(url, "token") as client:
        routes = Routes(HttpSource(client), blocks, lambda: connection is not None and connection.connected,
                        patience_s=0.2)
        cache = Cache(store, routes, reports.put, 0, draw=lambda: 0.0, first_wait_s=0.05)
        proxy.cut_after([round(len(raw) * (number + 0.5) / cuts) for number in range(cuts)])
        cache.start()
        cache.want(Fetch((Want(name, len(raw), datetime.now(UTC) + timedelta(minutes=5), Leave()),), frozenset({name})))
        arrived = _first_arrival(reports, LONGEST_S)
        cache.close()
    whole = store.path(name)
    same = whole.exists() and whole.read_bytes() == raw
    return Journey(arrived, same, proxy.carried.down / len(raw), proxy.carried.connections - 1,
                   time.monotonic() - began)


@contextmanager
def _holes(proxy: Proxy, begins: list[int], seconds: float) -> Iterator[None]:
    """Nothing passes for `seconds` each time that so many bytes have come."""
    done = threading.Event()

    def dig() -> None:
        for begin in begins:
            while proxy.carried.down < begin:
                if done.wait(0.02):
                    return
            proxy.freeze()
            done.wait(seconds)
            proxy.thaw()

    digging = threading.Thread(target=dig, daemon=True)
    digging.start()
    try:
        yield
    finally:
        done.set()
        digging.join()


def _first_arrival(reports: "queue.SimpleQueue[object]", limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while (left := deadline - time.monotonic()) > 0:
        try:
            if isinstance(reports.get(timeout=left), Arrived):
                return True
        except queue.Empty:
            break
    return False


def _joined(address: Address) -> tuple[BlockSource, Connection]:
    """The pole's own connection, with its way for blocks."""
    topic = topics.of_node(SITE, NODE, Down.BLOCK)
    blocks = BlockSource(lambda ask: connection.publish(topics.of_node(SITE, NODE, Up.BLOCK_REQUEST), ask))
    connection = Connection(
        address, topics.node_rights(SITE, NODE, ()).subscribe,
        lambda came_on, payload, _retained: blocks.take(payload) if came_on == topic else None,
        blocks.connected, lambda _reason: None, backoff=RETURN,
        on_torn=lambda came_on, payload: blocks.take(payload) if came_on == topic else None)
    connection.start()
    return blocks, connection


@contextmanager
def _broker(folder: Path, *users: BrokerUser) -> Iterator[EmbeddedNats]:
    broker = EmbeddedNats(folder / "broker", SITE)
    broker.set_users(users)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def _serving(address: Address, raw: bytes) -> Iterator[None]:
    """The server's end: bridge and desk, with one recording."""
    def whole(_sha256: str, what: str) -> Content:
        held = raw if what == "recording" else NO_STATEMENTS
        return Content(len(held), lambda at, count: held[at:at + count])

    bridge = Bridge(address, SITE, keys.new_key(), lambda _node: None, lambda: datetime.now(UTC))
    desk = BlockDesk(whole, bridge.publish_block)
    bridge.on_block_request = desk.ask
    bridge.start()
    desk.start()
    try:
        yield
    finally:
        desk.stop()
        bridge.stop()


@contextmanager
def _depot(raw: bytes) -> Iterator[int]:
    """A server with one recording, that understands Range; its port."""
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = NO_STATEMENTS if self.path.endswith("/statement") else raw
            asked = ONE_RANGE.fullmatch(self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.send_header("ETag", '"one"')
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            self.wfile.write(body[start:])

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a cut is what is wanted here
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
