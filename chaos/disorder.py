"""Journals on a link that doubles, shuffles and loses: signed batches, decoded and stored as the server does."""

import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func
from sqlmodel import col, select

from firmware_bridge.bridge.decode import Received, decode
from firmware_bridge.contract import keys
from firmware_bridge.contract.envelope import encode
from firmware_bridge.contract.messages import FIRST_HASH, JournalBatch
from firmware_bridge.contract.topics import Up, of_node
from loudspeaker.conductor.ingest import ingest
from loudspeaker.database import Database
from loudspeaker.migrations import upgrade
from loudspeaker.nodes.models import Node
from loudspeaker.playbacks.models import JournalEntry, Playback
from tests.loudspeaker.airing_builders import SITE, NodeVoice, a_broadcast
from tests.loudspeaker.builders import START, a_commune, a_node

NODES = 10
ENTRIES_A_BATCH = 50
COPIES = 10
LOST = 0.3
"""So much of what is sent never arrives; the node sends it again until there is a receipt."""
AT_ONCE = 6
"""Batches that a node sends before it looks for receipts."""
MESSAGES_A_COMMIT = 300
LATER = START + timedelta(days=9)


@dataclass(frozen=True)
class Seen:
    """Broadcasts on nodes, messages that came, and how many rows are wrong: lost, double, or not as the node told."""

    playbacks: int
    messages: int
    lost: int
    double: int


@dataclass
class _Pole:
    voice: NodeVoice
    key: Ed25519PrivateKey
    mark: int = 0

    def batches(self) -> Iterator[bytes]:
        """Signed, from the first entry without a receipt."""
        voice = self.voice
        for first in range(self.mark, len(voice.texts), ENTRIES_A_BATCH):
            batch = JournalBatch(
                node=voice.node, journal=voice.journal, first_seq=first + 1,
                previous=voice.hashes[first - 1] if first else FIRST_HASH,
                entries=tuple(voice.texts[first:first + ENTRIES_A_BATCH]))
            yield encode(batch.sign(self.key))


def run(playbacks: int, seed: int) -> Seen:
    """`playbacks` broadcasts over ten nodes, told until all is receipted."""
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'server.db'}")
        upgrade(database.engine)
        poles = _told(database, playbacks // NODES)
        messages = 0
        while any(pole.mark < len(pole.voice.texts) for pole in poles.values()):
            sent = [(node, raw) for node, pole in poles.items() for raw in islice(pole.batches(), AT_ONCE)]
            traffic = [one for one in sent if dice.random() >= LOST for _ in range(COPIES)]
            dice.shuffle(traffic)
            messages += len(traffic)
            _deliver(database, poles, traffic)
        seen = _counted(database, playbacks, messages)
        database.engine.dispose()
    return seen


def _told(database: Database, each: int) -> dict[str, _Pole]:
    """Nodes that have played everything, and nobody knows."""
    with database.work() as session:
        place = a_commune(session)
        signers = {f"pole-{number}": keys.new_key() for number in range(NODES)}
        nodes: list[Node] = [a_node(session, place, name, node_id=name, key=key) for name, key in signers.items()]
        poles = {name: _Pole(NodeVoice(name), key) for name, key in signers.items()}
        for number in range(each):
            start = START + timedelta(minutes=number)
            a_broadcast(session, place, start, *nodes, seconds=30, broadcast_id=f"b{number}")
            for pole in poles.values():
                pole.voice.played(f"b{number}", start, 30)
    return poles


def _deliver(database: Database, poles: dict[str, _Pole], traffic: list[tuple[str, bytes]]) -> None:
    known = {node: keys.public_to_base64(pole.key) for node, pole in poles.items()}
    for at in range(0, len(traffic), MESSAGES_A_COMMIT):
        read = [decode(of_node(SITE, node, Up.JOURNAL), raw, SITE, known.get, LATER)
                for node, raw in traffic[at:at + MESSAGES_A_COMMIT]]
        received = [one for one in read if isinstance(one, Received)]
        with database.work() as session:
            done = ingest(session, LATER, received)
        for node, _, seq in done.receipts:
            poles[node].mark = max(poles[node].mark, seq)


def _counted(database: Database, playbacks: int, messages: int) -> Seen:
    with database.read() as session:
        good = session.exec(select(func.count()).select_from(Playback).where(
            col(Playback.state) == "played", col(Playback.heard_ms) == 30_000)).one()
        entries = session.exec(select(func.count()).select_from(JournalEntry)).one()
    return Seen(playbacks, messages, playbacks - good, max(0, entries - 2 * playbacks))
