"""What the playing rules speak of: who waits, who has the node, what may keep them from it, and what happens."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from firmware_bridge.node.airing import Airing, Line, Span, millis, to_millis


@dataclass(frozen=True)
class Bar:
    """Why something may not sound now. `final`: waiting will not help."""

    reason: str
    final: bool = False


class Gate(Protocol):
    """What the node's documents and disk allow."""

    def bar_airing(self, airing: Airing, at: datetime) -> Bar | None:
        """Why the airing may not start at `at`."""

    def bar_line(self, airing: Airing, line: Line, at: datetime) -> Bar | None:
        """Why the recording may not sound at `at`."""

    def limit(self, airing: Airing) -> tuple[datetime, str]:
        """Until when it may sound at the latest, and the reason for what does not fit."""

    def lines(self, airing: Airing) -> tuple[Line, ...]:
        """Its lines in the languages that are there now."""


@dataclass(frozen=True)
class Waiting:
    """A broadcast that has not begun; `bar` is what last kept a due one from starting."""

    airing: Airing
    bar: str | None = None


@dataclass(frozen=True)
class OnAir:
    """A broadcast that has the node, or had it and was interrupted: line `line` sounds from `from_ms` at `at`."""

    airing: Airing
    line: int
    at: datetime
    from_ms: int = 0
    heard: tuple[Span, ...] = ()

    @property
    def ends(self) -> datetime:
        """When the current line has sounded."""
        return self.at + millis(self.airing.lines[self.line].duration_ms - self.from_ms)

    def cut(self, at: datetime) -> "OnAir":
        """With what has sounded of the current line up to `at`."""
        sounded = min(to_millis(at - self.at), self.airing.lines[self.line].duration_ms - self.from_ms)
        if sounded <= 0:
            return self
        return replace(self, heard=(*self.heard, Span(self.line, self.at, self.from_ms, self.from_ms + sounded)))


@dataclass(frozen=True)
class Begins:
    """A line begins to sound at `at` (now or, after a silence, later). `first`: nothing of the broadcast did before."""

    on: OnAir
    first: bool
    resumed: bool = False


@dataclass(frozen=True)
class Interrupted:
    """A higher class took the node at `at`."""

    on: OnAir
    by: str
    at: datetime


@dataclass(frozen=True)
class LineLost:
    """A line could not sound; the next one follows."""

    airing: Airing
    line: Line
    reason: str
    at: datetime


@dataclass(frozen=True)
class Ended:
    """The broadcast has given up the node for good. `reason` is None when it came to its planned end."""

    on: OnAir
    at: datetime
    reason: str | None = None


@dataclass(frozen=True)
class Missed:
    """The broadcast never began and cannot any more."""

    airing: Airing
    reason: str
    at: datetime


Event = Begins | Interrupted | LineLost | Ended | Missed


@dataclass(frozen=True)
class Air:
    """Who waits, who was interrupted, who has the node, and up to when this is reckoned."""

    now: datetime
    waiting: tuple[Waiting, ...] = ()
    interrupted: tuple[OnAir, ...] = ()
    on: OnAir | None = None

    def next_instant(self) -> datetime | None:
        """When something will happen by itself; None if nothing waits."""
        nearest = max(self.on.ends, self.now) if self.on else None
        for one in self.waiting:
            instant = one.airing.start if one.airing.start > self.now else one.airing.closes
            if instant > self.now and (nearest is None or instant < nearest):
                nearest = instant
        return nearest
