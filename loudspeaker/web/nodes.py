"""Loudspeakers: the list, one pole, adding, commands, taking it down."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated

import segno
from fastapi import APIRouter, Form, Response

from firmware_bridge.contract.documents import CommandKind
from loudspeaker.conductor import commands, enrolling, poles
from loudspeaker.conductor.node_pages import Condition, NodePage, node_page, nodes_table
from loudspeaker.database import after_commit
from loudspeaker.errors import InvalidError
from loudspeaker.nodes.budgets import set_budget
from loudspeaker.nodes.service import node_to_manage, node_with_state
from loudspeaker.places.service import places_seen_by
from loudspeaker.users.models import Role
from loudspeaker.web.charts import HEIGHT, WIDTH, Chart, line_chart
from loudspeaker.web.confirmation import confirms
from loudspeaker.web.enrolment import ENROLMENTS, hand_out
from loudspeaker.web.fault_words import FAULT_WORDS
from loudspeaker.web.node_words import CHECKS, COMMANDS, CONDITIONS, RESULTS, TIME_STATES, entry_words
from loudspeaker.web.page import ActingDesk, Desk, ReadingDesk
from loudspeaker.web.typed import degrees, megabytes, spans, words_of

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]

PAGE = 50
HISTORY_DAYS = 7
SHORTEST_CHART = timedelta(hours=6)
SIMPLE_COMMANDS = (CommandKind.SELF_TEST, CommandKind.SYNC)


@router.get("/nodes")
def nodes_page(desk: ReadingDesk, place: str = "", state: str = "", page: int = 1) -> Response:
    """The list."""
    return _list(desk, "nodes.html", place, state, page)


@router.get("/nodes/live")
def nodes_live(desk: ReadingDesk, place: str = "", state: str = "", page: int = 1) -> Response:
    """The part of the list that is refreshed."""
    return _list(desk, "nodes_live.html", place, state, page)


@router.get("/nodes/new")
def new_node_page(desk: ReadingDesk, place: str = "") -> Response:
    """The form of a pole that is to be added."""
    return _form(desk, None, {"place_id": place, "volume": 80})


@router.post("/nodes/new")
def take_new_node(desk: ActingDesk, place_id: Text = "", name: Text = "", location: Text = "", latitude: Text = "",
                  longitude: Text = "", volume: Text = "80", languages: Text = "") -> Response:
    """Add a pole; the next page shows the card for its controller."""
    typed = {"place_id": place_id, "name": name, "location": location, "latitude": latitude, "longitude": longitude,
             "volume": volume, "languages": languages}
    with desk.trying():
        card = enrolling.expect_node(
            desk.session, desk.house, desk.actor, place_id, name, location=location.strip()[:200],
            latitude=degrees(latitude, "latitude", 90), longitude=degrees(longitude, "longitude", 180),
            volume=_percent(volume), languages=words_of(languages))
        return desk.to(hand_out(desk, [card]), "%(name)s was added. Print its card now.", name=card.name)
    return _form(desk, None, typed)


@router.get("/nodes/{node_id}")
def one_node_page(desk: ReadingDesk, node_id: str) -> Response:
    """One pole."""
    return _node(desk, "node.html", node_id)


@router.get("/nodes/{node_id}/live")
def one_node_live(desk: ReadingDesk, node_id: str) -> Response:
    """The part of the pole's page that is refreshed."""
    return _node(desk, "node_live.html", node_id)


@router.get("/nodes/{node_id}/edit")
def edit_page(desk: ReadingDesk, node_id: str) -> Response:
    """The form of a pole that exists."""
    node = node_to_manage(desk.session, desk.actor, node_id)
    return _form(desk, node_id, {**node.model_dump(), "languages": " ".join(node.languages)})


@router.post("/nodes/{node_id}/edit")
def take_edit(desk: ActingDesk, node_id: str, place_id: Text = "", name: Text = "", location: Text = "",
              latitude: Text = "", longitude: Text = "", volume: Text = "80", languages: Text = "") -> Response:
    """Change a pole."""
    typed = {"place_id": place_id, "name": name, "location": location, "latitude": latitude, "longitude": longitude,
             "volume": volume, "languages": languages}
    with desk.trying():
        before = node_to_manage(desk.session, desk.actor, node_id).place_id
        poles.change_node(
            desk.session, desk.house, desk.actor, node_id, name=name, place_id=place_id or None,
            location=location.strip()[:200], latitude=degrees(latitude, "latitude", 90),
            longitude=degrees(longitude, "longitude", 180), volume=_percent(volume), languages=words_of(languages))
        if place_id not in ("", before):
            return desk.to(f"/nodes/{node_id}", "%(name)s was moved. Its controller must be installed anew, because "
                           "its place stands in its configuration.", "warn", name=name)
        return desk.to(f"/nodes/{node_id}", "%(name)s was changed.", name=name)
    return _form(desk, node_id, typed)


@router.post("/nodes/{node_id}/commands")
def command(desk: ActingDesk, node_id: str, kind: Text = "", volume: Text = "") -> Response:
    """Volume, self-test or asking for news."""
    scope = f"node:{node_id}"
    with desk.trying():
        if kind == CommandKind.VOLUME:
            commands.set_volume(desk.session, desk.actor, desk.now, desk.house, scope, _percent(volume))
        elif kind in SIMPLE_COMMANDS:
            commands.ask(desk.session, desk.actor, desk.now, desk.house, scope, CommandKind(kind))
        else:
            raise InvalidError("This command cannot be sent from here.", field="kind")
        return desk.to(f"/nodes/{node_id}#commands", "The command was sent. Its answer appears below.")
    return _node(desk, "node.html", node_id)


