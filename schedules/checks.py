"""Broadcasts of one node against its policy: sessions, violations, and how long each may sound."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from schedules.airings import AirClass, Airing
from schedules.hours import DAY, Stretch
from schedules.policy import DatedPolicy, open_between, quiet_between

SESSION_GAP = timedelta(minutes=10)
"""Broadcasts with at most this much between them are one session (product, Words)."""


class ViolationCode(StrEnum):
    """What a policy forbids."""

    OUTSIDE_FRAME = "outside_frame"
    QUIET_HOURS = "quiet_hours"
    SESSION_TOO_LONG = "session_too_long"
    TOO_MANY_SESSIONS = "too_many_sessions"
    OVER_VOLUME_CAP = "over_volume_cap"


@dataclass(frozen=True, slots=True)
class Session:
    """Broadcasts at one node with gaps of at most 10 minutes, by their planned instants."""

    airings: tuple[Airing, ...]
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """From the first start to the last end."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that the policy forbids, with what a sentence about it needs.

    - `outside_frame`: `span` is the nearest open stretch, None if there is none within a week;
    - `quiet_hours`: `span` is the quiet stretch;
    - `session_too_long`: `span` is the session, `actual` and `limit` are seconds;
    - `too_many_sessions`: `span` is the session, `actual` and `limit` are sessions of that day;
    - `over_volume_cap`: `actual` and `limit` are percent.
    """

    code: ViolationCode
    broadcast_id: str
    start: datetime
    end: datetime
    span: Stretch | None = None
    actual: int | None = None
    limit: int | None = None


def sessions(airings: Iterable[Airing]) -> list[Session]:
    """The planned sessions of one node, in order. Emergency broadcasts belong to none."""
    found: list[Session] = []
    for airing in sorted(_ruled(airings), key=lambda airing: (airing.start, airing.broadcast_id)):
        if found and airing.start - found[-1].end <= SESSION_GAP:
            last = found[-1]
            found[-1] = Session((*last.airings, airing), last.start, max(last.end, airing.end))
        else:
            found.append(Session((airing,), airing.start, airing.end))
    return found


def violations(
    policy: DatedPolicy, airings: Iterable[Airing], concerning: Collection[str] | None = None
) -> list[Violation]:
    """What `policy` forbids in the broadcasts of one node, in order of start.

    With `concerning` (broadcast ids) only that in which one of those takes part: give *all* airings of the node, and
    the new ones as `concerning`. An emergency is exempt from frames, quiet hours and sessions, not from the volume cap.
    """
    known = list(airings)
    watched = {airing.broadcast_id for airing in known} if concerning is None else frozenset(concerning)
    asked = [airing for airing in known if airing.broadcast_id in watched]
    found = [
        *_over_volume_cap(policy, asked),
        *_outside_hours(policy, list(_ruled(asked))),
        *_session_rules(policy, sessions(known), watched),
    ]
    return sorted(found, key=lambda violation: (violation.start, violation.broadcast_id, violation.code))


def must_end_by(policy: DatedPolicy, airings: Iterable[Airing]) -> dict[str, datetime]:
    """Until when each broadcast of one node may sound, by broadcast id: to the end of frame and session allowance.

    One that starts outside every frame gets its own start: nothing of it fits. Emergencies are not in the result.
    """
    known = list(airings)
    result: dict[str, datetime] = {}
    spans = _open_around(policy, known)
    zone = ZoneInfo(policy.zone)
    for session in sessions(known):
        allowance = session.start + policy.on(_day(session.start, zone)).longest_session
        for airing in session.airings:
            frame = _holding(spans, airing.start)
            result[airing.broadcast_id] = min(frame.end, allowance) if frame else airing.start
    return result


def _ruled(airings: Iterable[Airing]) -> Iterator[Airing]:
    return (airing for airing in airings if airing.air_class is not AirClass.EMERGENCY)


def _day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def _over_volume_cap(policy: DatedPolicy, airings: Sequence[Airing]) -> Iterator[Violation]:
    zone = ZoneInfo(policy.zone)
    for airing in airings:
        cap = policy.on(_day(airing.start, zone)).volume_cap
        if airing.volume > cap:
            yield _violation(ViolationCode.OVER_VOLUME_CAP, airing, actual=airing.volume, limit=cap)


def _outside_hours(policy: DatedPolicy, airings: Sequence[Airing]) -> Iterator[Violation]:
    opened, quiet = _open_around(policy, airings), _quiet_around(policy, airings)
    for airing in airings:
        frame = _holding(opened, airing.start)
        if frame and airing.end <= frame.end:
            continue
        disturbed = _first_met(quiet, airing)
        if disturbed:
            yield _violation(ViolationCode.QUIET_HOURS, airing, span=disturbed)
        else:
            yield _violation(ViolationCode.OUTSIDE_FRAME, airing, span=_nearest_frame(policy, airing))


def _session_rules(policy: DatedPolicy, found: Sequence[Session], watched: Collection[str]) -> Iterator[Violation]:
    zone = ZoneInfo(policy.zone)
    by_day: dict[date, list[Session]] = {}
    for session in found:
        by_day.setdefault(_day(session.start, zone), []).append(session)
    for day, of_day in by_day.items():
        held = policy.on(day)
        for number, session in enumerate(of_day, start=1):
            concerned = next((a for a in session.airings if a.broadcast_id in watched), None)
            if concerned is None:
                continue
            span = Stretch(session.start, session.end)
            if session.length > held.longest_session:
                seconds, limit = round(session.length.total_seconds()), round(held.longest_session.total_seconds())
                yield _violation(ViolationCode.SESSION_TOO_LONG, concerned, span, seconds, limit)
            if len(of_day) > held.sessions_per_day and _is_too_many(number, of_day, held.sessions_per_day, watched):
                yield _violation(
                    ViolationCode.TOO_MANY_SESSIONS, concerned, span, len(of_day), held.sessions_per_day
                )


def _is_too_many(number: int, of_day: Sequence[Session], limit: int, watched: Collection[str]) -> bool:
    """Where all are asked for, only those after the allowed number; else each that a new broadcast is in."""
    everything = all(airing.broadcast_id in watched for session in of_day for airing in session.airings)
    return number > limit if everything else True


def _violation(
    code: ViolationCode,
    airing: Airing,
    span: Stretch | None = None,
    actual: int | None = None,
    limit: int | None = None,
) -> Violation:
    return Violation(code, airing.broadcast_id, airing.start, airing.end, span, actual, limit)


def _open_around(policy: DatedPolicy, airings: Sequence[Airing]) -> list[Stretch]:
    if not airings:
        return []
    return open_between(policy, min(a.start for a in airings) - DAY, max(a.end for a in airings) + DAY)


def _quiet_around(policy: DatedPolicy, airings: Sequence[Airing]) -> list[Stretch]:
    if not airings:
        return []
    return quiet_between(policy, min(a.start for a in airings) - DAY, max(a.end for a in airings) + DAY)


def _holding(stretches: Sequence[Stretch], instant: datetime) -> Stretch | None:
    at = bisect_right(stretches, instant, key=lambda stretch: stretch.start) - 1
    return stretches[at] if at >= 0 and instant < stretches[at].end else None


def _first_met(stretches: Sequence[Stretch], airing: Airing) -> Stretch | None:
    at = bisect_right(stretches, airing.start, key=lambda stretch: stretch.end)
    return stretches[at] if at < len(stretches) and stretches[at].start < airing.end else None


def _nearest_frame(policy: DatedPolicy, airing: Airing) -> Stretch | None:
    week = open_between(policy, airing.start - 7 * DAY, airing.end + 7 * DAY)
    return min(week, key=lambda stretch: _distance(stretch, airing), default=None)


def _distance(stretch: Stretch, airing: Airing) -> timedelta:
    return max(stretch.start - airing.start, airing.end - stretch.end, timedelta(0))
