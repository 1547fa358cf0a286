"""Today, the first page: what airs, what comes, what every pole really did; and stopping everything."""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from loudspeaker.api.deps import HouseDep, MaybeSignedIn
from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.conductor import commands
from loudspeaker.conductor.today import Today, today
from loudspeaker.conductor.village_map import HEIGHT, WIDTH, village_map
from loudspeaker.errors import InvalidError
from loudspeaker.faults.service import board
from loudspeaker.nodes.service import nodes_seen_by
from loudspeaker.playbacks.models import PlaybackState
from loudspeaker.users.access import STAFF
from loudspeaker.users.models import Role
from loudspeaker.web.confirmation import confirms
from loudspeaker.web.fault_words import FAULT_WORDS
from loudspeaker.web.i18n import marked
from loudspeaker.web.page import ActingDesk, Desk, ReadingDesk

router = APIRouter(include_in_schema=False)

STOP_WORD = marked("STOP")
GRID_COLUMNS = 8
"""Broadcasts shown in the grid: those around now."""


@router.get("/")
def first_page(request: Request, house: HouseDep, found: MaybeSignedIn) -> Response:
    """Today for the staff; the village's page for who came by a personal link; else signing in."""
    if found is None:
        return RedirectResponse("/setup" if house.setup_code else "/sign-in", 303)
    if not {held.role for held in found.actor.roles} & STAFF:
        return RedirectResponse("/village", 303)
    return RedirectResponse("/today", 303)


@router.get("/today")
def today_page(desk: ReadingDesk) -> Response:
    """The whole page."""
    return _show(desk, "today.html")


@router.get("/today/live")
def today_live(desk: ReadingDesk) -> Response:
    """The part that is refreshed when something changes."""
    return _show(desk, "today_live.html")


@router.get("/stop")
def stop_page(desk: ReadingDesk) -> Response:
    """Stopping, or lifting the stop."""
    return desk.show("stop.html", "today")


@router.post("/stop")
def take_stop(desk: ActingDesk, confirmation: Annotated[str, Form()] = "") -> Response:
    """Silence every node at once."""
    with desk.trying():
        if not confirms(confirmation, desk.t.gettext(STOP_WORD)):
            raise InvalidError("Type the word to confirm that everything is to be stopped.", field="confirmation")
        commands.stop(desk.session, desk.actor, desk.now, desk.house, commands.ALL, True)
        return desk.to("/today", "Everything is stopped. Nothing airs until the stop is lifted.", "warn")
    return stop_page(desk)


@router.post("/stop/lift")
def lift_stop(desk: ActingDesk) -> Response:
    """Let the nodes air again."""
    with desk.trying():
        commands.stop(desk.session, desk.actor, desk.now, desk.house, commands.ALL, False)
        return desk.to("/today", "The stop is lifted. What is planned airs again.")
    return stop_page(desk)


def _show(desk: Desk, template: str) -> Response:
    zone = ZoneInfo(desk.house.settings.zone)
    now = today(desk.session, desk.actor, desk.now, zone)
    return desk.show(
        template, "today", today=now, columns=_columns(now), glyph_of=glyph_of,
        faults=board(desk.session, desk.actor, limit=4), fault_words=FAULT_WORDS,
        spots=village_map(desk.session, desk.actor), box=(WIDTH, HEIGHT),
        has_nodes=bool(now.nodes.total or nodes_seen_by(desk.session, desk.actor)),
        administers=bool(desk.actor.paths(Role.ADMINISTRATOR)))


def glyph_of(state: str, starts: datetime, now: datetime) -> str:
    """The glyph of a cell: what is awaited is to come until its start has passed."""
    if state == PlaybackState.PLAYING:
        return "airing"
    return "planned" if state == PlaybackState.AWAITING and starts > now else str(state)


def _columns(now: Today) -> list[Broadcast]:
    """The broadcasts nearest to now, by start."""
    listed = list(now.grid.broadcasts)
    passed = sum(one.start <= now.now for one in listed)
    first = max(0, min(passed - GRID_COLUMNS * 2 // 3, len(listed) - GRID_COLUMNS))
    return listed[first:first + GRID_COLUMNS]
