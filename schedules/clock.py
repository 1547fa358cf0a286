"""The alarm clock: the one door to APScheduler. It only wakes; what is due stands in the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from schedules.instants import aware

Job = Callable[[], object]
"""Idempotent: it may be called late, once for several instants, or after a restart once more."""


class AlarmClock(Protocol):
    """Calls jobs at their time, each by a name that is unique; a name that is set again replaces what it had.

    A job never runs twice at once, and instants that passed meanwhile are made up for by a single call.
    """

    def every(self, seconds: float, name: str, job: Job) -> None:
        """Call `job` every `seconds` > 0, first `seconds` from now (or from the start of the clock)."""

    def at(self, instant: datetime, name: str, job: Job) -> None:
        """Call `job` once at `instant`, at once if that has passed. NaiveInstant without a time zone."""

    def cancel(self, name: str) -> None:
        """Forget a job; nothing happens if there is none of that name."""

    def start(self) -> None:
        """Begin to call; jobs that were set before wait until now."""

    def shutdown(self, wait: bool = True) -> None:
        """Call no more; with `wait` return only when running jobs have ended."""


class WallAlarmClock:
    """The alarm clock by real time, on threads of its own."""

    def __init__(self) -> None:
        self._scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def every(self, seconds: float, name: str, job: Job) -> None:
        """Call `job` every `seconds`."""
        if seconds <= 0:
            raise ValueError(f"{name}: needs seconds > 0, got {seconds}")
        self._set(name, job, IntervalTrigger(seconds=seconds, timezone=UTC))

    def at(self, instant: datetime, name: str, job: Job) -> None:
        """Call `job` once."""
        self._set(name, job, DateTrigger(aware("instant", instant), timezone=UTC))

    def cancel(self, name: str) -> None:
        """Forget a job."""
        try:
            self._scheduler.remove_job(name)
        except JobLookupError:
            return

    def start(self) -> None:
        """Begin to call."""
        self._scheduler.start()

    def shutdown(self, wait: bool = True) -> None:
        """Call no more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=wait)

    def _set(self, name: str, job: Job, trigger: IntervalTrigger | DateTrigger) -> None:
        self._scheduler.add_job(job, trigger, id=name, name=name, replace_existing=True)


@dataclass
class _Alarm:
    name: str
    job: Job
    due: datetime
    every: timedelta | None


@dataclass
class ManualClock:
    """The alarm clock of tests: time passes only by `advance`, jobs run in the caller's thread and may raise there."""

    now: datetime
    _alarms: dict[str, _Alarm] = field(default_factory=dict)
    _running: bool = False

    def __call__(self) -> datetime:
        """The present instant, for whoever takes a `Callable[[], datetime]`."""
        return self.now

    def every(self, seconds: float, name: str, job: Job) -> None:
        """Call `job` every `seconds`."""
        if seconds <= 0:
            raise ValueError(f"{name}: needs seconds > 0, got {seconds}")
        step = timedelta(seconds=seconds)
        self._alarms[name] = _Alarm(name, job, self.now + step, step)

    def at(self, instant: datetime, name: str, job: Job) -> None:
        """Call `job` once."""
        self._alarms[name] = _Alarm(name, job, aware("instant", instant), None)
        self.advance(timedelta(0))

    def cancel(self, name: str) -> None:
        """Forget a job."""
        self._alarms.pop(name, None)

    def start(self) -> None:
        """Begin to call."""
        self._running = True
        self.advance(timedelta(0))

    def shutdown(self, wait: bool = True) -> None:
        """Call no more."""
        self._running = False
        self._alarms.clear()

    def advance(self, by: timedelta) -> None:
        """Let time pass, and call what comes due on the way, in order."""
        until = self.now + by
        while self._running and (due := self._next(until)):
            self.now = max(self.now, due.due)
            if due.every is None:
                self.cancel(due.name)
            else:
                due.due = self.now + due.every
            due.job()
        self.now = until

    def sleep(self, by: timedelta) -> None:
        """Let time pass unnoticed, as a suspended machine does; what was missed is made up for by one call each."""
        self.now += by
        self.advance(timedelta(0))

    def _next(self, until: datetime) -> _Alarm | None:
        due = [alarm for alarm in self._alarms.values() if alarm.due <= until]
        return min(due, key=lambda alarm: alarm.due, default=None)
