"""Nodes that listen and speak where they must not, on every real broker."""

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from chaos.frame import Outcome, Row, Scale
from chaos.rights_matrix import (
    SITE,
    Matrix,
    RealBroker,
    Tried,
    foreign_filters,
    foreign_topics,
    prepared,
    publications,
    subscriptions,
    wills_and_takeovers,
)
from firmware_bridge.bridge.broker import EmbeddedMosquitto, EmbeddedNats

Maker = Callable[[Path], RealBroker]
TRIALS: tuple[tuple[Callable[[int, int], list[bytes]], Callable[[Matrix], Tried]], ...] = (
    (foreign_topics, publications), (foreign_filters, subscriptions), (foreign_topics, wills_and_takeovers))


def snooping(make: Maker, scale: Scale, nodes: int, most: int) -> Outcome:
    """All three trials of the matrix on one kind of broker; `most` attempts each."""
    chance = random.Random(scale.seed)
    count, broken = 0, []
    for things, trial in TRIALS:
        with tempfile.TemporaryDirectory() as folder:
            broker = make(Path(folder))
            try:
                tried = trial(prepared(broker, nodes, things, most, chance))
            finally:
                broker.stop()
        count += tried.count
        broken += tried.broken
    return Outcome(count, len(broken), "; ".join(broken[:3]) or f"{nodes} nodes")


def _row(name: str, make: Maker) -> Row:
    return Row("attacks", f"Topic snooping and spoofing, {name}", "N × N matrix, wills, retained, takeover: 0 leaks",
               lambda scale: snooping(make, scale, scale.pick(4, 12), scale.pick(1000, 100_000)))


ROWS = (
    _row("embedded NATS", lambda folder: EmbeddedNats(folder, SITE)),
    _row("Mosquitto", lambda folder: EmbeddedMosquitto(folder, SITE)),
)
