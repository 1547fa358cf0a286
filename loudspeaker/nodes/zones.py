"""Zones: named groups of nodes of a place. Whoever changes them must tell nodes and broker (`House.outdated`)."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, delete, select

from loudspeaker.audit.service import record
from loudspeaker.errors import ConflictError, InvalidError, NotFoundError
from loudspeaker.nodes.models import Node
from loudspeaker.places import tree
from loudspeaker.places.models import Place, Zone, ZoneNode
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role

MANAGERS = (Role.ADMINISTRATOR, Role.TECHNICIAN)


def zones_of(session: Session, actor: Actor, place_id: str) -> list[tuple[Zone, list[str]]]:
    """The zones of a place and below, by name, each with its node ids."""
    place = tree.get(session, place_id)
    actor.must_see(place)
    ids = [one.id for one in tree.below(session, place)]
    zones = session.exec(select(Zone).where(col(Zone.place_id).in_(ids)).order_by(col(Zone.name))).all()
    members: dict[str, list[str]] = {}
    for row in session.exec(select(ZoneNode).where(col(ZoneNode.zone_id).in_([one.id for one in zones]))
                            .order_by(col(ZoneNode.node_id))):
        members.setdefault(row.zone_id, []).append(row.node_id)
    return [(zone, members.get(zone.id, [])) for zone in zones]


def save_zone(session: Session, actor: Actor, now: datetime, place_id: str, name: str, node_ids: Sequence[str],
              zone_id: str | None = None) -> Zone:
    """Make a zone of a place, or change its name and nodes, which must stand at the place or below.

    Raises InvalidError (name, node_ids), ConflictError (`name_taken`), NotFoundError, ForbiddenError.
    """
    place = tree.get(session, place_id)
    actor.must(place, *MANAGERS)
    wanted = " ".join(name.split())
    if not 0 < len(wanted) <= tree.LONGEST_NAME:
        raise InvalidError("Please give the group a name.", field="name")
    zone = zone_of(session, zone_id) if zone_id else Zone(place_id=place.id, name=wanted, created_at=now)
    if zone.place_id != place.id:
        raise NotFoundError
    others = session.exec(select(Zone).where(Zone.place_id == place.id, Zone.id != zone.id))
    if any(one.name.casefold() == wanted.casefold() for one in others):
        raise ConflictError("There is a group of this name here already.", code="name_taken",
                            advice="Choose another name.")
    zone.name = wanted
    session.add(zone)
    session.flush()
    _set_members(session, place, zone, node_ids)
    record(session, now, actor.user.id, "zone.saved", f"zone:{zone.id}", place.id, name=wanted, nodes=list(node_ids))
    return zone


def remove_zone(session: Session, actor: Actor, now: datetime, zone_id: str) -> None:
    """Take a zone away. Raises NotFoundError, ForbiddenError."""
    zone = zone_of(session, zone_id)
    actor.must(tree.get(session, zone.place_id), *MANAGERS)
    session.exec(delete(ZoneNode).where(col(ZoneNode.zone_id) == zone.id))
    session.delete(zone)
    session.flush()
    record(session, now, actor.user.id, "zone.removed", f"zone:{zone_id}", zone.place_id, name=zone.name)


def zone_of(session: Session, zone_id: str) -> Zone:
    """The zone. Raises NotFoundError."""
    zone = session.get(Zone, zone_id)
    if zone is None:
        raise NotFoundError
    return zone


def _set_members(session: Session, place: Place, zone: Zone, node_ids: Sequence[str]) -> None:
    wanted = list(dict.fromkeys(node_ids))
    standing = session.exec(select(Node.id).join(Place, col(Place.id) == col(Node.place_id)).where(
        col(Node.id).in_(wanted), col(Place.path).startswith(place.path), col(Node.retired_at).is_(None))).all()
    if len(standing) != len(wanted):
        raise InvalidError("A chosen loudspeaker does not stand in this place.", field="node_ids")
    session.exec(delete(ZoneNode).where(col(ZoneNode.zone_id) == zone.id))
    session.add_all(ZoneNode(zone_id=zone.id, node_id=one) for one in wanted)
    session.flush()
