"""A programme as a person wants it, before it is checked and saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from loudspeaker.programmes.poles import Target


@dataclass(frozen=True)
class DraftItem:
    """One place in the programme: recording ids by language, and the silence after it."""

    recordings: Mapping[str, str]
    gap_ms: int = 1000


@dataclass(frozen=True)
class ProgrammeDraft:
    """Title, recordings in order, targets and recurrence. `first_start` is aware; recurrence runs in `zone`.

    `rrule` is an RFC 5545 RRULE value, None airs once; `exdates` are local dates (ISO) left out; `languages` is
    `first` or `all`; `air_class` 0…2; `volume` 0…100; `latest_start_s` seconds.
    """

    place_id: str
    title: str
    first_start: datetime
    items: tuple[DraftItem, ...]
    targets: tuple[Target, ...]
    air_class: int = 0
    volume: int = 80
    languages: str = "first"
    zone: str = "Asia/Ho_Chi_Minh"
    rrule: str | None = None
    exdates: tuple[str, ...] = ()
    latest_start_s: int = 300
