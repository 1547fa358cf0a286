"""Broadcasts as one node airs them: dated, classed, made of items."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from functools import cached_property
from itertools import accumulate

from schedules.instants import aware, whole_milliseconds


class AirClass(IntEnum):
    """Class of a broadcast, low to high; a higher one interrupts a lower one."""

    ORDINARY = 0
    PRIORITY = 1
    EMERGENCY = 2

    @property
    def word(self) -> str:
        """`ordinary`, `priority` or `emergency`, as the protocol spells it."""
        return self.name.lower()

    @classmethod
    def from_word(cls, word: str) -> AirClass:
        """Inverse of `word`; KeyError if there is no such class."""
        return cls[word.upper()]


@dataclass(frozen=True, slots=True)
class ItemLength:
    """One item of a running order: sound of `duration_ms` > 0, then silence of `gap_ms` ≥ 0 before the next item."""

    item_id: str
    duration_ms: int
    gap_ms: int = 0

    def __post_init__(self) -> None:
        if self.duration_ms <= 0 or self.gap_ms < 0:
            raise ValueError(f"item {self.item_id}: needs duration_ms > 0 and gap_ms >= 0")


@dataclass(frozen=True)
class Airing:
    """One dated broadcast at a node: instants are aware and cut to whole milliseconds, volume is 0–100 percent.

    Raises NaiveInstant, or ValueError for no items, a latest start before the start or a volume out of range.
    """

    broadcast_id: str
    start: datetime
    latest_start: datetime
    air_class: AirClass
    items: tuple[ItemLength, ...]
    volume: int = 100

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", whole_milliseconds(aware("start", self.start)))
        object.__setattr__(self, "latest_start", whole_milliseconds(aware("latest_start", self.latest_start)))
        if not self.items:
            raise ValueError(f"broadcast {self.broadcast_id} has no items")
        if self.latest_start < self.start:
            raise ValueError(f"broadcast {self.broadcast_id} has its latest start before its start")
        if not 0 <= self.volume <= 100:
            raise ValueError(f"broadcast {self.broadcast_id} has a volume of {self.volume}, not 0–100")

    def __hash__(self) -> int:
        return hash((self.broadcast_id, self.start))

    @cached_property
    def offsets_ms(self) -> tuple[int, ...]:
        """Planned position of every item, in milliseconds from the start."""
        return tuple(accumulate((item.duration_ms + item.gap_ms for item in self.items[:-1]), initial=0))

    @cached_property
    def length(self) -> timedelta:
        """From the start of the first item to the end of the last, silences between them included."""
        return timedelta(milliseconds=self.offsets_ms[-1] + self.items[-1].duration_ms)

    @cached_property
    def end(self) -> datetime:
        """The planned end, UTC."""
        return self.start + self.length

    @cached_property
    def sound_ms(self) -> int:
        """Planned sound, without the silences."""
        return sum(item.duration_ms for item in self.items)

    def moved_to(self, start: datetime) -> Airing:
        """The same broadcast at another start; the latest start keeps its distance."""
        start = aware("start", start)
        latest = start + (self.latest_start - self.start)
        return Airing(self.broadcast_id, start, latest, self.air_class, self.items, self.volume)
