"""What the signed policies let a pole do, checked on the pole itself: frames, quiet hours, sessions, volume.

Several policies of one place path hold together: each may only tighten the others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from firmware_bridge.contract.documents import AirClass, Policy
from firmware_bridge.node.airing import Airing
from firmware_bridge.node.playing import limit_of

SESSION_GAP = timedelta(minutes=10)
"""Broadcasts with at most this much between them are one session (product, Words)."""
DAY = timedelta(days=1)
WITHOUT_TABLES: dict[str, tzinfo] = {"Asia/Ho_Chi_Minh": timezone(timedelta(hours=7))}

Stretch = tuple[datetime, datetime]
"""Real time from the first to the second instant, UTC; the end is not included."""


@dataclass(frozen=True)
class Plan:
    """What the rules know of a broadcast, also of those that have long ended."""

    id: str
    air_class: AirClass
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Verdict:
    """What the policies say of one broadcast: refused for `reason`, or free to sound until `until`."""

    until: datetime | None = None
    why_no_longer: str = "no_room"
    reason: str | None = None

    def limit(self, airing: Airing) -> tuple[datetime, str]:
        """The limit of `airing`, and the reason for what does not fit before it."""
        limit = limit_of(airing, self.until)
        return limit, self.why_no_longer if self.until is not None and limit == self.until else "no_room"


def judge(plans: Iterable[Plan], policies: Sequence[Policy]) -> dict[str, Verdict]:
    """The verdict on every broadcast, by id. Without any policy only emergencies air."""
    known = list(plans)
    verdicts = {one.id: Verdict() for one in known if one.air_class is AirClass.EMERGENCY}
    ruled = [one for one in known if one.air_class is not AirClass.EMERGENCY]
    zone = _common_zone(policies)
    if zone is None:
        return verdicts | {one.id: Verdict(reason="no_policy") for one in ruled}
    counted: dict[date, int] = {}
    for session in sessions(ruled):
        day = session[0].start.astimezone(zone).date()
        counted[day] = counted.get(day, 0) + 1
        too_many = counted[day] > min(one.sessions_per_day for one in policies)
        allowance = session[0].start + timedelta(minutes=min(one.longest_session_minutes for one in policies))
        verdicts |= {one.id: _verdict(one, policies, allowance, too_many) for one in session}
    return verdicts


@lru_cache(maxsize=16)
def zone_of(name: str) -> tzinfo:
    """The zone called `name`. A pole's system may lack the tables; Việt Nam's zone needs none. Raises KeyError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return WITHOUT_TABLES[name]


def volume_cap(policies: Iterable[Policy]) -> int:
    """The loudest volume allowed, in percent."""
    return min((one.volume_cap for one in policies), default=100)


def sessions(plans: Iterable[Plan]) -> list[list[Plan]]:
    """Broadcasts in planned order, cut where more than 10 minutes lie between the latest end so far and the next."""
    found: list[list[Plan]] = []
    latest: datetime | None = None
    for one in sorted(plans, key=lambda plan: (plan.start, plan.id)):
        if latest is None or one.start - latest > SESSION_GAP:
            found.append([one])
            latest = one.end
        else:
            found[-1].append(one)
            latest = max(latest, one.end)
    return found


def open_stretch(policies: Sequence[Policy], instant: datetime) -> Stretch | None:
    """The stretch of open hours that holds `instant`; None when it is in none."""
    day = instant.astimezone(zone_of(policies[0].zone)).date()
    opened = _open_around(tuple(policies), day)
    return next((one for one in opened if one[0] <= instant < one[1]), None)


def is_quiet(policies: Sequence[Policy], instant: datetime) -> bool:
    """Whether `instant` lies in the quiet hours of any policy."""
    day = instant.astimezone(zone_of(policies[0].zone)).date()
    return any(start <= instant < end for one in policies for start, end in _quiet_around(one, day))


def _common_zone(policies: Sequence[Policy]) -> tzinfo | None:
    """The zone of all policies; None when there is no policy, or one whose hours cannot be told."""
    try:
        zones = [zone_of(one.zone) for one in policies]
    except KeyError:
        return None
    return zones[0] if zones else None


def _verdict(plan: Plan, policies: Sequence[Policy], allowance: datetime, too_many: bool) -> Verdict:
    if too_many:
        return Verdict(reason="too_many_sessions")
    opened = open_stretch(policies, plan.start)
    if opened is None:
        return Verdict(reason="quiet_hours" if is_quiet(policies, plan.start) else "outside_frames")
    if plan.start >= allowance:
        return Verdict(reason="session_too_long")
    if allowance < opened[1]:
        return Verdict(allowance, "session_too_long")
    return Verdict(opened[1], "outside_frames")


@lru_cache(maxsize=64)
def _open_around(policies: tuple[Policy, ...], day: date) -> tuple[Stretch, ...]:
    """Open stretches from the day before `day` to the day after it."""
    opened = merged(_frames_around(policies[0], day))
    for policy in policies[1:]:
        opened = _common(opened, merged(_frames_around(policy, day)))
    quiet = merged(stretch for policy in policies for stretch in _quiet_around(policy, day))
    return tuple(_without(opened, quiet))


def _frames_around(policy: Policy, day: date) -> list[Stretch]:
    zone = zone_of(policy.zone)
    days = (day - DAY, day, day + DAY)
    return [(_at_wall(one, frame.start, zone), _at_wall(one, frame.end, zone))
            for one in days for frame in policy.frames if one.weekday() in frame.weekdays]


def _quiet_around(policy: Policy, day: date) -> list[Stretch]:
    zone = zone_of(policy.zone)
    days = (day - 2 * DAY, day - DAY, day, day + DAY)
    return [(_at_wall(one, quiet.start, zone), _at_wall(one if quiet.start < quiet.end else one + DAY, quiet.end, zone))
            for one in days for quiet in policy.quiet_hours]


def _at_wall(day: date, clock: str, zone: tzinfo) -> datetime:
    """The instant at which a wall clock in `zone` first shows `clock`; `24:00` is the midnight that ends the day."""
    if clock == "24:00":
        day, clock = day + DAY, "00:00"
    return datetime.combine(day, time.fromisoformat(clock), tzinfo=zone).astimezone(UTC)


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """In order; those that overlap or touch become one, empty ones vanish."""
    result: list[Stretch] = []
    for start, end in sorted(stretches):
        if start >= end:
            continue
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result


def _common(one: Iterable[Stretch], other: Sequence[Stretch]) -> list[Stretch]:
    met = ((max(a[0], b[0]), min(a[1], b[1])) for a in one for b in other)
    return sorted(stretch for stretch in met if stretch[0] < stretch[1])


def _without(stretches: Iterable[Stretch], holes: Sequence[Stretch]) -> list[Stretch]:
    result: list[Stretch] = []
    for start, end in stretches:
        at = start
        for hole in holes:
            if hole[0] < end and at < hole[1]:
                result.append((at, hole[0]))
                at = max(at, hole[1])
        result.append((at, end))
    return [one for one in result if one[0] < one[1]]
