"""The playing rules obeyed second by second, without knowing what comes: slow, and written unlike the forecast."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schedules import Airing


@dataclass
class Deck:
    """One broadcast as the ticking node sees it; instants are whole seconds from `origin`."""

    airing: Airing
    origin: datetime
    limit: int
    item: int = 0
    position: int = 0
    silence: int = 0
    started: bool = False
    over: bool = False
    due: int = 0
    ticks: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def start(self) -> int:
        return round((self.airing.start - self.origin).total_seconds())

    @property
    def rank(self) -> tuple[int, int, str]:
        return -int(self.airing.air_class), self.start, self.airing.broadcast_id

    def length(self, item: int) -> int:
        return self.airing.items[item].duration_ms // 1000

    def fits(self, now: int) -> bool:
        return now + self.silence + self.length(self.item) - self.position <= self.limit

    def get_node(self, now: int) -> None:
        if not self.started:
            self.join(now)
        else:
            self.silence = max(0, self.due - now)
        self.over = self.over or not self.fits(now)

    def join(self, now: int) -> None:
        latest = round((self.airing.latest_start - self.origin).total_seconds())
        end = round((self.airing.end - self.origin).total_seconds())
        if now > latest or now >= end:
            self.over = True
            return
        self.started = True
        for _ in range(now - self.start):
            self.step()

    def interrupt(self, now: int) -> None:
        self.due, self.position = now + self.silence, 0

    def step(self) -> None:
        if self.silence:
            self.silence -= 1
            return
        self.position += 1
        if self.position == self.length(self.item):
            self.silence = self.airing.items[self.item].gap_ms // 1000
            self.item, self.position = self.item + 1, 0

    def sound(self, now: int) -> None:
        if not self.silence:
            self.ticks.append((now, self.item, self.position))
        item = self.item
        self.step()
        if self.item == len(self.airing.items) or (self.item != item and not self.fits(now + 1)):
            self.over = True


def second_by_second(
    airings: list[Airing], must_end_by: dict[str, datetime], grace: timedelta, origin: datetime, seconds: int
) -> dict[str, list[tuple[int, int, int]]]:
    """By broadcast id, the (second, item, position) that sounded."""
    decks = []
    for airing in airings:
        limit = airing.end + grace
        if airing.broadcast_id in must_end_by and airing.air_class.word != "emergency":
            limit = min(limit, must_end_by[airing.broadcast_id])
        decks.append(Deck(airing, origin, round((limit - origin).total_seconds())))
    for deck in decks:
        deck.over = deck.start + deck.length(0) > deck.limit
    current: Deck | None = None
    for now in range(seconds):
        if current and current.over:
            current = None
        due = [deck for deck in decks if not deck.over and deck.start <= now]
        if current and any(deck.airing.air_class > current.airing.air_class for deck in due):
            current.interrupt(now)
            current = None
        for deck in sorted(due, key=lambda deck: deck.rank):
            if current is None:
                deck.get_node(now)
                current = None if deck.over else deck
        if current:
            current.sound(now)
    return {deck.airing.broadcast_id: deck.ticks for deck in decks}
