"""The as-run log: filtered and paged, its map of days, and from a row to its evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Response

from loudspeaker.conductor.log_map import log_map
from loudspeaker.conductor.node_pages import nodes_table, titles_of
from loudspeaker.places.service import places_seen_by
from loudspeaker.playbacks import service
from loudspeaker.playbacks.models import PlaybackState
from loudspeaker.playbacks.reason_words import CLASSES, reason_words
from loudspeaker.playbacks.service import LogQuery, LogRow
from loudspeaker.web.i18n import marked
from loudspeaker.web.node_words import entry_words
from loudspeaker.web.page import Desk, ReadingDesk
from loudspeaker.web.today import glyph_of
from loudspeaker.web.typed import begin_of, day_of

router = APIRouter(include_in_schema=False)

PAGE = 50
BEGINNING = timedelta(seconds=5)
"""A pole writes down that it begins up to so long before the instant."""
NODES_LISTED = 500
"""Nodes that the filter offers; where there are more, choosing a place brings the others."""
LOG_STATES: dict[str, str] = {
    PlaybackState.PLAYED: marked("played"), PlaybackState.PARTIAL: marked("played in part"),
    PlaybackState.MISSED: marked("not played"), PlaybackState.AWAITING: marked("waiting for the node to report"),
    PlaybackState.PLAYING: marked("on air"), PlaybackState.UNKNOWN: marked("not known"),
}


@dataclass(frozen=True)
class Choice:
    """The filter as it stands in the address."""

    place: str = ""
    node: str = ""
    broadcast: str = ""
    title: str = ""
    air_class: int | None = None
    since: date | None = None
    until: date | None = None
    states: tuple[PlaybackState, ...] = ()

    def query(self, now: datetime, zone: ZoneInfo) -> LogQuery:
        """The log up to now: what is still to come stands in the programmes, not here."""
        latest = now + BEGINNING
        ends = begin_of(self.until + timedelta(days=1), zone) if self.until else latest
        return LogQuery(
            self.place or None, self.node or None, self.broadcast or None, self.title, self.air_class, self.states,
            begin_of(self.since, zone) if self.since else None, None if self.broadcast else min(ends, latest))

    def address(self, path: str) -> str:
        """The page with this filter."""
        given: dict[str, Any] = {
            "place": self.place, "node": self.node, "broadcast": self.broadcast, "title": self.title,
            "air_class": self.air_class, "since": self.since, "until": self.until}
        return _address(path, given, self.states)


def choice(place: str = "", node: str = "", broadcast: str = "", title: Annotated[str, Query(max_length=200)] = "",
           air_class: str = "", since: str = "", until: str = "",
           state: Annotated[list[str] | None, Query()] = None) -> Choice:
    """The filter of a request; what makes no sense does not narrow."""
    known = tuple(PlaybackState(one) for one in state or () if one in list(PlaybackState))
    return Choice(place, node, broadcast, title, int(air_class) if air_class in ("0", "1", "2") else None,
                  day_of(since), day_of(until), known)


Filter = Annotated[Choice, Depends(choice)]


@router.get("/log")
def log_page(desk: ReadingDesk, chosen: Filter, page: int = 1) -> Response:
    """The log with its filter."""
    return _show(desk, "log.html", chosen, page)


@router.get("/log/live")
def log_live(desk: ReadingDesk, chosen: Filter, page: int = 1) -> Response:
    """The rows, which are refreshed when a node reports."""
    return _show(desk, "log_live.html", chosen, page)


@router.get("/log/days")
def map_page(desk: ReadingDesk, place: str = "") -> Response:
    """Nodes × days."""
    zone = ZoneInfo(desk.house.settings.zone)
    return desk.show("log_days.html", "log", map=log_map(desk.session, desk.actor, desk.now, zone, place or None),
                     places=places_seen_by(desk.session, desk.actor), chosen_place=place, log_states=LOG_STATES)


@router.get("/log/{node_id}/{broadcast_id}")
def playback_page(desk: ReadingDesk, node_id: str, broadcast_id: str) -> Response:
    """One row with everything that proves it."""
    found = service.evidence(desk.session, desk.actor, node_id, broadcast_id)
    items = {item["id"]: item["title"] for item in found.row.broadcast.items}
    titles = titles_of(desk.session, {one.recording for one in found.entries if one.recording})
    return desk.show(
        "playback.html", "log", row=found.row, entries=found.entries, items=items, classes=CLASSES,
        reason=_reason(desk, found.row), segments=_segments(found.row), glyph_of=glyph_of, log_states=LOG_STATES,
        nearest=nearest, entry_words=lambda entry: entry_words(desk.t, entry, titles))


def _show(desk: Desk, template: str, chosen: Choice, page: int) -> Response:
    zone = ZoneInfo(desk.house.settings.zone)
    query = chosen.query(desk.now, zone)
    page = min(max(page, 1), 100_000)
    counts = service.counts(desk.session, desk.actor, query)
    rows = service.page(desk.session, desk.actor, query, PAGE, (page - 1) * PAGE)
    nodes = nodes_table(desk.session, desk.actor, chosen.place or None, limit=NODES_LISTED).lines
    return desk.show(
        template, "log", rows=rows, counts=counts, total=sum(counts.values()), page=page,
        pages=max(1, -(-sum(counts.values()) // PAGE)), chosen=chosen, log_states=LOG_STATES, classes=CLASSES,
        places=places_seen_by(desk.session, desk.actor), nodes=[line.node for line in nodes],
        reason_of=lambda row: _reason(desk, row), glyph_of=glyph_of, here=chosen.address("/log"),
        live=chosen.address("/log/live"), csv=_export("csv", query), xlsx=_export("xlsx", query))


def nearest(instant: datetime) -> datetime:
    """For showing to the second: 05:29:59.998 is half past five."""
    return instant + timedelta(milliseconds=500)


def _reason(desk: Desk, row: LogRow) -> str:
    sentence, values = reason_words(row.playback.reason)
    return desk.t.gettext(sentence, **values) if sentence else ""


def _segments(row: LogRow) -> list[Mapping[str, Any]]:
    """What really went out, with instants that can be read."""
    found = []
    for one in row.playback.segments:
        try:
            at = datetime.fromisoformat(str(one["at"]))
            found.append({**one, "at": at, "from_ms": int(one["from_ms"]), "to_ms": int(one["to_ms"])})
        except (KeyError, TypeError, ValueError):
            continue
    return [one for one in found if one["at"].tzinfo]


def _export(kind: str, query: LogQuery) -> str:
    given: dict[str, Any] = {
        "place_id": query.place_id, "node_id": query.node_id, "broadcast_id": query.broadcast_id, "title": query.title,
        "air_class": query.air_class, "since": query.since.isoformat() if query.since else None,
        "until": query.until.isoformat() if query.until else None}
    return _address(f"/api/v1/playbacks/export.{kind}", given, query.states)


def _address(path: str, given: Mapping[str, Any], states: tuple[PlaybackState, ...]) -> str:
    pairs = [(name, str(value)) for name, value in given.items() if value not in (None, "")]
    query = urlencode([*pairs, *(("state", one.value) for one in states)])
    return f"{path}?{query}" if query else path
