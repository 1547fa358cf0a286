"""What the page of places and people shows: the tree, who holds which role, groups, and keys that wait to be listed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from loudspeaker.approvals.keys import keys_at
from loudspeaker.approvals.models import SigningKey
from loudspeaker.nodes.models import Node
from loudspeaker.nodes.service import nodes_seen_by
from loudspeaker.nodes.zones import zones_of
from loudspeaker.places.models import Place, Zone
from loudspeaker.places.service import places_seen_by
from loudspeaker.users import service as users
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Grant, PersonalLink, Role, User


@dataclass(frozen=True)
class PlaceLine:
    """A place of the tree with its depth below the first shown, and how many nodes stand right in it."""

    place: Place
    depth: int
    nodes: int


@dataclass(frozen=True)
class PersonLine:
    """A person with the roles held where."""

    user: User
    roles: Sequence[tuple[Grant, Place]]


@dataclass(frozen=True)
class PeopleAndPlaces:
    """Everything on the page."""

    places: Sequence[PlaceLine]
    people: Sequence[PersonLine]
    zones: Sequence[tuple[Zone, Sequence[Node]]]
    waiting_keys: Sequence[tuple[SigningKey, User]]


@dataclass(frozen=True)
class PersonPage:
    """One person: roles, personal links, signing keys (for an administrator of the place)."""

    user: User
    roles: Sequence[tuple[Grant, Place]]
    links: Sequence[PersonalLink]
    keys: Sequence[SigningKey]
    may_change: bool


def people_and_places(session: Session, actor: Actor) -> PeopleAndPlaces:
    """What `actor` may see of places, people and groups."""
    places = places_seen_by(session, actor)
    nodes = [node for node, _, _ in nodes_seen_by(session, actor)]
    by_id = {node.id: node for node in nodes}
    seen = users.users_seen_by(session, actor)
    roles = users.grants_of(session, [user.id for user in seen])
    tops = _tops(places)
    return PeopleAndPlaces(
        places=[PlaceLine(place, _depth(place, tops), sum(node.place_id == place.id for node in nodes))
                for place in _in_tree_order(places)],
        people=[PersonLine(user, roles.get(user.id, [])) for user in seen],
        zones=[(zone, [by_id[one] for one in members if one in by_id])
               for top in tops for zone, members in zones_of(session, actor, top.id)],
        waiting_keys=_waiting(session, actor, places))


def person_page(session: Session, actor: Actor, user_id: str, now: datetime) -> PersonPage:
    """One person as `actor` may see them. Raises NotFoundError."""
    user = users.user_to_see(session, actor, user_id)
    places = places_seen_by(session, actor)
    administers = any(actor.may(place, [Role.ADMINISTRATOR]) for place in places)
    found: dict[str, SigningKey] = {}
    for place in places:
        if actor.may(place, [Role.ADMINISTRATOR]):
            found.update({key.id: key for key, owner in keys_at(session, actor, place.id) if owner.id == user.id})
    return PersonPage(user, users.grants_of(session, [user.id]).get(user.id, []), users.links_of(session, user.id),
                      list(found.values()), administers)


def _waiting(session: Session, actor: Actor, places: Sequence[Place]) -> list[tuple[SigningKey, User]]:
    found: dict[str, tuple[SigningKey, User]] = {}
    for place in places:
        if actor.may(place, [Role.ADMINISTRATOR]):
            found.update({key.id: (key, owner) for key, owner in keys_at(session, actor, place.id)
                          if key.place_id is None})
    return list(found.values())


def _tops(places: Sequence[Place]) -> list[Place]:
    ids = {place.id for place in places}
    return [place for place in places if place.parent_id not in ids]


def _depth(place: Place, tops: Sequence[Place]) -> int:
    top = next(one for one in tops if place.path.startswith(one.path))
    return len(place.path_ids) - len(top.path_ids)


def _in_tree_order(places: Sequence[Place]) -> list[Place]:
    """Each place right before those below it, brothers by name."""
    below: dict[str | None, list[Place]] = {}
    ids = {place.id for place in places}
    for place in sorted(places, key=lambda one: one.name):
        below.setdefault(place.parent_id if place.parent_id in ids else None, []).append(place)
    ordered: list[Place] = []
    waiting = list(reversed(below.get(None, [])))
    while waiting:
        place = waiting.pop()
        ordered.append(place)
        waiting.extend(reversed(below.get(place.id, [])))
    return ordered
