"""An emergency command to the last of N nodes, against the broker's bare fan-out of the same bytes."""

import resource
import selectors
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter, sleep

from chaos.raw_mqtt import RawClient
from chaos.rights_matrix import RealBroker
from firmware_bridge.bridge.broker import BrokerUser, EmbeddedMosquitto, EmbeddedNats, new_secret
from firmware_bridge.bridge.server import Bridge
from firmware_bridge.contract import keys, topics
from firmware_bridge.contract.documents import Command, CommandKind
from firmware_bridge.contract.envelope import Envelope, decode, encode, good_signers
from firmware_bridge.contract.topics import ToGroup

SITE = "bench"
LIMIT = 1.3
ROUNDS = 9
SIZES = (1000, 5000)
LAST_S = 20.0
TOPIC = topics.of_group(SITE, topics.ALL, ToGroup.COMMAND)
KEY = keys.new_key()
BROKERS: dict[str, Callable[[Path], RealBroker]] = {
    "embedded NATS": lambda folder: EmbeddedNats(folder, SITE),
    "Mosquitto": lambda folder: EmbeddedMosquitto(folder, SITE),
}


def run() -> list[dict[str, object]]:
    """One row for each broker and number of nodes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * max(SIZES))), hard))
    return [_row(name, make, nodes) for name, make in BROKERS.items() for nodes in SIZES]


def _row(name: str, make: Callable[[Path], RealBroker], nodes: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="bench-command-") as folder, _joined(make(Path(folder)), nodes) as crowd:
        ours, bare = [], []
        for _ in range(ROUNDS):
            command, envelope = _command()
            bare.append(crowd.seconds(partial(crowd.bare.publish, TOPIC.encode(), encode(envelope))))
            commanded = crowd.seconds(partial(crowd.bridge.publish_command, command, envelope, crowd.names))
            ours.append(commanded + _reading_s(envelope))
    ratio = statistics.median(ours) / statistics.median(bare)
    return {"what": f"emergency command to the last of {nodes:,} nodes", "against": f"bare fan-out of {name}",
            "ratio": round(ratio, 2), "limit": LIMIT, "ok": ratio <= LIMIT,
            "detail": f"{statistics.median(ours) * 1e3:.0f} ms, bare {statistics.median(bare) * 1e3:.0f} ms"}


def _command() -> tuple[Command, Envelope]:
    now = datetime.now(UTC)
    command = Command(site=SITE, target=f"group:{topics.ALL}", id=new_secret(), issued=now,
                      expires=now + timedelta(minutes=5), kind=CommandKind.STOP)
    return command, command.sign(KEY)


def _reading_s(envelope: Envelope) -> float:
    """What one node spends until it believes the command; each has a processor of its own."""
    raw, public = encode(envelope), keys.public_to_base64(KEY)
    began = perf_counter()
    read = decode(raw)
    if not good_signers(read, {keys.key_id(public): public}):
        raise RuntimeError("the command is not signed")
    Command.from_bytes(read.payload)
    return perf_counter() - began


class Crowd:
    """N bare clients that hear the command of all, a bare sender, and the bridge."""

    def __init__(self, nodes: list[RawClient], bare: RawClient, bridge: Bridge, names: list[str]) -> None:
        self.bare, self.bridge, self.names = bare, bridge, names
        self._nodes = len(nodes)
        self._selector = selectors.DefaultSelector()
        for one in nodes:
            one.socket.setblocking(False)
            self._selector.register(one.socket, selectors.EVENT_READ)

    def seconds(self, send: Callable[[], None]) -> float:
        """From `send` until every node has heard something new. Raises TimeoutError."""
        self._quiet()
        waiting = set(self._selector.get_map())
        began = perf_counter()
        send()
        while waiting:
            for key, _ in self._selector.select(1.0):
                key.fileobj.recv(65536)  # type: ignore[union-attr]
                waiting.discard(key.fd)
            if perf_counter() - began > LAST_S:
                raise TimeoutError(f"{len(waiting)} of {self._nodes} nodes did not hear the command")
        return perf_counter() - began

    def _quiet(self) -> None:
        """Nothing comes any more."""
        while found := self._selector.select(0.3):
            for key, _ in found:
                key.fileobj.recv(65536)  # type: ignore[union-attr]


@contextmanager
def _joined(broker: RealBroker, nodes: int) -> Iterator[Crowd]:
    users = [BrokerUser(f"node-{at}", new_secret(), new_secret(), topics.node_rights(SITE, f"node-{at}", ()))
             for at in range(nodes)]
    bare, server = (BrokerUser(name, new_secret(), new_secret()) for name in ("_bare", "_server"))
    broker.set_users([bare, server, *users])
    broker.start()
    bridge = Bridge(broker.address.address_for(server), SITE, KEY, lambda _node: None, lambda: datetime.now(UTC))
    with ExitStack() as stack:
        stack.callback(broker.stop)
        clients = []
        for user in users:
            clients.append(one := stack.enter_context(RawClient(broker.address, user)))
            if not one.subscribe(TOPIC.encode()):
                raise RuntimeError(f"{user.username} may not hear the command")
        bridge.start()
        stack.callback(bridge.stop)
        deadline = monotonic() + LAST_S
        while not bridge.broker_state.connected:
            if monotonic() > deadline:
                raise TimeoutError("the bridge did not join the broker")
            sleep(0.05)
        yield Crowd(clients, stack.enter_context(RawClient(broker.address, bare)), bridge,
                    [user.username for user in users])
