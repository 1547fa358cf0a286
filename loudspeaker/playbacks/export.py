"""The as-run log as files that offices open: CSV (RFC 4180, UTF-8 with mark) and XLSX."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import IO
from zoneinfo import ZoneInfo

from openpyxl import Workbook

from loudspeaker.errors import marked
from loudspeaker.playbacks.reason_words import CLASSES, STATES, reason_words
from loudspeaker.playbacks.service import LogRow

Say = Callable[..., str]
"""`say(message, **values)`: an English message id in the reader's language."""
Cell = str | int | float | None

HEADINGS = (
    marked("Planned start"), marked("Place"), marked("Loudspeaker"), marked("Broadcast"), marked("Class"),
    marked("State"), marked("Reason"), marked("Planned seconds"), marked("Heard seconds"), marked("First sound"),
    marked("Last sound"), marked("Start error (ms)"), marked("Peak (dBFS)"), marked("RMS (dBFS)"),
    marked("Broadcast id"), marked("Loudspeaker id"))
SHEET = marked("As-run log")
SEAL = marked("Seal of the logs")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(rows: Iterable[LogRow], zone: ZoneInfo, say: Say, seal: str = "") -> Iterator[bytes]:
    """The file in pieces, as rows come; `seal` (a head of the public log, as JSON) stands in its last row."""
    yield "\ufeff".encode()
    yield _line([say(one) for one in HEADINGS])
    for row in rows:
        yield _line(_cells(row, zone, say))
    if seal:
        yield _line([say(SEAL), seal])


def write_xlsx(rows: Iterable[LogRow], zone: ZoneInfo, say: Say, file: IO[bytes], seal: str = "") -> None:
    """Write the workbook into `file`, row by row, without holding it in memory; `seal` has a sheet of its own."""
    coming = iter(rows)
    first = list(islice(coming, 1))  # what cannot be read fails here, before the workbook opens files of its own
    book = Workbook(write_only=True)
    sheet = book.create_sheet(say(SHEET)[:31])
    sheet.append([say(one) for one in HEADINGS])
    for row in chain(first, coming):
        sheet.append([_harmless(one) for one in _cells(row, zone, say)])
    if seal:
        book.create_sheet(say(SEAL)[:31]).append([seal])
    book.save(file)


def _cells(row: LogRow, zone: ZoneInfo, say: Say) -> list[Cell]:
    playback, broadcast = row.playback, row.broadcast
    sentence, values = reason_words(playback.reason)
    return [
        _wall(playback.start, zone), row.place.name, row.node.name, broadcast.title,
        say(CLASSES[broadcast.air_class]), say(STATES[playback.state]),
        say(sentence, **values) if sentence else "", round(playback.planned_ms / 1000), round(playback.heard_ms / 1000),
        _wall(playback.started_at, zone), _wall(playback.ended_at, zone), _rounded(playback.start_error_ms),
        _rounded(playback.peak_dbfs), _rounded(playback.rms_dbfs), broadcast.id, playback.node_id]


def _line(cells: Iterable[Cell]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerow([_harmless(one) for one in cells])
    return buffer.getvalue().encode()


def _harmless(cell: Cell) -> Cell:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _wall(instant: datetime | None, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%d/%m/%Y %H:%M:%S}" if instant else ""


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
