"""What the signed policies of a place allow: frames, quiet hours, sessions, volume, and special events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Protocol
from zoneinfo import ZoneInfo

from schedules.hours import QuietHours, Stretch, TimeFrame, days_between, merged, open_stretches, quiet_stretches

__all__ = [
    "DEFAULTS",
    "DEFAULT_ZONE",
    "DatedPolicy",
    "Default",
    "MixedZones",
    "Policy",
    "PolicyCalendar",
    "QuietHours",
    "SpecialEvent",
    "Stretch",
    "TimeFrame",
    "calendar",
    "default_policy",
    "effective",
    "open_between",
    "quiet_between",
]

DEFAULT_ZONE = "Asia/Ho_Chi_Minh"
DEFAULT_FRAMES = (TimeFrame(time(5, 0), time(6, 30)), TimeFrame(time(16, 30), time(18, 30)))
DEFAULT_QUIET_HOURS = (QuietHours(time(21, 0), time(5, 0)),)
DEFAULT_LONGEST_SESSION = timedelta(minutes=45)
DEFAULT_SESSIONS_PER_DAY = 3
DEFAULT_VOLUME_CAP = 100


@dataclass(frozen=True, slots=True)
class Default:
    """A rule's default, and the sentence that says where it comes from."""

    rule: str
    value: object
    source: str


DEFAULTS: Mapping[str, Default] = MappingProxyType(
    {
        default.rule: default
        for default in (
            Default(
                "frames",
                DEFAULT_FRAMES,
                "Outside the hours that people complained about: 04:30–05:30 in Bắc Ninh, Đà Nẵng and Tiền Giang.",
            ),
            Default(
                "quiet_hours",
                DEFAULT_QUIET_HOURS,
                "People complained about 04:30–05:30 in Bắc Ninh, Đà Nẵng and Tiền Giang.",
            ),
            Default(
                "longest_session",
                DEFAULT_LONGEST_SESSION,
                "Hà Nội 2021 (rural communes) and Vĩnh Phúc 2022; relays are included.",
            ),
            Default(
                "sessions_per_day",
                DEFAULT_SESSIONS_PER_DAY,
                "Vĩnh Phúc 2022; urban Hà Nội: 2 sessions of 15 minutes, on weekdays only.",
            ),
            Default(
                "volume_cap",
                DEFAULT_VOLUME_CAP,
                "No document at hand gives a figure: the place sets its own.",
            ),
        )
    }
)


class MixedZones(ValueError):
    """Policies that hold at one node disagree about its time zone."""

    code = "mixed_zones"

    def __init__(self, zones: Iterable[str]) -> None:
        names = sorted(zones)
        super().__init__(f"policies of one node use several time zones: {', '.join(names)}")
        self.params = {"zones": names}


@dataclass(frozen=True)
class Policy:
    """What one place allows on an ordinary day; volume in percent, wall times of `zone`.

    `source` says what the policy rests on (a decision's number, a default). Raises ValueError for numbers out of range,
    zoneinfo.ZoneInfoNotFoundError for an unknown zone.
    """

    place_id: str
    frames: tuple[TimeFrame, ...]
    quiet_hours: tuple[QuietHours, ...]
    longest_session: timedelta
    sessions_per_day: int
    volume_cap: int = DEFAULT_VOLUME_CAP
    zone: str = DEFAULT_ZONE
    source: str = ""

    def __post_init__(self) -> None:
        ZoneInfo(self.zone)
        if self.longest_session <= timedelta(0):
            raise ValueError("longest_session must be more than nothing")
        if self.sessions_per_day < 0:
            raise ValueError("sessions_per_day must not be negative")
        if not 0 <= self.volume_cap <= 100:
            raise ValueError(f"volume_cap is a percentage, got {self.volume_cap}")

    def on(self, day: date) -> Policy:
        """The same on every day."""
        return self


@dataclass(frozen=True)
class SpecialEvent:
    """A dated policy that opens days (`first_day` to `last_day`, both included), hours, session count and length.

    On its days it stands in for the policies of its own place and of the places below; those above still hold. Volume
    caps hold on. Its quiet hours are its own, so that whoever signs it sees which hours of the night it opens.
    """

    place_id: str
    name: str
    first_day: date
    last_day: date
    frames: tuple[TimeFrame, ...]
    longest_session: timedelta
    sessions_per_day: int
    quiet_hours: tuple[QuietHours, ...] = DEFAULT_QUIET_HOURS
    source: str = ""

    def __post_init__(self) -> None:
        if self.last_day < self.first_day:
            raise ValueError(f"special event {self.name} ends before it begins")

    def covers(self, day: date) -> bool:
        """Whether `day` is one of its days."""
        return self.first_day <= day <= self.last_day

    def over(self, policy: Policy) -> Policy:
        """`policy` as the event changes it."""
        return replace(
            policy,
            frames=self.frames,
            quiet_hours=self.quiet_hours,
            longest_session=self.longest_session,
            sessions_per_day=self.sessions_per_day,
            source=self.source or self.name,
        )


