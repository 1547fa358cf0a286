"""The nodes in service as planning sees them, read in three queries however many there are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session, col

from loudspeaker.errors import InvalidError
from loudspeaker.nodes.models import Node
from loudspeaker.places.models import Place, Zone, ZoneNode
from loudspeaker.programmes.models import TargetKind


@dataclass(frozen=True, slots=True)
class Target:
    """A place (with everything below it), a zone or a single node."""

    kind: TargetKind
    id: str


@dataclass(frozen=True, slots=True)
class Pole:
    """A node in service. `path` is its place's path from the top; `languages` in the order in which they are aired."""

    id: str
    name: str
    place_id: str
    path: str
    zone: str
    languages: tuple[str, ...]
    volume: int
    zones: tuple[str, ...] = ()

    @property
    def path_ids(self) -> tuple[str, ...]:
        """Place ids from the top down."""
        return tuple(self.path.strip("/").split("/"))

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups whose commands it obeys, besides `all`: places above it, then zones."""
        return (*self.path_ids, *self.zones)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The stop scopes that cover it."""
        return ("all", *(f"place:{one}" for one in self.path_ids), *(f"zone:{one}" for one in self.zones),
                f"node:{self.id}")


class Poles:
    """All nodes in service, by what may be aimed at them."""

    def __init__(self, poles: Iterable[Pole], places: Iterable[str], zones: Iterable[str]) -> None:
        self.by_id = {pole.id: pole for pole in poles}
        self._by_group: dict[tuple[TargetKind, str], list[str]] = {
            **{(TargetKind.PLACE, one): [] for one in places}, **{(TargetKind.ZONE, one): [] for one in zones}}
        for pole in self.by_id.values():
            for place in pole.path_ids:
                self._by_group.setdefault((TargetKind.PLACE, place), []).append(pole.id)
            for zone in pole.zones:
                self._by_group.setdefault((TargetKind.ZONE, zone), []).append(pole.id)

    def __iter__(self) -> Iterator[Pole]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)

    def aimed_at(self, targets: Iterable[Target]) -> list[Pole]:
        """The nodes that `targets` reach together, each once, by id. What no longer exists reaches nothing."""
        ids: set[str] = set()
        for target in targets:
            if target.kind is TargetKind.NODE:
                ids.update({target.id} & self.by_id.keys())
            else:
                ids.update(self._by_group.get((target.kind, target.id), ()))
        return [self.by_id[one] for one in sorted(ids)]

    def check(self, targets: Iterable[Target]) -> None:
        """Raises InvalidError for a target that does not exist (any more)."""
        for target in targets:
            known = (target.id in self.by_id if target.kind is TargetKind.NODE
                     else (target.kind, target.id) in self._by_group)
            if not known:
                raise InvalidError("A chosen place, group or loudspeaker no longer exists.", field="targets",
                                   code="unknown_target", target=target.id)


def load_poles(session: Session) -> Poles:
    """Every node that is not retired."""
    connection = session.connection()
    places = {id_: (path, zone, languages) for id_, path, zone, languages in connection.execute(
        select(col(Place.id), col(Place.path), col(Place.zone), col(Place.languages)))}
    zones: dict[str, list[str]] = {}
    for zone_id, node_id in connection.execute(
            select(col(ZoneNode.zone_id), col(ZoneNode.node_id)).order_by(col(ZoneNode.zone_id))):
        zones.setdefault(node_id, []).append(zone_id)
    rows = connection.execute(
        select(col(Node.id), col(Node.name), col(Node.place_id), col(Node.languages), col(Node.volume))
        .where(col(Node.retired_at).is_(None)).order_by(col(Node.id)))
    poles = []
    for id_, name, place_id, languages, volume in rows:
        path, zone, spoken = places[place_id]
        poles.append(Pole(id_, name, place_id, path, zone, tuple(languages or spoken or ["vi"]), volume,
                          tuple(zones.get(id_, ()))))
    return Poles(poles, places, connection.execute(select(col(Zone.id))).scalars())
