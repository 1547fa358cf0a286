"""What one node lets be heard: the playing rules of docs/playing-rules.md, computed ahead of time."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from schedules.airings import AirClass, Airing, ItemLength
from schedules.instants import aware, epoch_ms, instant_at

__all__ = [
    "GRACE",
    "NO_LIMITS",
    "PLAYED_SHARE",
    "AirClass",
    "Airing",
    "ForecastItem",
    "ForecastPlayback",
    "ItemLength",
    "PlaybackState",
    "Segment",
    "forecast",
    "state_of",
]

GRACE = timedelta(seconds=120)
"""How long after its planned end a broadcast that was interrupted may still sound (playing rules, limit)."""

PLAYED_SHARE = 0.98
"""`played` means at least this share of the planned sound (protocol, Playing)."""

NO_LIMITS: Mapping[str, datetime] = MappingProxyType({})


class PlaybackState(StrEnum):
    """How a playback ends by the plan."""

    PLAYED = "played"
    PARTIAL = "partial"
    MISSED = "missed"


class Segment(NamedTuple):
    """Sound of one item, heard without a break: from `from_ms` to `to_ms` of the item, beginning at `at_utc`."""

    at_utc: datetime
    from_ms: int
    to_ms: int


class ForecastItem(NamedTuple):
    """What is heard of one item; `offset_ms` is its planned position in the broadcast."""

    item_id: str
    offset_ms: int
    duration_ms: int
    segments: tuple[Segment, ...]

    @property
    def heard_ms(self) -> int:
        """Milliseconds of the item that sounded at least once."""
        if len(self.segments) == 1:
            return self.segments[0].to_ms - self.segments[0].from_ms
        covered, reached = 0, 0
        for _, from_ms, to_ms in sorted(self.segments, key=lambda segment: segment.from_ms):
            covered += max(0, to_ms - max(reached, from_ms))
            reached = max(reached, to_ms)
        return covered


class ForecastPlayback(NamedTuple):
    """What one node lets be heard of one broadcast, and the state in which that ends."""

    broadcast_id: str
    items: tuple[ForecastItem, ...]
    heard_ms: int
    planned_ms: int
    expected_state: PlaybackState

    @property
    def lost_ms(self) -> int:
        """Planned sound that nobody hears."""
        return self.planned_ms - self.heard_ms


def forecast(
    airings: Iterable[Airing],
    must_end_by: Mapping[str, datetime] = NO_LIMITS,
    grace: timedelta = GRACE,
) -> list[ForecastPlayback]:
    """What one node lets be heard of `airings`, in order of start and id.

    `must_end_by` gives, by broadcast id, the instant of frame and session limits (`policy.must_end_by` computes it); a
    broadcast that is not in it has none. The rules are docs/playing-rules.md, to the millisecond:

    - a broadcast occupies the node from its first start to its end; a free node goes to the first that is due or was
      interrupted, by class (highest first), start, id;
    - a first start after the latest start or the planned end is missed, any other joins at position `now − start`;
    - a higher class interrupts; afterwards the interrupted item starts again from its beginning, later ones follow;
    - an item is begun only if it ends by `end + grace` and by `must_end_by`; else it and those after it are lost;
    - heard counts every millisecond once; ≥ 98 % is `played`, more than nothing `partial`, nothing `missed`.
    """
    players = [_Player(airing, _limit_ms(airing, must_end_by, grace)) for airing in airings]
    players.sort(key=lambda player: (player.start, player.airing.broadcast_id))
    able = [player for player in players if player.first_item_fits]
    now, coming, ready = 0, 0, list[_Player]()
    while ready or coming < len(able):
        if not ready:
            now = max(now, able[coming].start)
        coming = _admit(able, coming, ready, now)
        player = heapq.heappop(ready)
        if not player.take(now):
            continue
        coming, interruption = _run_until(player, able, coming, ready)
        if interruption is None:
            now = player.finish()
        else:
            now = interruption
            player.interrupt(now)
            heapq.heappush(ready, player)
    return [player.playback() for player in players]


def _admit(able: list[_Player], coming: int, ready: list[_Player], now: int) -> int:
    while coming < len(able) and able[coming].start <= now:
        heapq.heappush(ready, able[coming])
        coming += 1
    return coming


def _run_until(player: _Player, able: list[_Player], coming: int, ready: list[_Player]) -> tuple[int, int | None]:
    """Let those that come due meanwhile wait; stop at the first of a higher class and return its start."""
    while coming < len(able) and able[coming].start < player.free_at:
        if able[coming].airing.air_class > player.airing.air_class:
            return coming, able[coming].start
        heapq.heappush(ready, able[coming])
        coming += 1
    return coming, None


class _Sound(NamedTuple):
    item: int
    at: int
    from_ms: int
    to_ms: int

    @property
    def end(self) -> int:
        return self.at + self.to_ms - self.from_ms


@dataclass(eq=False)
class _Player:
    """One broadcast on its way through the node; instants are whole milliseconds since 1970."""

    airing: Airing
    limit: int
    start: int = field(init=False)
    resume: tuple[int, int] | None = None
    """Item to go on with, and when it was due; None before the first start."""
    ahead: list[_Sound] = field(default_factory=list)
    """What will sound if nothing interrupts: with no look-ahead in the rules, it is known when the node is taken."""
    heard: list[_Sound] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start = epoch_ms(self.airing.start)

    def __lt__(self, other: _Player) -> bool:
        return self._rank < other._rank

    @property
    def _rank(self) -> tuple[int, int, str]:
        return -self.airing.air_class, self.start, self.airing.broadcast_id

    @property
    def first_item_fits(self) -> bool:
        return self.start + self.airing.items[0].duration_ms <= self.limit

    @property
    def free_at(self) -> int:
        return self.ahead[-1].end

    def take(self, now: int) -> bool:
        """Get the node at `now`; False if nothing more can sound."""
        if self.resume is not None:
            item, due = self.resume
            self.ahead = self._from(item, max(now, due), 0)
        elif now <= epoch_ms(self.airing.latest_start):
            self.ahead = self._joined(now)
        return bool(self.ahead)

    def _joined(self, now: int) -> list[_Sound]:
        position = now - self.start
        for index, offset in enumerate(self.airing.offsets_ms):
            if position < offset + self.airing.items[index].duration_ms:
                from_ms = max(0, position - offset)
                return self._from(index, self.start + offset + from_ms, from_ms)
        return []

    def _from(self, first: int, at: int, from_ms: int) -> list[_Sound]:
        sounds: list[_Sound] = []
        for index in range(first, len(self.airing.items)):
            item = self.airing.items[index]
            sound = _Sound(index, at, from_ms, item.duration_ms)
            if sound.end > self.limit:
                break
            sounds.append(sound)
            at, from_ms = sound.end + item.gap_ms, 0
        return sounds

    def finish(self) -> int:
        self.heard += self.ahead
        return self.free_at

    def interrupt(self, now: int) -> None:
        for sound in self.ahead:
            if sound.end <= now:
                self.heard.append(sound)
                continue
            if sound.at < now:
                self.heard.append(sound._replace(to_ms=sound.from_ms + now - sound.at))
            self.resume = sound.item, sound.at
            break
        self.ahead = []

    def playback(self) -> ForecastPlayback:
        segments: list[list[Segment]] = [[] for _ in self.airing.items]
        for sound in self.heard:
            segments[sound.item].append(Segment(instant_at(sound.at), sound.from_ms, sound.to_ms))
        items = tuple(
            ForecastItem(item.item_id, offset, item.duration_ms, tuple(parts))
            for item, offset, parts in zip(self.airing.items, self.airing.offsets_ms, segments, strict=True)
        )
        heard = sum(item.heard_ms for item in items)
        return ForecastPlayback(
            self.airing.broadcast_id, items, heard, self.airing.sound_ms, state_of(heard, self.airing.sound_ms)
        )


def state_of(heard_ms: int, planned_ms: int) -> PlaybackState:
    """State of a playback that let `heard_ms` of `planned_ms` be heard."""
    if heard_ms >= PLAYED_SHARE * planned_ms:
        return PlaybackState.PLAYED
    return PlaybackState.PARTIAL if heard_ms > 0 else PlaybackState.MISSED


def _limit_ms(airing: Airing, must_end_by: Mapping[str, datetime], grace: timedelta) -> int:
    limit = airing.end + grace
    if airing.air_class is not AirClass.EMERGENCY and airing.broadcast_id in must_end_by:
        limit = min(limit, aware("must_end_by", must_end_by[airing.broadcast_id]))
    return epoch_ms(limit)
