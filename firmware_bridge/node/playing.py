"""What is heard when: the playing rules of docs/playing-rules.md as a pure function of time.

`advance` carries the node's air from one instant to a later one and tells what happened on the way. The rules reckon
with exact instants; that real sound is late or fails comes in from outside (`shifted`, `skipped`, `stopped`).
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from firmware_bridge.contract.documents import AirClass
from firmware_bridge.node.air import (
    Air,
    Bar,
    Begins,
    Ended,
    Event,
    Gate,
    Interrupted,
    LineLost,
    Missed,
    OnAir,
    Waiting,
)
from firmware_bridge.node.airing import Airing, millis

GRACE = timedelta(seconds=120)
"""How long after its planned end an interrupted broadcast may still sound (playing rules, limit)."""


def advance(air: Air, until: datetime, gate: Gate) -> tuple[Air, tuple[Event, ...]]:
    """Play by the rules from `air.now` up to and including `until`."""
    run = _Run(air, gate)
    while (instant := run.air.next_instant()) is not None and instant <= until:
        run.settle(instant)
    run.settle(max(until, run.air.now))
    return run.air, tuple(run.events)


def planned(air: Air, airings: Iterable[Airing], at: datetime) -> tuple[Air, tuple[Event, ...]]:
    """A new plan: who waits is replaced; who has begun and is no longer listed ends, `cancelled`."""
    listed = {one.id: one for one in airings}
    begun = {one.airing.id for one in (*air.interrupted, *((air.on,) if air.on else ()))}
    bars = {one.airing.id: one.bar for one in air.waiting}
    stays = tuple(one for one in air.waiting if one.airing.play_now)
    waiting = tuple(Waiting(one, bars.get(one.id)) for one in listed.values() if one.id not in begun)
    dropped = {one for one in begun if one not in listed and not _is_play_now(air, one)}
    air, events = stopped(air, at, "cancelled", dropped)
    return replace(air, waiting=(*stays, *waiting)), events


def stopped(air: Air, at: datetime, reason: str, ids: Iterable[str] | None = None) -> tuple[Air, tuple[Event, ...]]:
    """End what has begun (all of it, or only `ids`): its items are lost."""
    chosen = None if ids is None else frozenset(ids)
    events: list[Event] = []
    on = air.on
    if on is not None and (chosen is None or on.airing.id in chosen):
        events.append(Ended(on.cut(at), at, reason))
        on = None
    ending = [one for one in air.interrupted if chosen is None or one.airing.id in chosen]
    events += [Ended(one, at, reason) for one in ending]
    return replace(air, on=on, interrupted=tuple(one for one in air.interrupted if one not in ending)), tuple(events)


def skipped(air: Air, at: datetime, gate: Gate, reason: str) -> tuple[Air, tuple[Event, ...]]:
    """The current line ends at `at`; the next follows after its silence."""
    if air.on is None:
        return air, ()
    run = _Run(replace(air, now=max(air.now, at)), gate)
    line = air.on.airing.lines[air.on.line]
    run.events.append(LineLost(air.on.airing, line, reason, at))
    run.next_line(air.on.cut(at), at)
    return run.air, tuple(run.events)


def shifted(air: Air, by: timedelta) -> Air:
    """What has begun sounds `by` later than reckoned: the sound was late, or the clock was set."""
    return replace(
        air, on=air.on and replace(air.on, at=air.on.at + by),
        interrupted=tuple(replace(one, at=one.at + by) for one in air.interrupted))


def _is_play_now(air: Air, broadcast: str) -> bool:
    begun = (*air.interrupted, *((air.on,) if air.on else ()))
    return any(one.airing.id == broadcast and one.airing.play_now for one in begun)


class _Run:
    """One walk through time."""

    def __init__(self, air: Air, gate: Gate) -> None:
        self.air, self.gate = air, gate
        self.events: list[Event] = []

    def settle(self, at: datetime) -> None:
        """Everything that happens at `at`: ends first, then interruptions, then who is next."""
        self.air = replace(self.air, now=at)
        while self.air.on is not None and self.air.on.ends <= at:
            on = self.air.on
            self.next_line(on.cut(on.ends), on.ends)
        self._close_missed(at)
        self._interrupt(at)
        while self.air.on is None and self._give_node(at):
            pass

    def next_line(self, on: OnAir, at: datetime) -> None:
        gap = on.airing.lines[on.line].gap_ms
        if on.line + 1 == len(on.airing.lines):
            self._end(on, at, None)
        else:
            self._begin(replace(on, line=on.line + 1, at=at + millis(gap), from_ms=0), at)

    def _begin(self, on: OnAir, at: datetime, resumed: bool = False) -> None:
        """Give the node to `on`, whose line is to sound at `on.at`; skip what may not, end at what does not fit."""
        limit, why = self.gate.limit(on.airing)
        while bar := self.gate.bar_line(on.airing, on.airing.lines[on.line], on.at):
            line = on.airing.lines[on.line]
            self.events.append(LineLost(on.airing, line, bar.reason, on.at))
            if on.line + 1 == len(on.airing.lines):
                self._end(on, at, bar.reason)
                return
            on = replace(on, line=on.line + 1, at=on.at + millis(line.gap_ms), from_ms=0)
        if on.ends > limit:
            self._end(on, at, why)
            return
        first = not on.heard and not resumed
        self.air = replace(self.air, on=on)
        self.events.append(Begins(on, first, resumed))

    def _end(self, on: OnAir, at: datetime, reason: str | None) -> None:
        self.air = replace(self.air, on=None)
        self.events.append(Ended(on, at, reason))

    def _close_missed(self, at: datetime) -> None:
        kept = []
        for one in self.air.waiting:
            if one.airing.closes < at:
                self.events.append(Missed(one.airing, one.bar or "late", at))
            else:
                kept.append(one)
        if len(kept) != len(self.air.waiting):
            self.air = replace(self.air, waiting=tuple(kept))

    def _interrupt(self, at: datetime) -> None:
        on = self.air.on
        if on is None:
            return
        higher = [one for one in self._due(at) if one.airing.air_class > on.airing.air_class]
        if higher:
            cut = on.cut(at)
            self.events.append(Interrupted(cut, higher[0].airing.id, at))
            self.air = replace(self.air, on=None, interrupted=(*self.air.interrupted, cut))

    def _due(self, at: datetime) -> list[Waiting]:
        """Those that may start now, first come first; what bars the others is noted, what bars for good is missed."""
        able = []
        for one in self.air.waiting:
            if one.airing.start > at:
                continue
            bar = self._bar(one.airing, at)
            if bar is None:
                able.append(one)
            elif bar.final:
                self._drop(one)
                self.events.append(Missed(one.airing, bar.reason, at))
            elif bar.reason != one.bar:
                self._drop(one)
                self.air = replace(self.air, waiting=(*self.air.waiting, replace(one, bar=bar.reason)))
        return sorted(able, key=lambda one: one.airing.rank)

    def _bar(self, airing: Airing, at: datetime) -> Bar | None:
        """Why a due airing may not start: itself, or because the sound to begin with is not there and may yet come."""
        bar = self.gate.bar_airing(airing, at)
        if bar is not None:
            return bar
        limit, why = self.gate.limit(airing)
        if airing.start + millis(airing.lines[0].duration_ms) > limit and not airing.play_now:
            return Bar(why, final=True)
        place = airing.position(at)
        if place is None:
            return Bar("late")
        bars = [self.gate.bar_line(airing, line, at) for line in self.gate.lines(airing)[place[0]:]]
        if bars and all(bars):
            return replace(bars[0], final=False) if bars[0] else None
        here = bars[0] if bars else None
        return here if here is not None and not here.final and at < airing.closes else None

    def _drop(self, gone: Waiting) -> None:
        self.air = replace(self.air, waiting=tuple(
            one for one in self.air.waiting if one.airing.id != gone.airing.id))

    def _give_node(self, at: datetime) -> bool:
        """Let the first in rank have the node. False when there is none."""
        ready: list[Waiting | OnAir] = [*self._due(at), *self.air.interrupted]
        if not ready:
            return False
        first = min(ready, key=lambda one: one.airing.rank)
        if isinstance(first, OnAir):
            self.air = replace(self.air, interrupted=tuple(
                one for one in self.air.interrupted if one is not first))
            again = 0 if at > first.at else first.from_ms
            self._begin(replace(first, at=max(at, first.at), from_ms=again), at, resumed=True)
            return True
        self._drop(first)
        airing = replace(first.airing, lines=self.gate.lines(first.airing))
        place = airing.position(at)
        if place is None:
            self.events.append(Missed(airing, "late", at))
        else:
            line, sounds, from_ms = place
            self._begin(OnAir(airing, line, sounds, from_ms), at)
        return True


def limit_of(airing: Airing, must_end_by: datetime | None) -> datetime:
    """The limit of the playing rules: planned end and grace, and for all but an emergency what the policy sets."""
    limit = airing.end + GRACE
    if airing.air_class is AirClass.EMERGENCY or must_end_by is None:
        return limit
    return min(limit, must_end_by)
