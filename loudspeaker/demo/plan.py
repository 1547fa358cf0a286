"""What the morning should sound like at every pole, and how it ended by the as-run log."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from firmware_bridge.contract.base import write_instant
from loudspeaker.broadcasts.airings import airing_of, spoken
from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.nodes.models import HeldRecording, Node, NodeState
from loudspeaker.orders.models import Order
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import TERMINAL, Playback
from schedules.timetable import ForecastPlayback, forecast


@dataclass(frozen=True)
class PlannedPlayback:
    """One broadcast at one pole: what is to be heard of it and how it should end."""

    node: str
    broadcast: Broadcast
    languages: tuple[str, ...]
    expected: ForecastPlayback

    @property
    def recordings(self) -> list[str]:
        """SHA-256 of the items in order, in the language that this pole airs."""
        return [item["recordings"][language]["sha256"] for item in self.broadcast.items
                for language in spoken(item["recordings"], self.languages, self.broadcast.languages)]


def planned_playbacks(session: Session) -> list[PlannedPlayback]:
    """The forecast of every pole, from the broadcasts in the database."""
    rows = session.exec(select(Playback.node_id, Broadcast, Node, Place)
                        .join(Broadcast, col(Broadcast.id) == col(Playback.broadcast_id))
                        .join(Node, col(Node.id) == col(Playback.node_id))
                        .join(Place, col(Place.id) == col(Node.place_id))
                        .where(col(Broadcast.cancelled_at).is_(None)))
    by_node: dict[str, list[tuple[Broadcast, tuple[str, ...]]]] = {}
    for node_id, broadcast, node, place in rows:
        by_node.setdefault(node_id, []).append((broadcast, tuple(node.languages or place.languages)))
    return [one for node_id, listed in sorted(by_node.items()) for one in _of_node(node_id, listed)]


def states(session: Session) -> dict[tuple[str, str], Playback]:
    """The as-run log by (node, broadcast)."""
    return {(one.node_id, one.broadcast_id): one for one in session.exec(select(Playback))}


def all_here(session: Session, count: int) -> bool:
    """Whether so many poles have joined and know the time."""
    here = session.exec(select(NodeState).where(col(NodeState.online), NodeState.time_state == "trusted")).all()
    return len(here) >= count


def is_delivered(session: Session, planned: Sequence[PlannedPlayback]) -> bool:
    """Whether every pole holds its newest running order and every recording that it will air."""
    orders = {one.node_id: (one.epoch, one.version) for one in session.exec(select(Order))}
    held = {one.node_id: (one.held_epoch, one.held_version) for one in session.exec(select(NodeState))}
    stored = {(one.node_id, one.sha256) for one in session.exec(select(HeldRecording))}
    return all(one.node in orders and held.get(one.node) == orders[one.node]
               and all((one.node, sha256) in stored for sha256 in one.recordings) for one in planned)


def is_over(played: Mapping[tuple[str, str], Playback]) -> bool:
    """Whether every playback has reached a terminal state."""
    return all(one.state in TERMINAL for one in played.values())


def as_rows(planned: Iterable[PlannedPlayback], played: Mapping[tuple[str, str], Playback]) -> list[dict[str, Any]]:
    """The plan as JSON, with the state that the as-run log gives."""
    return [_row(one, played[one.node, one.broadcast.id]) for one in planned]


def write_plan(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep the rows as a file."""
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")


def last_end(planned: Iterable[PlannedPlayback]) -> datetime:
    """When the last planned sound ends, after all pre-emptions."""
    ends = [segment.at_utc.timestamp() + (segment.to_ms - segment.from_ms) / 1000
            for one in planned for item in one.expected.items for segment in item.segments]
    begins = next(iter(planned)).broadcast.start
    return datetime.fromtimestamp(max(ends), begins.tzinfo)


def _of_node(node_id: str, listed: Sequence[tuple[Broadcast, tuple[str, ...]]]) -> Iterable[PlannedPlayback]:
    known = {broadcast.id: (broadcast, languages) for broadcast, languages in listed}
    for one in forecast(airing_of(broadcast, languages) for broadcast, languages in listed):
        broadcast, languages = known[one.broadcast_id]
        yield PlannedPlayback(node_id, broadcast, languages, one)


def _row(planned: PlannedPlayback, played: Playback) -> dict[str, Any]:
    return {
        "node": planned.node, "broadcast": planned.broadcast.id, "title": planned.broadcast.title,
        "class": ("ordinary", "priority", "emergency")[planned.broadcast.air_class],
        "planned_utc": write_instant(planned.broadcast.start),
        "items": [{"sha256": sha256, "offset_ms": item.offset_ms, "segments": [
            {"at_utc": write_instant(segment.at_utc), "from_ms": segment.from_ms, "to_ms": segment.to_ms}
            for segment in item.segments]} for sha256, item in zip(planned.recordings, planned.expected.items,
                                                                   strict=True)],
        "expected_state": str(planned.expected.expected_state), "state": str(played.state), "reason": played.reason,
    }
