"""The as-run log: filtered pages, exports, and the evidence of one row."""

import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from sqlmodel import Session

from loudspeaker.api.deps import CurrentActor, HouseDep, Reading
from loudspeaker.api.schemas import Instant, Out
from loudspeaker.conductor.house import House
from loudspeaker.conductor.transparency import seal_now
from loudspeaker.playbacks import export, service
from loudspeaker.playbacks.models import PlaybackState
from loudspeaker.playbacks.reason_words import reason_words
from loudspeaker.playbacks.service import LogQuery, LogRow

router = APIRouter(prefix="/api/v1/playbacks", tags=["as-run log"])

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PIECE = 64 * 1024


class PlaybackOut(Out):
    """What one node did for one broadcast. `reason_text` says it in words; levels are dBFS."""

    node_id: str
    node_name: str
    place_id: str
    place_name: str
    broadcast_id: str
    title: str
    air_class: int
    start: Instant
    state: PlaybackState
    reason: str | None
    reason_text: str
    planned_ms: int
    heard_ms: int
    started_at: Instant | None
    ended_at: Instant | None
    start_error_ms: float | None
    peak_dbfs: float | None
    rms_dbfs: float | None
    segments: list[dict[str, Any]]


class LogOut(Out):
    """A page of the log, and how many rows there are in each state altogether."""

    rows: list[PlaybackOut]
    counts: dict[PlaybackState, int]


class EntryOut(Out):
    """A journal entry: the exact text that its node's hash chain covers."""

    journal_id: str
    seq: int
    at: Instant
    received_at: Instant
    kind: str
    body: str
    hash: str


class EvidenceOut(Out):
    """A row with the journal entries that it rests on."""

    row: PlaybackOut
    entries: list[EntryOut]


def log_query(place_id: str | None = None, node_id: str | None = None, broadcast_id: str | None = None,
              title: Annotated[str, Query(max_length=200)] = "",
              air_class: Annotated[int | None, Query(ge=0, le=2)] = None,
              state: Annotated[list[PlaybackState] | None, Query()] = None,
              since: Annotated[Instant | None, Query()] = None,
              until: Annotated[Instant | None, Query()] = None) -> LogQuery:
    """The filter of the request's query."""
    return LogQuery(place_id, node_id, broadcast_id, title, air_class, tuple(state or ()), since, until)


Filter = Annotated[LogQuery, Depends(log_query)]


@router.get("")
def find(query: Filter, request: Request, actor: CurrentActor, session: Reading,
         limit: Annotated[int, Query(ge=1, le=1000)] = 100,
         offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0) -> LogOut:
    """Rows of the log, newest first."""
    rows = service.page(session, actor, query, limit, offset)
    return LogOut(rows=[_out(request, one) for one in rows], counts=service.counts(session, actor, query))


@router.get("/export.csv")
def as_csv(query: Filter, request: Request, actor: CurrentActor, house: HouseDep) -> StreamingResponse:
    """The whole filtered log as CSV (UTF-8 with mark, RFC 4180)."""
    def write(session: Session, file: IO[bytes]) -> None:
        rows = service.every(session, actor, query)
        file.writelines(export.as_csv(rows, ZoneInfo(house.settings.zone), _say(request), seal_now(session, house)))

    return StreamingResponse(_pieces(_written(house, write)), media_type="text/csv; charset=utf-8",
                             headers=_attached("nhat-ky-phat.csv"))


@router.get("/export.xlsx")
def as_xlsx(query: Filter, request: Request, actor: CurrentActor, house: HouseDep) -> StreamingResponse:
    """The whole filtered log as a workbook."""
    def write(session: Session, file: IO[bytes]) -> None:
        export.write_xlsx(service.every(session, actor, query), ZoneInfo(house.settings.zone), _say(request), file,
                          seal_now(session, house))

    return StreamingResponse(_pieces(_written(house, write)), media_type=XLSX, headers=_attached("nhat-ky-phat.xlsx"))


@router.get("/{node_id}/{broadcast_id}")
def show(node_id: str, broadcast_id: str, request: Request, actor: CurrentActor, session: Reading) -> EvidenceOut:
    """One row with its evidence."""
    found = service.evidence(session, actor, node_id, broadcast_id)
    return EvidenceOut(row=_out(request, found.row), entries=[EntryOut.model_validate(one) for one in found.entries])


def _out(request: Request, row: LogRow) -> PlaybackOut:
    sentence, values = reason_words(row.playback.reason)
    return PlaybackOut(
        **row.playback.model_dump(include=set(PlaybackOut.model_fields)), node_name=row.node.name,
        place_id=row.place.id, place_name=row.place.name, title=row.broadcast.title,
        air_class=row.broadcast.air_class, reason_text=_say(request)(sentence, **values) if sentence else "")


def _say(request: Request) -> export.Say:
    def say(sentence: str, **values: object) -> str:
        return str(request.app.state.say(request, sentence, values))
    return say


def _written(house: House, write: Callable[[Session, IO[bytes]], None]) -> IO[bytes]:
    """What `write` makes, on disk, before the first byte goes out: a failure is an error, never half a file."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 # closed when the last piece is sent
    try:
        with house.database.read() as session:
            write(session, file)
    except BaseException:
        file.close()
        raise
    return file


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
