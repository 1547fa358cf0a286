"""Places and groups of loudspeakers."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Response

from loudspeaker.conductor import trust
from loudspeaker.conductor.people import people_and_places
from loudspeaker.database import after_commit
from loudspeaker.errors import InvalidError
from loudspeaker.nodes.service import nodes_seen_by, nodes_standing_in
from loudspeaker.nodes.zones import remove_zone, save_zone, zone_of, zones_of
from loudspeaker.places import service, tree
from loudspeaker.places.models import PlaceKind
from loudspeaker.users.models import Role
from loudspeaker.web.page import ActingDesk, Desk, ReadingDesk
from loudspeaker.web.words import PLACE_WORDS, ROLE_WORDS

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]


@router.get("/places")
def places_page(desk: ReadingDesk) -> Response:
    """The tree of places, the people, the groups."""
    return desk.show("places.html", "people", all=people_and_places(desk.session, desk.actor),
                     role_words=ROLE_WORDS, place_words=PLACE_WORDS,
                     administers=bool(desk.actor.paths(Role.ADMINISTRATOR)),
                     governs=trust.governs(desk.session, desk.actor))


@router.get("/places/new")
def new_place_page(desk: ReadingDesk, parent: str = "") -> Response:
    """The form of a place that is to be made."""
    return _place_form(desk, None, {"parent_id": parent, "languages": "vi"})


@router.post("/places/new")
def take_new_place(desk: ActingDesk, parent_id: Text = "", kind: Text = PlaceKind.VILLAGE, name: Text = "",
                   identifier: Text = "", phone: Text = "", languages: Text = "vi", latitude: Text = "",
                   longitude: Text = "") -> Response:
    """Make a place."""
    typed = {"parent_id": parent_id, "kind": kind, "name": name, "identifier": identifier, "phone": phone,
             "languages": languages, "latitude": latitude, "longitude": longitude}
    with desk.trying():
        if kind not in list(PlaceKind):
            raise InvalidError("Choose what kind of place it is.", field="kind")
        service.add_place(desk.session, desk.actor, desk.now, parent_id, PlaceKind(kind), name, identifier,
                          languages=_languages(languages), phone=phone, latitude=_degrees(latitude, "latitude"),
                          longitude=_degrees(longitude, "longitude"))
        return desk.to("/places", "%(name)s was added.", name=name)
    return _place_form(desk, None, typed)


@router.get("/places/{place_id}")
def place_page(desk: ReadingDesk, place_id: str) -> Response:
    """The form of a place that exists."""
    place = service.place_to_see(desk.session, desk.actor, place_id)
    return _place_form(desk, place_id, {
        "parent_id": place.parent_id or "", "kind": place.kind, "name": place.name, "identifier": place.identifier,
        "phone": place.phone, "languages": " ".join(place.languages), "latitude": place.latitude or "",
        "longitude": place.longitude or ""})


@router.post("/places/{place_id}")
def take_place(desk: ActingDesk, place_id: str, name: Text = "", identifier: Text = "", phone: Text = "",
               languages: Text = "", latitude: Text = "", longitude: Text = "", parent_id: Text = "") -> Response:
    """Change a place; another parent moves it."""
    typed = {"parent_id": parent_id, "name": name, "identifier": identifier, "phone": phone, "languages": languages,
             "latitude": latitude, "longitude": longitude}
    with desk.trying():
        place = service.change_place(
            desk.session, desk.actor, desk.now, place_id, name=name, identifier=identifier, phone=phone,
            languages=_languages(languages), latitude=_degrees(latitude, "latitude"),
            longitude=_degrees(longitude, "longitude"))
        if parent_id and place.parent_id and parent_id != place.parent_id:
            service.move_place(desk.session, desk.actor, desk.now, place_id, parent_id)
        after_commit(desk.session, desk.house.outdated)
        return desk.to("/places", "%(name)s was changed.", name=name)
    return _place_form(desk, place_id, typed)


@router.post("/places/{place_id}/archive")
def archive_place(desk: ActingDesk, place_id: str) -> Response:
    """Take a place out of use."""
    with desk.trying():
        place = tree.get(desk.session, place_id)
        service.archive_place(desk.session, desk.actor, desk.now, place_id, nodes_standing_in(desk.session, place))
        return desk.to("/places", "%(name)s is no longer in use. Its logs are kept.", name=place.name)
    return place_page(desk, place_id)


@router.get("/zones/new")
def new_zone_page(desk: ReadingDesk, place: str = "") -> Response:
    """The form of a group that is to be made."""
    return _zone_form(desk, None, {"place_id": place, "node_ids": []})


@router.post("/zones/new")
def take_new_zone(desk: ActingDesk, place_id: Text = "", name: Text = "",
                  node_ids: Annotated[list[str] | None, Form()] = None) -> Response:
    """Make a group."""
    return _save_zone(desk, None, place_id, name, node_ids or [])


@router.get("/zones/{zone_id}")
def zone_page(desk: ReadingDesk, zone_id: str) -> Response:
    """The form of a group that exists."""
    zone = zone_of(desk.session, zone_id)
    members = {one.id: nodes for one, nodes in zones_of(desk.session, desk.actor, zone.place_id)}
    return _zone_form(desk, zone_id, {"place_id": zone.place_id, "name": zone.name,
                                      "node_ids": members.get(zone_id, [])})


@router.post("/zones/{zone_id}")
def take_zone(desk: ActingDesk, zone_id: str, place_id: Text = "", name: Text = "",
              node_ids: Annotated[list[str] | None, Form()] = None) -> Response:
    """Change a group."""
    return _save_zone(desk, zone_id, place_id, name, node_ids or [])


@router.post("/zones/{zone_id}/remove")
def take_zone_away(desk: ActingDesk, zone_id: str) -> Response:
    """Remove a group; its loudspeakers stay."""
    with desk.trying():
        remove_zone(desk.session, desk.actor, desk.now, zone_id)
        after_commit(desk.session, desk.house.outdated)
        return desk.to("/places", "The group was removed; its loudspeakers stay.")
    return zone_page(desk, zone_id)


def _save_zone(desk: Desk, zone_id: str | None, place_id: str, name: str, node_ids: list[str]) -> Response:
    with desk.trying():
        save_zone(desk.session, desk.actor, desk.now, place_id, name, node_ids, zone_id)
        after_commit(desk.session, desk.house.outdated)
        return desk.to("/places", "The group %(name)s was saved.", name=name)
    return _zone_form(desk, zone_id, {"place_id": place_id, "name": name, "node_ids": node_ids})


def _place_form(desk: Desk, place_id: str | None, typed: Mapping[str, object]) -> Response:
    places = service.places_seen_by(desk.session, desk.actor)
    return desk.show("place_form.html", "people", place_id=place_id, typed=typed, places=places,
                     place_words=PLACE_WORDS,
                     administers=any(one.id in (place_id, typed.get("parent_id"))
                                     and desk.actor.may(one, [Role.ADMINISTRATOR]) for one in places)
                     or not place_id)


def _zone_form(desk: Desk, zone_id: str | None, typed: Mapping[str, object]) -> Response:
    places = service.places_seen_by(desk.session, desk.actor)
    return desk.show("zone_form.html", "people", zone_id=zone_id, typed=typed, places=places,
                     nodes=[node for node, _, _ in nodes_seen_by(desk.session, desk.actor)])


def _languages(text: str) -> list[str]:
    return text.replace(",", " ").split() or ["vi"]


def _degrees(text: str, field: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text.strip().replace(",", "."))
    except ValueError as error:
        raise InvalidError("A coordinate is a number such as 21.7041.", field=field) from error
