"""What a programme may be aimed at, as a person chooses it: the tree of places with their nodes, and zones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from loudspeaker.nodes.models import Node
from loudspeaker.nodes.service import nodes_seen_by
from loudspeaker.places.models import Place, Zone, ZoneNode
from loudspeaker.places.service import places_seen_by
from loudspeaker.programmes.models import TargetKind
from loudspeaker.programmes.poles import Target
from loudspeaker.users.access import Actor


@dataclass(frozen=True)
class TargetPlace:
    """A place at `depth` below the first shown, with the nodes right in it; `reach` counts those below as well."""

    place: Place
    depth: int
    nodes: Sequence[Node]
    reach: int


@dataclass(frozen=True)
class Targets:
    """Everything this person may choose; zones with their number of nodes."""

    places: Sequence[TargetPlace]
    zones: Sequence[tuple[Zone, int]]


def targets_to_choose(session: Session, actor: Actor) -> Targets:
    """Places in tree order, each with its nodes, and the zones of these places."""
    places = places_seen_by(session, actor)
    nodes = [(node, place) for node, _, place in nodes_seen_by(session, actor)]
    names = {one.id: one.name for one in places}
    ordered = sorted(places, key=lambda one: [names.get(step, "") for step in one.path_ids])
    top = min((len(one.path_ids) for one in places), default=0)
    lines = [TargetPlace(one, len(one.path_ids) - top, [node for node, place in nodes if place.id == one.id],
                         sum(place.path.startswith(one.path) for _, place in nodes)) for one in ordered]
    return Targets(lines, _zones(session, [one.id for one in places]))


def names_of(session: Session, targets: Iterable[Target]) -> dict[Target, str]:
    """The names of targets that exist: places first, then zones, then nodes, each by name."""
    wanted = list(targets)
    found: dict[Target, str] = {}
    for kind, model in ((TargetKind.PLACE, Place), (TargetKind.ZONE, Zone), (TargetKind.NODE, Node)):
        ids = {one.id for one in wanted if one.kind is kind}
        rows = session.exec(select(model.id, model.name).where(col(model.id).in_(ids)).order_by(col(model.name)))
        found |= {Target(kind, id_): name for id_, name in rows}
    return found


def _zones(session: Session, place_ids: Sequence[str]) -> list[tuple[Zone, int]]:
    zones = session.exec(select(Zone).where(col(Zone.place_id).in_(place_ids)).order_by(col(Zone.name))).all()
    members = list(session.exec(select(ZoneNode.zone_id).where(col(ZoneNode.zone_id).in_([one.id for one in zones]))))
    return [(one, members.count(one.id)) for one in zones]
