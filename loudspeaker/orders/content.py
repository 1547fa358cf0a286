"""What one node is asked to do, apart from version and instants: its fingerprint, and the running order it becomes."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from firmware_bridge.contract.documents import (
    AirClass,
    Delivery,
    NeededRecording,
    OrderBroadcast,
    OrderItem,
    RunningOrder,
    StandingStop,
)
from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.orders.models import Stop

WITHOUT_LIMITS = Delivery()


@dataclass(frozen=True)
class Listed:
    """A broadcast as orders carry it, with a fingerprint made once for all its nodes."""

    broadcast: OrderBroadcast
    fingerprint: str


@dataclass(frozen=True)
class Asked:
    """Everything that a node's running order asks for. `prepared` are emergency recordings to hold ready."""

    node: str
    place_path: tuple[str, ...]
    groups: tuple[str, ...]
    languages: tuple[str, ...]
    zone: str
    volume: int
    broadcasts: tuple[Listed, ...]
    recordings: tuple[NeededRecording, ...]
    prepared: tuple[str, ...]
    stop: StandingStop
    revoked: tuple[str, ...]
    delivery: Delivery = WITHOUT_LIMITS

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256: the same for the same content, however often it is built."""
        covered = [self.node, self.place_path, self.groups, self.languages, self.zone, self.volume,
                   [one.fingerprint for one in self.broadcasts],
                   [one.sha256 for one in self.recordings], self.prepared, self.stop.generation, self.stop.active,
                   self.revoked, *([self.delivery.model_dump()] if self.delivery != WITHOUT_LIMITS else [])]
        return hashlib.sha256(json.dumps(covered).encode()).hexdigest()

    def order(self, site: str, epoch: int, version: int, issued: datetime, expires: datetime) -> RunningOrder:
        """The document to sign."""
        return RunningOrder(
            site=site, node=self.node, epoch=epoch, version=version, issued=issued, expires=expires,
            place_path=self.place_path, groups=self.groups, languages=self.languages, zone=self.zone,
            volume=self.volume, broadcasts=tuple(one.broadcast for one in self.broadcasts),
            recordings=self.recordings, prepared=self.prepared, standing_stop=self.stop, revoked=self.revoked,
            delivery=self.delivery)


def listed(broadcast: Broadcast) -> Listed:
    """The broadcast as orders carry it."""
    document = OrderBroadcast(
        id=broadcast.id, start=broadcast.start, latest_start=broadcast.latest_start,
        air_class=AirClass(broadcast.air_class),
        volume=broadcast.volume, languages="all" if broadcast.languages == "all" else "first",
        items=tuple(OrderItem(id=item["id"], gap_ms=item["gap_ms"],
                              recordings={language: one["sha256"] for language, one in item["recordings"].items()})
                    for item in broadcast.items))
    return Listed(document, hashlib.sha256(document.to_bytes()).hexdigest())


def standing_stop(stops: Iterable[Stop], last: StandingStop) -> StandingStop:
    """What the stops that cover a node come to. `last` is what its order said before.

    Active while any of them is. The generation never falls, and grows whenever the state changes (a node that left a
    stopped group is free again), because on a node the higher generation wins.
    """
    covering = tuple(stops)
    active = any(one.active for one in covering)
    generation = max((last.generation, *(one.generation for one in covering)))
    if generation == last.generation and active != last.active:
        generation += 1
    return StandingStop(generation=generation, active=active)


def generation_at(now: datetime, highest: int) -> int:
    """The generation of a stop pressed or lifted at `now`: milliseconds since 1970, above `highest`."""
    return max(int(now.timestamp() * 1000), highest + 1)
