"""Brokers that fail while many poles bring in their journals: a real server's ingest, real brokers, real sockets."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import col, func, select

from firmware_bridge.bridge.broker import Broker, server_user
from firmware_bridge.bridge.server import Bridge
from firmware_bridge.contract import keys, topics
from firmware_bridge.contract.documents import Receipt
from firmware_bridge.contract.envelope import decode, encode
from firmware_bridge.contract.messages import JournalBatch
from firmware_bridge.contract.topics import Down, Up
from firmware_bridge.wire import Address, Backoff, Connection, WireError
from loudspeaker.conductor import rights
from loudspeaker.conductor.house import House
from loudspeaker.conductor.intake import Intake
from loudspeaker.conductor.journal_keys import JournalKeys
from loudspeaker.conductor.opening import open_house
from loudspeaker.nodes.models import Node
from loudspeaker.playbacks.models import JournalEntry, JournalMark
from loudspeaker.settings import Settings
from tests.loudspeaker.airing_builders import NodeVoice
from tests.loudspeaker.builders import a_commune, a_node

AGAIN_S = 0.4
"""After this a pole sends again what was not receipted."""
TICK_S = 0.1
MOST = 100


class LoadedPole:
    """Writes an entry at each tick, and sends what is not receipted, to whichever broker is there."""

    def __init__(self, node: Node, key: Ed25519PrivateKey, site: str, addresses: list[Address]) -> None:
        self.node, self.receipted = node.id, 0
        self._key, self._site = key, site
        self._voice = NodeVoice(node.id)
        self._sent_at = 0.0
        self._link = Connection(
            addresses, [topics.of_node(site, node.id, Down.RECEIPT)], lambda _t, payload, _r: self._receive(payload),
            lambda: None, lambda _reason: None, on_error=lambda _error: None, backoff=Backoff(0.2, 2.0))
        self._link.start()

    @property
    def written(self) -> int:
        """Entries so far."""
        return len(self._voice.texts)

    @property
    def connected(self) -> bool:
        """Joined to one of the brokers."""
        return self._link.connected

    def write(self) -> None:
        """One more thing happened."""
        self._voice.write("fault", datetime.now(UTC), what=f"trial {self.written}")

    def send(self) -> None:
        """What is not receipted, unless it has just been sent."""
        if self.receipted == self.written or time.monotonic() < self._sent_at + AGAIN_S:
            return
        self._sent_at = time.monotonic()
        first = self.receipted + 1
        held = self._voice.batch(first, min(first + MOST, self.written))
        batch = JournalBatch(node=self.node, journal=self._voice.journal, first_seq=first, previous=held.previous,
                             entries=tuple(line.text for line in held.lines))
        try:
            self._link.publish(topics.of_node(self._site, self.node, Up.JOURNAL), encode(batch.sign(self._key)))
        except WireError:
            return

    def leave(self) -> None:
        """Say goodbye."""
        self._link.stop()

    def _receive(self, payload: bytes) -> None:
        self.receipted = max(self.receipted, Receipt.from_bytes(decode(payload).payload).seq)


class Load:
    """All poles of a house, writing and sending on one thread until told to fall silent."""

    def __init__(self, house: House, poles: list[LoadedPole]) -> None:
        self.house, self.poles = house, poles
        self._silent, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def settle(self, seconds: float) -> float:
        """Write no more, and wait until all is receipted, at most so long; seconds it took."""
        self._silent.set()
        began = time.monotonic()
        while time.monotonic() - began < seconds and any(one.receipted < one.written for one in self.poles):
            time.sleep(TICK_S)
        return time.monotonic() - began

    def end(self) -> None:
        """Leave the brokers."""
        self._ended.set()
        self._thread.join(5)
        for one in self.poles:
            one.leave()

    def broken(self) -> int:
        """Entries not receipted, and poles of which less, or other things, are stored than was receipted."""
        bad = sum(one.written - one.receipted for one in self.poles)
        with self.house.database.read() as session:
            for one in self.poles:
                mark = session.exec(select(JournalMark.seq).where(JournalMark.node_id == one.node)).first() or 0
                count = session.exec(select(func.count()).select_from(JournalEntry)
                                     .where(col(JournalEntry.node_id) == one.node)).one()
                bad += mark < one.receipted or count != one.written
        return bad

    def _run(self) -> None:
        while not self._ended.wait(TICK_S):
            for one in self.poles:
                if not self._silent.is_set():
                    one.write()
                one.send()


@contextmanager
def under_load(folder: Path, make_broker: Callable[[str], Broker], poles: int) -> Iterator[Load]:
    """A server with `poles` poles that write, joined to the brokers; for as long as the block lasts."""
    with open_house(Settings(data=folder / "data")) as house:
        made, secrets = _nodes(house, poles)
        house.broker_login = server_user()
        house.broker = broker = make_broker(house.site)
        rights.refresh(house)
        broker.start()
        house.bridge = bridge = Bridge([one.address_for(house.broker_login) for one in broker.addresses], house.site,
                                       house.keys.server, JournalKeys(house), house.now)
        intake = Intake(house, bridge)
        bridge.start()
        intake.start()
        load = Load(house, [LoadedPole(node, secrets[node.id], house.site, _turned(broker, node, at))
                            for at, node in enumerate(made)])
        load.start()
        try:
            yield load
        finally:
            load.end()
            bridge.stop()
            intake.stop()
            broker.stop()


def _nodes(house: House, count: int) -> tuple[list[Node], dict[str, Ed25519PrivateKey]]:
    now = datetime.now(UTC)
    with house.database.work() as session:
        commune = a_commune(session, at=now)
        own = [keys.new_key() for _ in range(count)]
        made = [a_node(session, commune, f"Loa {at}", key=key, at=now) for at, key in enumerate(own)]
        return made, {node.id: key for node, key in zip(made, own, strict=True)}


def _turned(broker: Broker, node: Node, at: int) -> list[Address]:
    """Every pole knows all brokers, and begins at another one."""
    known = [Address(one.host, one.port, node.id, node.broker_secret, node.client_id) for one in broker.addresses]
    turn = at % len(known)
    return known[turn:] + known[:turn]
