"""Room for a broadcast: the next instant at which it meets nothing and violates nothing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from schedules.airings import AirClass, Airing
from schedules.checks import SESSION_GAP, Session, sessions
from schedules.hours import MIDNIGHT, Stretch, at_wall, common, days_between, merged, without
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
    start, end = _whole(aware("after", after), step), aware("horizon_to", horizon_to)
    nodes = _distinct_nodes(new, existing_by_node, policy_by_node)
    for window in _windows(new, existing_by_node, policy_by_node, start, end):
        at: datetime | None = _whole(window.start, step)
        while at is not None and at <= window.end and at < end:
            moved = _first_objection(nodes, at, window.end, step)
            if moved == at:
                return at
            at = moved
    return None


def _first_objection(nodes: Sequence[_Node], at: datetime, latest: datetime, step: timedelta) -> datetime | None:
    """`at` if every node has room then; else where the first that has none would have it, None if nowhere."""
    for node in nodes:
        moved = node.earliest(at, latest, step)
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


def _distinct_nodes(
    new: Airing, existing_by_node: Mapping[str, Sequence[Airing]], policy_by_node: Mapping[str, DatedPolicy]
) -> list[_Node]:
    if new.air_class is AirClass.EMERGENCY:
        return []
    distinct = {
        (frozenset(airings), id(policy_by_node[node])): node for node, airings in existing_by_node.items()
    }
    return [_Node(new.length, existing_by_node[node], policy_by_node[node]) for node in distinct.values()]


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
