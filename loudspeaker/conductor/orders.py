"""Building the running orders of many nodes at once: a few bulk queries, one signature per changed node."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from firmware_bridge.contract.documents import NeededRecording, StandingStop
from firmware_bridge.contract.envelope import encode
from firmware_bridge.contract.keys import public_to_base64
from loudspeaker.approvals.models import Revocation
from loudspeaker.broadcasts.airings import spoken
from loudspeaker.broadcasts.models import Broadcast, Origin
from loudspeaker.bulletins.models import Bulletin, Recording, RecordingState
from loudspeaker.database import one_writer, upsert
from loudspeaker.nodes.budgets import budgets_by_scope, delivery_for
from loudspeaker.nodes.models import NodeState
from loudspeaker.orders.content import Asked, Listed, listed, standing_stop
from loudspeaker.orders.models import Order, Stop
from loudspeaker.orders.service import covering, epoch, stops_by_scope
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import Playback
from loudspeaker.programmes.poles import Pole, load_poles
from loudspeaker.versions import next_version
from schedules.airings import AirClass

KEEP_ENDED = timedelta(minutes=10)
"""How long after its planned end a broadcast stays in the order: it may have been interrupted (playing rules)."""
RENEW = timedelta(days=1)
"""An unchanged order is issued anew this long after it was issued, well before it expires."""
CHUNK = 500
CREDIBLE = timedelta(days=1)
"""A node that claims to hold a version further ahead of the clock than this is not believed."""
NO_STOP = StandingStop()
LOCK = 0x6F7264


@dataclass(frozen=True)
class Signing:
    """Who signs orders for which site, and how far they reach."""

    site: str
    key: Ed25519PrivateKey
    horizon: timedelta

    @property
    def signer(self) -> str:
        """The public key: another one signs everything anew."""
        return public_to_base64(self.key)


@dataclass(frozen=True)
class _Prepared:
    path: str
    recording: NeededRecording


@dataclass(frozen=True)
class _Last:
    """What a node was sent, and what it says it holds."""

    epoch: int = 0
    version: int = 0
    fingerprint: str = ""
    issued: datetime | None = None
    stop: StandingStop = NO_STOP
    held: tuple[int, int] = (0, 0)


class _Material:
    """What all orders of one build share."""

    def __init__(self, session: Session, now: datetime, horizon: timedelta) -> None:
        self.stops: dict[str, Stop] = stops_by_scope(session)
        self.revoked = tuple(sorted(session.connection().execute(
            select(col(Revocation.sha256)).where(col(Revocation.until) > now)).scalars()))
        self.prepared = _prepared(session)
        self.budgets = budgets_by_scope(session)
        rows = session.exec(
            select_rows(Broadcast).where(
                col(Broadcast.cancelled_at).is_(None), col(Broadcast.planned_end) > now - KEEP_ENDED,
                col(Broadcast.start) < now + horizon, col(Broadcast.origin) != Origin.EMERGENCY)
            .order_by(col(Broadcast.start), col(Broadcast.id)))
        self.broadcasts = {row.id: row for row in rows}
        self.rank = {id_: number for number, id_ in enumerate(self.broadcasts)}
        self.listed: dict[str, Listed] = {id_: listed(one) for id_, one in self.broadcasts.items()}
        self._needed: dict[tuple[str, tuple[str, ...]], tuple[NeededRecording, ...]] = {}

    def needed(self, broadcast_id: str, languages: tuple[str, ...]) -> tuple[NeededRecording, ...]:
        """The recordings that a broadcast sounds on a node of these languages."""
        known = self._needed.get((broadcast_id, languages))
        if known is None:
            broadcast = self.broadcasts[broadcast_id]
            known = tuple(
                NeededRecording(**item["recordings"][language])
                for item in broadcast.items for language in spoken(item["recordings"], languages, broadcast.languages))
            self._needed[broadcast_id, languages] = known
        return known

    def asked(self, pole: Pole, broadcast_ids: Sequence[str], last: _Last) -> Asked:
        """What `pole` is asked to do."""
        ordered = sorted((one for one in broadcast_ids if one in self.rank), key=self.rank.__getitem__)
        ready = [one.recording for one in self.prepared if pole.path.startswith(one.path)]
        needed = {one.sha256: one for id_ in ordered for one in self.needed(id_, pole.languages)}
        needed |= {one.sha256: one for one in ready}
        gone = frozenset(self.revoked)
        return Asked(
            node=pole.id, place_path=pole.path_ids, groups=pole.groups, languages=pole.languages, zone=pole.zone,
            volume=pole.volume, broadcasts=tuple(self.listed[one] for one in ordered),
            recordings=tuple(one for sha256, one in needed.items() if sha256 not in gone),
            prepared=tuple(one.sha256 for one in ready), revoked=self.revoked,
            delivery=delivery_for(self.budgets, pole.scopes),
            stop=standing_stop(covering(self.stops, pole.scopes), last.stop))


def build_orders(session: Session, now: datetime, signing: Signing,
                 node_ids: Collection[str] | None = None) -> list[str]:
    """Bring the stored orders of all nodes (or of `node_ids`) up to date; the ids of those that got a new version.

    A node whose content is unchanged keeps its order, unless it is a day old or the node claims a newer one.
    """
    one_writer(session, LOCK)
    material = _Material(session, now, signing.horizon)
    current_epoch = epoch(session)
    poles = [pole for pole in load_poles(session) if node_ids is None or pole.id in node_ids]
    changed: list[str] = []
    for chunk in _chunks(poles):
        ids = [pole.id for pole in chunk]
        last, wanted = _last(session, ids), _wanted(session, ids, material)
        rows = [row for pole in chunk
                if (row := _row(material.asked(pole, wanted.get(pole.id, ()), last[pole.id]), last[pole.id],
                                current_epoch, now, signing))]
        upsert(session, Order, rows, update=("epoch", "version", "content_hash", "envelope", "issued", "expires",
                                             "stop_generation", "stop_active"))
        changed += [str(row["node_id"]) for row in rows]
    return changed


def _row(asked: Asked, last: _Last, current_epoch: int, now: datetime, signing: Signing) -> dict[str, object] | None:
    fingerprint = hashlib.sha256(f"{asked.fingerprint} {signing.signer}".encode()).hexdigest()
    fresh = last.issued is not None and now - last.issued < RENEW
    believed = last.held[0] == current_epoch and last.held[1] <= next_version(last.version, now + CREDIBLE)
    ahead = believed and last.held[1] > last.version
    if fingerprint == last.fingerprint and fresh and not ahead and last.epoch == current_epoch:
        return None
    sent = last.version if last.epoch == current_epoch else 0
    version = next_version(last.held[1] if ahead else sent, now)
    expires = now + signing.horizon
    document = asked.order(signing.site, current_epoch, version, now, expires)
    return {"node_id": asked.node, "epoch": current_epoch, "version": version, "content_hash": fingerprint,
            "envelope": encode(document.sign(signing.key)), "issued": now, "expires": expires,
            "stop_generation": asked.stop.generation, "stop_active": asked.stop.active}


def _last(session: Session, ids: Sequence[str]) -> dict[str, _Last]:
    held = {node: (of_epoch, version) for node, of_epoch, version in session.connection().execute(
        select(col(NodeState.node_id), col(NodeState.held_epoch), col(NodeState.held_version))
        .where(col(NodeState.node_id).in_(ids)))}
    found = {one: _Last(held=held.get(one, (0, 0))) for one in ids}
    for row in session.connection().execute(
            select(col(Order.node_id), col(Order.epoch), col(Order.version), col(Order.content_hash),
                   col(Order.issued), col(Order.stop_generation), col(Order.stop_active))
            .where(col(Order.node_id).in_(ids))):
        found[row.node_id] = _Last(
            row.epoch, row.version, row.content_hash, row.issued,
            StandingStop(generation=row.stop_generation, active=row.stop_active), held.get(row.node_id, (0, 0)))
    return found


def _wanted(session: Session, ids: Sequence[str], material: _Material) -> dict[str, list[str]]:
    if not material.broadcasts:
        return {}
    earliest = min(one.start for one in material.broadcasts.values())
    found: dict[str, list[str]] = {}
    for node, broadcast in session.connection().execute(
            select(col(Playback.node_id), col(Playback.broadcast_id))
            .where(col(Playback.node_id).in_(ids), col(Playback.start) >= earliest,
                   col(Playback.withdrawn_at).is_(None))):
        found.setdefault(node, []).append(broadcast)
    return found


def _prepared(session: Session) -> list[_Prepared]:
    rows = session.connection().execute(
        select(col(Place.path), col(Recording.sha256), col(Recording.size_bytes), col(Recording.duration_ms))
        .join(Bulletin, col(Bulletin.id) == col(Recording.bulletin_id))
        .join(Place, col(Place.id) == col(Bulletin.place_id))
        .where(col(Recording.state) == RecordingState.APPROVED, col(Bulletin.air_class) == AirClass.EMERGENCY,
               col(Bulletin.archived_at).is_(None))
        .order_by(col(Recording.sha256)))
    return [_Prepared(path, NeededRecording(sha256=sha256, bytes=size, duration_ms=duration))
            for path, sha256, size, duration in rows if sha256 and size and duration]


def _chunks(poles: Sequence[Pole]) -> Iterator[Sequence[Pole]]:
    for at in range(0, len(poles), CHUNK):
        yield poles[at:at + CHUNK]
