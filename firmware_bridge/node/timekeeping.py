"""How late it is, and how sure the node may be: the system clock or the signed answers of the server, the better one.

The signed exchange is kept against the monotonic clock, so that nobody who sets the system clock moves it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from firmware_bridge.contract.messages import TimeState

SAMPLES = 32
DRIFT = 50e-6
"""How fast an undisciplined crystal may run away: 50 ppm."""
TRUSTED_WITHIN_S = 0.5
HOLDOVER_WITHIN_S = 60.0
"""Seven days of holdover at 50 ppm are 30 s."""
LOWER_BOUND_MARGIN = timedelta(minutes=5)


@dataclass(frozen=True)
class Moment:
    """What the machine's clocks show. `mono` counts seconds since power-on, never backwards.

    `wall_error_s` is the bound of the system clock's error where the system keeps it synchronised, else None.
    """

    wall: datetime
    mono: float
    wall_error_s: float | None = None


@dataclass(frozen=True)
class Sample:
    """One signed answer: the true time was `at` at monotonic `mono`, give or take `error_s`."""

    at: datetime
    mono: float
    error_s: float

    def error_at(self, mono: float) -> float:
        """The error's bound later on, in seconds."""
        return self.error_s + abs(mono - self.mono) * DRIFT

    def time_at(self, mono: float) -> datetime:
        """The true time at monotonic `mono`."""
        return self.at + timedelta(seconds=mono - self.mono)


@dataclass(frozen=True)
class Reading:
    """The node's own time. `error_s` is None when nothing vouches for it."""

    now: datetime
    state: TimeState
    error_s: float | None
    source: str
    offset_s: float
    """Own time − system clock."""


@dataclass(frozen=True)
class Timekeeper:
    """Evidence about the time: signed answers, and the newest time that the node has ever been sure of."""

    samples: tuple[Sample, ...] = ()
    lower_bound: datetime | None = None

    def with_sample(self, sample: Sample) -> "Timekeeper":
        """With one answer more; the last 32 count."""
        return replace(self, samples=(*self.samples, sample)[-SAMPLES:])

    def best(self, mono: float) -> Sample | None:
        """The answer with the smallest bound now."""
        return min(self.samples, key=lambda one: one.error_at(mono), default=None)

    def read(self, moment: Moment) -> Reading:
        """The node's time at `moment`."""
        sample = self.best(moment.mono)
        by_exchange = sample.error_at(moment.mono) if sample else None
        by_system = moment.wall_error_s
        if sample and by_exchange is not None and (by_system is None or by_exchange < by_system):
            now = sample.time_at(moment.mono)
            return Reading(now, _state(by_exchange), by_exchange, "exchange", (now - moment.wall).total_seconds())
        state = _state(by_system)
        if self.lower_bound is not None and moment.wall < self.lower_bound - LOWER_BOUND_MARGIN:
            state, by_system = TimeState.UNTRUSTED, None
        return Reading(moment.wall, state, by_system, "none" if by_system is None else "system", 0.0)


def answered(sent_mono: float, got_mono: float, received: datetime, sent: datetime) -> Sample:
    """The sample of one exchange: asked at `sent_mono`, answered at `got_mono`; the server's clock between them."""
    trip = max(0.0, got_mono - sent_mono - (sent - received).total_seconds())
    middle = received + (sent - received) / 2
    return Sample(middle, (sent_mono + got_mono) / 2, trip / 2 + 0.001)


def _state(error_s: float | None) -> TimeState:
    if error_s is None or error_s > HOLDOVER_WITHIN_S:
        return TimeState.UNTRUSTED
    return TimeState.TRUSTED if error_s <= TRUSTED_WITHIN_S else TimeState.HOLDOVER