@router.post("/nodes/{node_id}/link")
def limit_link(desk: ActingDesk, node_id: str, mb_a_day: Text = "", hours: Text = "") -> Response:
    """What its 4G link may be used for."""
    with desk.trying():
        node = node_to_manage(desk.session, desk.actor, node_id)
        set_budget(desk.session, desk.actor, desk.now, node, megabytes(mb_a_day), spans(hours))
        after_commit(desk.session, desk.house.outdated)
        return desk.to(f"/nodes/{node_id}#link", "The limit goes to the pole with its next order.")
    return _node(desk, "node.html", node_id)


@router.post("/nodes/{node_id}/stop")
def stop(desk: ActingDesk, node_id: str, active: Text = "1") -> Response:
    """Silence this pole until the stop is lifted, or lift it."""
    with desk.trying():
        commands.stop(desk.session, desk.actor, desk.now, desk.house, f"node:{node_id}", active == "1")
        if active == "1":
            return desk.to(f"/nodes/{node_id}", "This loudspeaker stays silent until the stop is lifted.", "warn")
        return desk.to(f"/nodes/{node_id}", "The stop is lifted. What is planned airs again.")
    return _node(desk, "node.html", node_id)


@router.get("/nodes/{node_id}/retire")
def retire_page(desk: ReadingDesk, node_id: str) -> Response:
    """Asks for the name before the pole is taken down."""
    return desk.show("node_retire.html", "nodes", node=node_to_manage(desk.session, desk.actor, node_id))


@router.post("/nodes/{node_id}/retire")
def retire(desk: ActingDesk, node_id: str, confirmation: Text = "") -> Response:
    """Take the pole down for ever."""
    with desk.trying():
        node = node_to_manage(desk.session, desk.actor, node_id)
        if not confirms(confirmation, node.name):
            raise InvalidError("Type the loudspeaker's name to confirm that it is taken down.", field="confirmation")
        poles.retire_node(desk.session, desk.house, desk.actor, node_id)
        return desk.to("/nodes", "%(name)s was taken down. Its log is kept.", name=node.name)
    return retire_page(desk, node_id)


def _list(desk: Desk, template: str, place: str, state: str, page: int) -> Response:
    condition = Condition(state) if state in list(Condition) else None
    page = min(max(page, 1), 100_000)
    found = nodes_table(desk.session, desk.actor, place or None, condition, PAGE, (page - 1) * PAGE)
    of_all = found.counts.get(condition, 0) if condition else found.total
    return desk.show(template, "nodes", table=found, chosen_place=place, chosen=condition, conditions=CONDITIONS,
                     places=places_seen_by(desk.session, desk.actor), page=page, pages=max(1, -(-of_all // PAGE)),
                     time_states=TIME_STATES, may_add=_may_add(desk))


def _node(desk: Desk, template: str, node_id: str) -> Response:
    page = node_page(desk.session, desk.actor, node_id, desk.now, HISTORY_DAYS)
    base = desk.house.settings.public_url or str(desk.request.base_url)
    address = f"{base.rstrip('/')}/s/{page.line.node.sticker}"
    return desk.show(
        template, "nodes", page=page, line=page.line, node=page.line.node, state=page.line.state, place=page.line.place,
        conditions=CONDITIONS, time_states=TIME_STATES, command_words=COMMANDS, results=RESULTS, checks=CHECKS,
        fault_words=FAULT_WORDS, entry_words=lambda entry: entry_words(desk.t, entry, page.titles),
        enrolment=ENROLMENTS[page.enrolment], address=address,
        qr=segno.make(address, error="m").svg_data_uri(scale=4), since=_since(desk, page),
        charts=_charts(desk, page), box=(WIDTH, HEIGHT))


def _since(desk: Desk, page: NodePage) -> datetime:
    """Where the charts begin: with the pole's first sign of life in the last days."""
    begun = page.history[0].bucket if page.history else desk.now
    return min(begun, desk.now - SHORTEST_CHART)


def _charts(desk: Desk, page: NodePage) -> Mapping[str, Chart | None]:
    since = _since(desk, page)

    def chart(name: str, **options: object) -> Chart | None:
        points = [(one.bucket, getattr(one, name)) for one in page.history]
        return line_chart(points, since, desk.now, **options)  # type: ignore[arg-type]

    return {"offset_ms": chart("offset_ms", pick=lambda values: max(values, key=abs), floor=0.0),
            "cpu_c": chart("cpu_c"), "disk_free_mb": chart("disk_free_mb", pick=min),
            "heartbeats": chart("heartbeats", floor=0.0)}


def _form(desk: Desk, node_id: str | None, typed: Mapping[str, object]) -> Response:
    places = [one for one in places_seen_by(desk.session, desk.actor)
              if desk.actor.may(one, (Role.ADMINISTRATOR, Role.TECHNICIAN))]
    name = node_with_state(desk.session, desk.actor, node_id)[0].name if node_id else ""
    return desk.show("node_form.html", "nodes", node_id=node_id, node_name=name, typed=typed, places=places)


def _may_add(desk: Desk) -> bool:
    return bool(desk.actor.paths(Role.ADMINISTRATOR, Role.TECHNICIAN))


def _percent(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise InvalidError("The volume is 0 to 100 percent.", field="volume") from error
