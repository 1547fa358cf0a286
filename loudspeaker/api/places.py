"""Places and the zones in them."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from loudspeaker.api.deps import CurrentActor, HouseDep, Now, Reading, Work
from loudspeaker.api.schemas import In, Out
from loudspeaker.conductor import poles
from loudspeaker.nodes import zones
from loudspeaker.places import service
from loudspeaker.places.models import PlaceKind

router = APIRouter(prefix="/api/v1", tags=["places"])

Name = Annotated[str, Field(min_length=1, max_length=120)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Languages = Annotated[list[str], Field(min_length=1, max_length=10)]


class PlaceOut(Out):
    """A place; `path` are the ids from the top down to it."""

    id: str
    parent_id: str | None
    path: list[str] = Field(validation_alias="path_ids")
    kind: PlaceKind
    name: str
    identifier: str
    zone: str
    languages: list[str]
    phone: str
    latitude: float | None
    longitude: float | None


class NewPlace(In):
    """A place below another one; its time zone is that one's unless given."""

    parent_id: str
    kind: PlaceKind
    name: Name
    identifier: Annotated[str, Field(max_length=64)] = ""
    zone: str | None = None
    languages: Languages = ["vi"]
    phone: Annotated[str, Field(max_length=40)] = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None


class PlaceChange(In):
    """What is left out stays."""

    name: Name | None = None
    identifier: Annotated[str, Field(max_length=64)] | None = None
    zone: str | None = None
    languages: Languages | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None


class Move(In):
    """Where a place goes."""

    parent_id: str


class ZoneOut(Out):
    """A named group of nodes of a place."""

    id: str
    place_id: str
    name: str
    node_ids: list[str]


class ZoneIn(In):
    """A zone's name and nodes."""

    name: Name
    node_ids: list[str] = []


@router.get("/places")
def places(session: Reading, actor: CurrentActor, archived: bool = False) -> list[PlaceOut]:
    """The places that I see, each before those below it."""
    return [PlaceOut.model_validate(one) for one in service.places_seen_by(session, actor, archived)]


@router.post("/places", status_code=201)
def create(session: Work, actor: CurrentActor, now: Now, given: NewPlace) -> PlaceOut:
    """A new place; an administrator of the one above may."""
    return PlaceOut.model_validate(service.add_place(session, actor, now, **given.model_dump()))


@router.get("/places/{place_id}")
def place(session: Reading, actor: CurrentActor, place_id: str) -> PlaceOut:
    """One place."""
    return PlaceOut.model_validate(service.place_to_see(session, actor, place_id))


@router.patch("/places/{place_id}")
def change(session: Work, house: HouseDep, actor: CurrentActor, place_id: str, given: PlaceChange) -> PlaceOut:
    """Change a place."""
    return PlaceOut.model_validate(poles.change_place(session, house, actor, place_id, **given.model_dump()))


@router.post("/places/{place_id}/move")
def move(session: Work, house: HouseDep, actor: CurrentActor, place_id: str, given: Move) -> PlaceOut:
    """Put a place, with all below it, below another one."""
    return PlaceOut.model_validate(poles.move_place(session, house, actor, place_id, given.parent_id))


@router.post("/places/{place_id}/archive")
def archive(session: Work, house: HouseDep, actor: CurrentActor, place_id: str) -> PlaceOut:
    """Take an empty place out of use."""
    return PlaceOut.model_validate(poles.archive_place(session, house, actor, place_id))


@router.get("/places/{place_id}/zones")
def zones_of(session: Reading, actor: CurrentActor, place_id: str) -> list[ZoneOut]:
    """The zones of a place and below."""
    return [ZoneOut(id=zone.id, place_id=zone.place_id, name=zone.name, node_ids=members)
            for zone, members in zones.zones_of(session, actor, place_id)]


@router.post("/places/{place_id}/zones", status_code=201)
def make_zone(session: Work, house: HouseDep, actor: CurrentActor, place_id: str, given: ZoneIn) -> ZoneOut:
    """A new zone."""
    zone = poles.save_zone(session, house, actor, place_id, given.name, given.node_ids)
    return ZoneOut(id=zone.id, place_id=zone.place_id, name=zone.name, node_ids=given.node_ids)


@router.put("/places/{place_id}/zones/{zone_id}")
def change_zone(session: Work, house: HouseDep, actor: CurrentActor, place_id: str, zone_id: str,
                given: ZoneIn) -> ZoneOut:
    """A zone's new name and nodes."""
    zone = poles.save_zone(session, house, actor, place_id, given.name, given.node_ids, zone_id)
    return ZoneOut(id=zone.id, place_id=zone.place_id, name=zone.name, node_ids=given.node_ids)


@router.delete("/places/{place_id}/zones/{zone_id}", status_code=204)
def remove_zone(session: Work, house: HouseDep, actor: CurrentActor, place_id: str, zone_id: str) -> None:
    """Take a zone away."""
    poles.remove_zone(session, house, actor, zone_id)