class DatedPolicy(Protocol):
    """What holds at a node, day by day: a Policy, or a PolicyCalendar where there are special events."""

    @property
    def zone(self) -> str:
        """IANA name of the zone whose wall times count."""
        ...

    def on(self, day: date) -> Policy:
        """What holds on `day`."""
        ...


@dataclass(frozen=True)
class PolicyCalendar:
    """An ordinary policy, and what special events make of it on their days."""

    ordinary: Policy
    special: Mapping[date, Policy] = field(default_factory=dict)

    @property
    def zone(self) -> str:
        """IANA name of the zone whose wall times count."""
        return self.ordinary.zone

    def on(self, day: date) -> Policy:
        """What holds on `day`."""
        return self.special.get(day, self.ordinary)


def default_policy(place_id: str, zone: str = DEFAULT_ZONE) -> Policy:
    """The policy of a place that has signed none."""
    return Policy(
        place_id, DEFAULT_FRAMES, DEFAULT_QUIET_HOURS, DEFAULT_LONGEST_SESSION, DEFAULT_SESSIONS_PER_DAY, zone=zone
    )


def effective(policies: Sequence[Policy]) -> Policy:
    """What several policies allow together: each may only tighten the others.

    Frames are those that all open, quiet hours those of any, numbers the lowest; place and source are of the last (the
    nearest to the node). Raises MixedZones, or ValueError if there is no policy.
    """
    if not policies:
        raise ValueError("no policy holds: use default_policy")
    zones = {policy.zone for policy in policies}
    if len(zones) > 1:
        raise MixedZones(zones)
    frames = policies[0].frames
    for policy in policies[1:]:
        frames = tuple(dict.fromkeys(met for f in frames for g in policy.frames if (met := f.meet(g))))
    return replace(
        policies[-1],
        frames=frames,
        quiet_hours=tuple(dict.fromkeys(quiet for policy in policies for quiet in policy.quiet_hours)),
        longest_session=min(policy.longest_session for policy in policies),
        sessions_per_day=min(policy.sessions_per_day for policy in policies),
        volume_cap=min(policy.volume_cap for policy in policies),
    )


def calendar(policies: Sequence[Policy], events: Iterable[SpecialEvent], path: Sequence[str]) -> PolicyCalendar:
    """What holds, day by day, at a node whose place path (outermost first) is `path`.

    What belongs to places outside the path is passed over. Several events on one day tighten one another, as policies
    do. Raises ValueError if the path has no policy.
    """
    held = sorted((p for p in policies if p.place_id in path), key=lambda policy: path.index(policy.place_id))
    ordinary = effective(held)
    special: dict[date, list[SpecialEvent]] = {}
    for event in events:
        if event.place_id in path:
            for number in range((event.last_day - event.first_day).days + 1):
                special.setdefault(event.first_day + timedelta(days=number), []).append(event)
    changed = {day: _with_events(held, ordinary, opened, path) for day, opened in special.items()}
    return PolicyCalendar(ordinary, MappingProxyType(changed))


def _with_events(
    policies: Sequence[Policy], ordinary: Policy, events: Sequence[SpecialEvent], path: Sequence[str]
) -> Policy:
    depth = min(path.index(event.place_id) for event in events)
    above = [policy for policy in policies if path.index(policy.place_id) < depth]
    return effective([*above, *(event.over(ordinary) for event in events)])


def open_between(policy: DatedPolicy, start: datetime, end: datetime) -> list[Stretch]:
    """When the frames open, less the quiet hours, on every day from `start` to `end`: whole days, in order, merged."""
    zone = ZoneInfo(policy.zone)
    stretches: list[Stretch] = []
    for day in days_between(start, end, zone):
        held = policy.on(day)
        stretches += open_stretches(day, held.frames, held.quiet_hours, zone)
    return merged(stretches)


def quiet_between(policy: DatedPolicy, start: datetime, end: datetime) -> list[Stretch]:
    """The quiet hours of every day from `start` to `end`: whole days, in order, merged."""
    zone = ZoneInfo(policy.zone)
    return merged(
        stretch
        for day in days_between(start, end, zone)
        for stretch in quiet_stretches(day, policy.on(day).quiet_hours, zone)
    )
