"""Rules of time: what airs when, what collides, what policy forbids. Pure, but for `schedules.clock`."""

from schedules.airings import AirClass, Airing, ItemLength
from schedules.checks import Session, Violation, ViolationCode, must_end_by, sessions, violations
from schedules.conflicts import Collision, Meeting, collisions
from schedules.expansion import HORIZON, broadcast_id, horizon
from schedules.hours import QuietHours, Stretch, TimeFrame
from schedules.instants import NaiveInstant
from schedules.policy import (
    DEFAULTS,
    DatedPolicy,
    Default,
    MixedZones,
    Policy,
    PolicyCalendar,
    SpecialEvent,
    calendar,
    default_policy,
    effective,
    open_between,
)
from schedules.recurrence import BadRecurrence, Frequency, Recurrence, describe, occurrences, validate
from schedules.slots import next_free_slot, next_free_start
from schedules.timetable import (
    GRACE,
    PLAYED_SHARE,
    ForecastItem,
    ForecastPlayback,
    PlaybackState,
    Segment,
    forecast,
    state_of,
)

__all__ = [
    "DEFAULTS",
    "GRACE",
    "HORIZON",
    "PLAYED_SHARE",
    "AirClass",
    "Airing",
    "BadRecurrence",
    "Collision",
    "DatedPolicy",
    "Default",
    "ForecastItem",
    "ForecastPlayback",
    "Frequency",
    "ItemLength",
    "Meeting",
    "MixedZones",
    "NaiveInstant",
    "PlaybackState",
    "Policy",
    "PolicyCalendar",
    "QuietHours",
    "Recurrence",
    "Segment",
    "Session",
    "SpecialEvent",
    "Stretch",
    "TimeFrame",
    "Violation",
    "ViolationCode",
    "broadcast_id",
    "calendar",
    "collisions",
    "default_policy",
    "describe",
    "effective",
    "forecast",
    "horizon",
    "must_end_by",
    "next_free_slot",
    "next_free_start",
    "occurrences",
    "open_between",
    "sessions",
    "state_of",
    "validate",
    "violations",
]
