"""Room for a broadcast: the next instant at which it meets nothing and violates nothing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from schedules.airings import AirClass, Airing
from schedules.checks import SESSION_GAP, Session, ViolationCode, sessions, violations
from schedules.hours import DAY, MIDNIGHT, Stretch, at_wall, common, days_between, merged, without
from schedules.instants import EPOCH, aware
from schedules.policy import DatedPolicy, open_between

STEP = timedelta(minutes=1)
"""People plan in whole minutes."""


def next_free_slot(
    new: Airing,
    existing_by_node: Mapping[str, Sequence[Airing]],
    policy_by_node: Mapping[str, DatedPolicy],
    after: datetime,
    horizon_to: datetime,
    step: timedelta = STEP,
) -> datetime | None:
    """The earliest start of `new`, a whole `step` from `after` up to but without `horizon_to`, that is free; or None.

    Free is a start at which `new` overlaps no broadcast of any class at any node of `existing_by_node`, and takes part
    in no violation of that node's policy (each has one in `policy_by_node`). Volume is no question of time and passed
    over. `existing_by_node` must hold what surrounds the time asked for by a day, and not `new` itself.
    """
    start, end = aware("after", after), aware("horizon_to", horizon_to)
    return _Room(new, existing_by_node, policy_by_node, start, end, step).next(start)


def next_free_start(
    series: Sequence[Airing],
    existing_by_node: Mapping[str, Sequence[Airing]],
    policy_by_node: Mapping[str, DatedPolicy],
    after: datetime,
    horizon_to: datetime,
    step: timedelta = STEP,
) -> datetime | None:
    """The earliest start of the first of `series` at which all of it, moved by as much, is free; or None.

    The broadcasts of `series` are in order and of one class and length: the occurrences of one programme. See
    `next_free_slot`. None also where they would violate a policy together: moving them seldom helps with that.
    """
    first, last = series[0], series[-1]
    start, end = aware("after", after), aware("horizon_to", horizon_to)
    room = _Room(first, existing_by_node, policy_by_node, start, end + (last.start - first.start), step)
    at: datetime | None = start
    while at is not None and at < end:
        moved = _first_moved(room, series, at)
        if moved == at:
            return at if _stands_alone(series, at, existing_by_node, policy_by_node) else None
        at = moved
    return None


def _first_moved(room: _Room, series: Sequence[Airing], at: datetime) -> datetime | None:
    """`at` if all of `series` has room when it starts then; else where the first that has none would move it."""
    for airing in series:
        distance = airing.start - series[0].start
        moved = room.next(at + distance)
        if moved != at + distance:
            return moved and moved - distance
    return at


def _stands_alone(
    series: Sequence[Airing],
    at: datetime,
    existing_by_node: Mapping[str, Sequence[Airing]],
    policy_by_node: Mapping[str, DatedPolicy],
) -> bool:
    """Whether the broadcasts of `series` do not violate together what each keeps alone."""
    if all(later.start - sooner.start > 2 * DAY for sooner, later in pairwise(series)):
        return True
    moved = [airing.moved_to(at + (airing.start - series[0].start)) for airing in series]
    new = frozenset(airing.broadcast_id for airing in moved)
    return not any(
        violation.code is not ViolationCode.OVER_VOLUME_CAP
        for node in _distinct(existing_by_node, policy_by_node)
        for violation in violations(policy_by_node[node], [*existing_by_node[node], *moved], new)
    )


class _Room:
    """Where a broadcast may start at all nodes alike, searched from one start to the next that is possible."""

    def __init__(
        self,
        new: Airing,
        existing_by_node: Mapping[str, Sequence[Airing]],
        policy_by_node: Mapping[str, DatedPolicy],
        start: datetime,
        end: datetime,
        step: timedelta,
    ) -> None:
        self._end, self._step = end, step
        self._windows = list(_windows(new, existing_by_node, policy_by_node, start, end))
        self._nodes = [] if new.air_class is AirClass.EMERGENCY else [
            _Node(new.length, existing_by_node[node], policy_by_node[node])
            for node in _distinct(existing_by_node, policy_by_node)
        ]  # fmt: skip

    def next(self, start: datetime) -> datetime | None:
        """The first whole step from `start` that is free, None if there is none before the end."""
        first = bisect_left(self._windows, start, key=lambda window: window.end)
        for window in islice(self._windows, first, None):
            at: datetime | None = _whole(max(start, window.start), self._step)
            while at is not None and at <= window.end and at < self._end:
                moved = self._first_objection(at, window.end)
                if moved == at:
                    return at
                at = moved
        return None

    def _first_objection(self, at: datetime, latest: datetime) -> datetime | None:
        """`at` if every node has room then; else where the first that has none would have it, None if nowhere."""
        for node in self._nodes:
            moved = node.earliest(at, latest, self._step)
            if moved != at:
                return moved
        return at


def _windows(
    new: Airing,
    existing_by_node: Mapping[str, Sequence[Airing]],
    policy_by_node: Mapping[str, DatedPolicy],
    start: datetime,
    end: datetime,
) -> Iterator[Stretch]:
    """Starts (both ends included) at which `new` overlaps nothing and stays inside the frames of all nodes."""
    opened = [Stretch(start, end + new.length)]
    if new.air_class is not AirClass.EMERGENCY:
        for policy in {id(policy_by_node[node]): policy_by_node[node] for node in existing_by_node}.values():
            opened = common(opened, open_between(policy, start, end + new.length))
    busy = {
        Stretch(airing.start, airing.end)
        for airings in existing_by_node.values()
        for airing in airings
        if airing.end > start and airing.start < end + new.length
    }
    for free in without(opened, merged(busy)):
        if free.end - free.start >= new.length:
            yield Stretch(free.start, free.end - new.length)


def _distinct(
    existing_by_node: Mapping[str, Sequence[Airing]], policy_by_node: Mapping[str, DatedPolicy]
) -> list[str]:
    """One node of each kind: most of a commune airs the same under the same policy."""
    kinds = {(frozenset(airings), id(policy_by_node[node])): node for node, airings in existing_by_node.items()}
    return list(kinds.values())


class _Node:
    """Sessions of one node, and whether another broadcast still fits among them."""

    def __init__(self, length: timedelta, airings: Sequence[Airing], policy: DatedPolicy) -> None:
        self._length = length
        self._policy = policy
        self._zone = ZoneInfo(policy.zone)
        self._sessions = sessions(airings)
        self._starts = [session.start for session in self._sessions]
        self._ends = [session.end for session in self._sessions]
        self._a_day: dict[date, int] = {}
        for session in self._sessions:
            day = self._day(session.start)
            self._a_day[day] = self._a_day.get(day, 0) + 1

    def earliest(self, at: datetime, latest: datetime, step: timedelta) -> datetime | None:
        """The first whole `step` from `at` to `latest` that the session rules allow."""
        if self._allows(at):
            return at
        return next((start for start in self._turns(at, latest, step) if self._allows(start)), None)

    def _allows(self, start: datetime) -> bool:
        joined = self._joined(start, start)
        first = min([start, *(session.start for session in joined)])
        last = max([start + self._length, *(session.end for session in joined)])
        day = self._day(first)
        held = self._policy.on(day)
        others = self._a_day.get(day, 0) - sum(1 for session in joined if self._day(session.start) == day)
        return last - first <= held.longest_session and others + 1 <= held.sessions_per_day

    def _joined(self, earliest: datetime, latest: datetime) -> Sequence[Session]:
        """Sessions that a broadcast starting between the two could become one with."""
        low = bisect_left(self._ends, earliest - SESSION_GAP)
        return self._sessions[low : bisect_right(self._starts, latest + self._length + SESSION_GAP)]

    def _turns(self, at: datetime, latest: datetime, step: timedelta) -> Iterator[datetime]:
        """Every whole step at which the answer can turn from no to yes: sessions are left or joined, a day begins."""
        days = days_between(at, latest, self._zone)
        lengths = {self._policy.on(day).longest_session for day in days}
        turns = {at_wall(day, MIDNIGHT, self._zone) for day in days}
        for session in self._joined(at, latest):
            turns |= {session.end + SESSION_GAP, session.start - SESSION_GAP - self._length}
            turns |= {session.end - longest for longest in lengths}
        whole = {_whole(turn, step) + extra for turn in turns for extra in (timedelta(0), step)}
        return iter(sorted(start for start in whole if at < start <= latest))

    def _day(self, instant: datetime) -> date:
        return instant.astimezone(self._zone).date()


def _whole(instant: datetime, step: timedelta) -> datetime:
    """Rounded up to a whole step."""
    return instant + (EPOCH - instant) % step
