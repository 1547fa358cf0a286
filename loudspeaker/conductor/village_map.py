"""The villages as a drawing: where each lies, scaled into a box, and how its loudspeakers do. Needs no map tiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians
from typing import Literal

from sqlalchemy import or_
from sqlmodel import Session, col, select

from loudspeaker.faults.models import Fault, FaultState, Source
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.places.models import Place
from loudspeaker.users.access import Actor

WIDTH, HEIGHT, MARGIN = 360, 150, 26
Tone = Literal["good", "warn", "fault", "idle"]


@dataclass(frozen=True)
class Spot:
    """A village at (x, y) in a box of WIDTH × HEIGHT. `tone`: fault when a node is away, warn with an open fault."""

    place: Place
    x: float
    y: float
    tone: Tone


def village_map(session: Session, actor: Actor) -> list[Spot]:
    """The places with coordinates and nodes that this person sees."""
    paths = actor.paths()
    if not paths:
        return []
    rows = session.exec(
        select(Place, Node.id, NodeState.online).join(Node, col(Node.place_id) == col(Place.id))
        .join(NodeState, col(NodeState.node_id) == col(Node.id))
        .where(col(Node.retired_at).is_(None), col(Place.latitude).is_not(None), col(Place.longitude).is_not(None),
               or_(*(col(Place.path).startswith(path) for path in paths)))).all()
    troubled = set(session.exec(select(Fault.node_id).where(Fault.state != FaultState.CLOSED,
                                                            Fault.source != Source.PUBLIC)))
    places = {place.id: place for place, _, _ in rows}
    tones: dict[str, Tone] = dict.fromkeys(places, "good")
    for place, node, online in rows:
        if not online:
            tones[place.id] = "fault"
        elif node in troubled and tones[place.id] == "good":
            tones[place.id] = "warn"
    return _drawn(list(places.values()), tones)


def _drawn(places: Sequence[Place], tones: dict[str, Tone]) -> list[Spot]:
    if not places:
        return []
    shrink = cos(radians(sum(place.latitude or 0.0 for place in places) / len(places)))
    across = [(place.longitude or 0.0) * shrink for place in places]
    up = [place.latitude or 0.0 for place in places]
    x_of, y_of = _scale(across, WIDTH - 2 * MARGIN), _scale(up, HEIGHT - 2 * MARGIN)
    return [Spot(place, MARGIN + x, HEIGHT - MARGIN - y, tones[place.id])
            for place, x, y in zip(places, x_of, y_of, strict=True)]


def _scale(values: Sequence[float], length: float) -> list[float]:
    low, high = min(values), max(values)
    return [(value - low) / (high - low) * length if high > low else length / 2 for value in values]
