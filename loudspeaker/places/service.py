"""What people may do with places. Whoever changes them must tell nodes and broker (`House.outdated`)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_
from sqlmodel import Session, col, select

from loudspeaker.audit.service import record
from loudspeaker.errors import ConflictError
from loudspeaker.places import tree
from loudspeaker.places.models import Place, PlaceKind
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role


def place_to_see(session: Session, actor: Actor, place_id: str) -> Place:
    """A place at which the actor holds any staff role. Raises NotFoundError, ForbiddenError."""
    place = tree.get(session, place_id)
    actor.must_see(place)
    return place


def places_seen_by(session: Session, actor: Actor, archived: bool = False) -> Sequence[Place]:
    """The places at which the actor holds a staff role, each before those below it."""
    here = [col(Place.path).startswith(path) for path in actor.paths()]
    if not here:
        return []
    wanted = select(Place).where(or_(*here)).order_by(col(Place.path))
    return session.exec(wanted if archived else wanted.where(col(Place.archived_at).is_(None))).all()


def add_place(session: Session, actor: Actor, now: datetime, parent_id: str, kind: PlaceKind, name: str,
              identifier: str = "", zone: str | None = None, languages: Sequence[str] = ("vi",), phone: str = "",
              latitude: float | None = None, longitude: float | None = None) -> Place:
    """A place below another one, in its time zone unless said otherwise. Only an administrator may."""
    parent = tree.get(session, parent_id)
    actor.must(parent, Role.ADMINISTRATOR)
    if parent.archived_at is not None:
        raise ConflictError("The place above is archived.")
    place = tree.add(session, now, parent, kind, name, identifier, zone or parent.zone, languages, phone, latitude,
                     longitude)
    record(session, now, actor.user.id, "place.created", f"place:{place.id}", place.id, name=place.name,
           parent=parent.id)
    return place


def change_place(session: Session, actor: Actor, now: datetime, place_id: str, *, name: str | None = None,
                 identifier: str | None = None, zone: str | None = None, languages: Sequence[str] | None = None,
                 phone: str | None = None, latitude: float | None = None, longitude: float | None = None) -> Place:
    """Change a place; what is None stays. Only an administrator may."""
    place = tree.get(session, place_id)
    actor.must(place, Role.ADMINISTRATOR)
    changes = tree.change(session, place, name=name, identifier=identifier, zone=zone, languages=languages,
                          phone=phone, latitude=latitude, longitude=longitude)
    record(session, now, actor.user.id, "place.changed", f"place:{place.id}", place.id, **changes)
    return place


def move_place(session: Session, actor: Actor, now: datetime, place_id: str, parent_id: str) -> Place:
    """Put a place below another one. Only who administers the place, where it was and where it goes may."""
    place, parent = tree.get(session, place_id), tree.get(session, parent_id)
    if place.parent_id is None:
        raise ConflictError("The top place stays where it is.")
    old = tree.get(session, place.parent_id)
    for one in (old, parent):
        actor.must(one, Role.ADMINISTRATOR)
    if parent.archived_at is not None:
        raise ConflictError("The place above is archived.")
    tree.move(session, place, parent)
    tree.change(session, place, name=place.name)
    record(session, now, actor.user.id, "place.moved", f"place:{place.id}", place.id, before=old.id, after=parent.id)
    return place


def archive_place(session: Session, actor: Actor, now: datetime, place_id: str, in_use: int) -> Place:
    """Take a place out of use, kept for the logs. Raises ConflictError while places or `in_use` nodes stand in it."""
    place = tree.get(session, place_id)
    actor.must(place, Role.ADMINISTRATOR)
    if place.parent_id is None:
        raise ConflictError("The top place stays.")
    if len(tree.below(session, place)) > 1 or in_use:
        raise ConflictError("There are still places or nodes in it.", code="in_use",
                            advice="Move or retire them first.")
    place.archived_at = place.archived_at or now
    session.add(place)
    record(session, now, actor.user.id, "place.archived", f"place:{place.id}", place.id)
    return place
