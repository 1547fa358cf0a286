"""Who writes to a server until it dies, and remembers what it acknowledged."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx2 as httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import col, select

from chaos.served import Served
from firmware_bridge.contract import keys, topics
from firmware_bridge.contract.documents import Receipt
from firmware_bridge.contract.envelope import decode, encode
from firmware_bridge.contract.messages import JournalBatch
from firmware_bridge.contract.topics import Down, Up
from firmware_bridge.wire import Address, Connection, WireError
from loudspeaker.bulletins.models import Bulletin
from loudspeaker.conductor.house import House
from loudspeaker.conductor.opening import open_house
from loudspeaker.database import Database
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import JournalMark
from loudspeaker.settings import Settings
from loudspeaker.users.models import ApiToken, Role
from loudspeaker.users.secrets import digest
from tests.loudspeaker.airing_builders import NodeVoice
from tests.loudspeaker.authority import install_trust
from tests.loudspeaker.builders import a_commune, a_node, a_user

TOKEN = "editor-token"
SECRET = "pole-token"
ENTRIES = 5


@dataclass
class Commune:
    """A prepared installation: one commune, one editor with a token, one pole."""

    data: Path
    site: str
    place: str
    node: str
    username: str
    password: str
    client_id: str
    key: Ed25519PrivateKey

    @classmethod
    def make(cls, data: Path) -> "Commune":
        """In the new folder `data`."""
        now, key = datetime.now(UTC), keys.new_key()
        with open_house(Settings(data=data)) as house:
            install_trust(house)
            return cls._filled(data, house, now, key)

    @classmethod
    def _filled(cls, data: Path, house: House, now: datetime, key: Ed25519PrivateKey) -> "Commune":
        with house.database.work() as session:
            commune = a_commune(session, at=now)
            editor = a_user(session, Role.EDITOR, commune, at=now)
            session.add(ApiToken(user_id=editor.id, name="chaos", token_hash=digest(TOKEN), created_at=now))
            node = a_node(session, commune, key=key, token=SECRET, at=now)
            return cls(data, house.site, commune.id, node.id, node.id, node.broker_secret, node.client_id, key)


@dataclass
class Acknowledged:
    """What the server said it has."""

    bulletins: set[str] = field(default_factory=set)
    receipted: int = 0


class Editor(threading.Thread):
    """Writes bulletins as fast as the server takes them."""

    def __init__(self, server: Served, commune: Commune, noted: Acknowledged, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._url, self._commune, self._noted = server.told["url"], commune, noted
        self.ended = threading.Event()

    def run(self) -> None:
        """Until the server is gone."""
        with httpx.Client(base_url=self._url, timeout=10, trust_env=False,
                          headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            number = 0
            while not self.ended.is_set():
                number += 1
                try:
                    made = client.post("/api/v1/bulletins", json={
                        "place_id": self._commune.place, "title": f"Bản tin {self.name} {number}"})
                except httpx.HTTPError:
                    return
                if made.status_code == 201:
                    self._noted.bulletins.add(made.json()["id"])


class Pole:
    """Sends a journal that grows, from the last receipt on, as a node does. It lives longer than any server."""

    def __init__(self, commune: Commune, noted: Acknowledged) -> None:
        self._commune, self._noted = commune, noted
        self._voice = NodeVoice(commune.node)
        self._connection: Connection | None = None

    def join(self, server: Served) -> None:
        """Go on at this server's broker."""
        broker, own = server.told["broker"], self._commune
        address = Address(broker["host"], broker["port"], own.username, own.password, own.client_id)
        self._connection = Connection(
            address, [topics.of_node(own.site, own.node, Down.RECEIPT)], lambda _t, payload, _r: self._receive(payload),
            self._send, lambda _reason: None)
        self._connection.start()

    def leave(self) -> None:
        """The broker is gone."""
        if self._connection is not None:
            self._connection.stop()

    def _receive(self, payload: bytes) -> None:
        receipt = Receipt.from_bytes(decode(payload).payload)
        if receipt.seq > self._noted.receipted:
            self._noted.receipted = receipt.seq
        self._send()

    def _send(self) -> None:
        for number in range(ENTRIES):
            self._voice.write("fault", datetime.now(UTC), what=f"trial {number}")
        first = self._noted.receipted + 1
        held = self._voice.batch(first, min(first + 100, len(self._voice.texts)))
        batch = JournalBatch(node=self._commune.node, journal=self._voice.journal, first_seq=first,
                             previous=held.previous, entries=tuple(line.text for line in held.lines))
        try:
            assert self._connection is not None
            self._connection.publish(topics.of_node(self._commune.site, self._commune.node, Up.JOURNAL),
                                     encode(batch.sign(self._commune.key)))
        except WireError:
            return


def lost(data: Path, commune: Commune, noted: Acknowledged) -> list[str]:
    """What was acknowledged and is not in the database."""
    database = Database(Settings(data=data).database)
    try:
        with database.read() as session:
            there = set(session.exec(select(Bulletin.id)))
            mark = session.exec(select(JournalMark.seq).where(col(JournalMark.node_id) == commune.node)).first() or 0
            assert session.get(Place, commune.place) is not None
    finally:
        database.close()
    return sorted(noted.bulletins - there) + (
        [f"journal {mark + 1}–{noted.receipted}"] if mark < noted.receipted else [])
