"""The place tree itself: paths, moving, and reading a pasted list of villages. No access rules here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlmodel import Session, col, select

from loudspeaker.database import new_id
from loudspeaker.errors import ConflictError, InvalidError, NotFoundError
from loudspeaker.places.models import Place, PlaceKind

LANGUAGE = re.compile(r"[a-z]{2,3}")
LONGEST_NAME = 120
MOST_VILLAGES = 200
BELOW = {None: frozenset(PlaceKind), PlaceKind.PROVINCE: frozenset({PlaceKind.PROVINCE, PlaceKind.COMMUNE}),
         PlaceKind.COMMUNE: frozenset({PlaceKind.VILLAGE}), PlaceKind.VILLAGE: frozenset({PlaceKind.VILLAGE})}
"""What may stand below what; there is no district level since 1/7/2025, and no fixed depth."""


@dataclass(frozen=True)
class VillageLine:
    """One village of a pasted list."""

    name: str
    identifier: str = ""
    languages: tuple[str, ...] = ("vi",)


def read_villages(text: str) -> list[VillageLine]:
    """One village per line: name, identifier, languages (`vi hmn`), parted by tab or semicolon; no line, no village.

    Raises InvalidError (field `villages`).
    """
    found = []
    for line in text.splitlines():
        name, *rest = [part.strip() for part in re.split(r"[\t;]", line)]
        if name:
            languages = tuple(re.split(r"[ ,]+", rest[1])) if len(rest) > 1 and rest[1] else ("vi",)
            found.append(VillageLine(name, rest[0] if rest else "", languages))
    if len(found) > MOST_VILLAGES:
        raise InvalidError("A commune has at most %(count)s villages.", field="villages", count=MOST_VILLAGES)
    if len({one.name.casefold() for one in found}) != len(found):
        raise InvalidError("Two villages of the list have the same name.", field="villages")
    return found


def add(session: Session, now: datetime, parent: Place | None, kind: PlaceKind, name: str, identifier: str = "",
        zone: str = "Asia/Ho_Chi_Minh", languages: Sequence[str] = ("vi",), phone: str = "",
        latitude: float | None = None, longitude: float | None = None) -> Place:
    """A place below `parent` (None: at the top). Raises InvalidError."""
    if kind not in BELOW[PlaceKind(parent.kind) if parent else None]:
        raise InvalidError("Such a place cannot stand below the chosen one.", field="kind")
    made = new_id()
    place = Place(id=made, parent_id=parent.id if parent else None, path=f"{parent.path if parent else ''}{made}/",
                  kind=kind, name="", created_at=now)
    change(session, place, name=name, identifier=identifier, zone=zone, languages=languages, phone=phone,
           latitude=latitude, longitude=longitude)
    return place


def change(session: Session, place: Place, *, name: str | None = None, identifier: str | None = None,
           zone: str | None = None, languages: Sequence[str] | None = None, phone: str | None = None,
           latitude: float | None = None, longitude: float | None = None) -> dict[str, object]:
    """Set what is not None, and return what really changed. Raises InvalidError with the field."""
    if name is not None:
        name = _free_name(session, place, name)
    if zone is not None:
        check_zone(zone)
    if languages is not None and not (languages and all(LANGUAGE.fullmatch(one) for one in languages)):
        raise InvalidError("A language is written as its ISO 639 code: vi, hmn, tai, ium, tyz.", field="languages")
    if identifier:
        _free_identifier(session, place, identifier.strip())
    given: dict[str, object] = {
        "name": name, "identifier": identifier.strip() if identifier is not None else None, "zone": zone,
        "languages": list(dict.fromkeys(languages)) if languages is not None else None,
        "phone": phone.strip()[:40] if phone is not None else None, "latitude": latitude, "longitude": longitude}
    changes = {key: value for key, value in given.items() if value is not None and value != getattr(place, key)}
    for key, value in changes.items():
        setattr(place, key, value)
    session.add(place)
    session.flush()
    return changes


def move(session: Session, place: Place, parent: Place) -> None:
    """Put `place`, with all below it, below `parent`. Raises InvalidError."""
    if parent.path.startswith(place.path):
        raise InvalidError("A place cannot stand below itself.", field="parent_id")
    if PlaceKind(place.kind) not in BELOW[PlaceKind(parent.kind)]:
        raise InvalidError("Such a place cannot stand below the chosen one.", field="parent_id")
    old, new = place.path, f"{parent.path}{place.id}/"
    for one in below(session, place, archived=True):
        one.path = new + one.path.removeprefix(old)
        session.add(one)
    place.parent_id = parent.id
    session.add(place)
    session.flush()


def get(session: Session, place_id: str) -> Place:
    """The place. Raises NotFoundError."""
    place = session.get(Place, place_id)
    if place is None:
        raise NotFoundError
    return place


def path_of(session: Session, place: Place) -> list[Place]:
    """The places from the top down to this one."""
    known = {one.id: one for one in session.exec(select(Place).where(col(Place.id).in_(place.path_ids)))}
    return [known[one] for one in place.path_ids]


def below(session: Session, place: Place, archived: bool = False) -> Sequence[Place]:
    """The place and all below it, each before its own."""
    return below_path(session, place.path, archived)


def below_path(session: Session, path: str, archived: bool = False) -> Sequence[Place]:
    """The place whose path this is, and all below it, each before its own."""
    wanted = select(Place).where(col(Place.path).startswith(path)).order_by(col(Place.path))
    return session.exec(wanted if archived else wanted.where(col(Place.archived_at).is_(None))).all()


def check_zone(zone: str) -> None:
    """Raises InvalidError unless `zone` is a time zone of the IANA list."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidError("This time zone is not known.", field="zone") from error


def _free_name(session: Session, place: Place, name: str) -> str:
    wanted = " ".join(name.split())
    if not 0 < len(wanted) <= LONGEST_NAME:
        raise InvalidError("Please give the place a name of at most %(count)s letters.", field="name",
                           count=LONGEST_NAME)
    siblings = session.exec(select(Place).where(Place.parent_id == place.parent_id, col(Place.archived_at).is_(None)))
    if any(one.name.casefold() == wanted.casefold() and one.id != place.id for one in siblings):
        raise ConflictError("There is a place of this name here already.", code="name_taken",
                            advice="Choose another name.")
    return wanted


def _free_identifier(session: Session, place: Place, identifier: str) -> None:
    holder = session.exec(select(Place).where(Place.identifier == identifier, col(Place.archived_at).is_(None))).first()
    if holder is not None and holder.id != place.id:
        raise InvalidError("Another place has this identifier: %(name)s.", field="identifier", name=holder.name)
