"""How late it is, and how sure the node may be: the system clock or the signed answers of the server, the better one.

The signed exchange is kept against the monotonic clock, so that nobody who sets the system clock moves it; where the
two contradict each other the signed one is believed. Every error is a bound, not a guess, as long as the crystal is
within `DRIFT` and changes its pace (with the temperature) by no more than `WANDER`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from firmware_bridge.contract.messages import TimeState

SAMPLES = 32
DRIFT = 50e-6
"""How fast an undisciplined crystal may run away: 50 ppm."""
WANDER = 20e-6
"""How much its pace may change between a cold night and a noon in the sun."""
BASELINE_S = 3600.0
"""Two answers at least this far apart tell the crystal's pace."""
SLACK_S = 0.1
"""A system clock is called wrong only when it is wrong by more than the bounds and this."""
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
class Pace:
    """True seconds that pass in one of the monotonic clock, less one; and the bound of what is wrong with that."""

    gain: float = 0.0
    error: float = DRIFT


@dataclass(frozen=True)
class Sample:
    """The true time was `at` at monotonic `mono`, give or take `error_s`. `signed`: the server said so."""

    at: datetime
    mono: float
    error_s: float
    signed: bool = True

    def error_at(self, mono: float, pace: Pace = Pace()) -> float:
        """The error's bound later on, in seconds."""
        return self.error_s + abs(mono - self.mono) * pace.error

    def time_at(self, mono: float, pace: Pace = Pace()) -> datetime:
        """The true time at monotonic `mono`."""
        return self.at + timedelta(seconds=(mono - self.mono) * (1 + pace.gain))


@dataclass(frozen=True)
class Reading:
    """The node's own time. `error_s` is None when nothing vouches for it.

    `contradicted`: the system clock claims to be right, and the signed answers say that it is not.
    """

    now: datetime
    state: TimeState
    error_s: float | None
    source: str
    offset_s: float
    """Own time − system clock."""
    contradicted: bool = False


@dataclass(frozen=True)
class Timekeeper:
    """Evidence about the time."""

    samples: tuple[Sample, ...] = ()
    lower_bound: datetime | None = None
    """The newest time that the server has vouched for: nothing earlier is believed of anybody."""
    shown: datetime | None = None
    """The newest time of which the node was sure by its system clock alone: that clock must not fall behind it."""
    pace: Pace = Pace()
    anchor: Sample | None = None
    """The earlier answer that the pace is measured from."""

    def with_sample(self, sample: Sample) -> "Timekeeper":
        """With one answer more; the last 32 count, but none that the new one contradicts."""
        best = self.best(sample.mono)
        if best is not None and _differ(best, sample, self.pace):
            return replace(self, samples=(sample,), anchor=sample, pace=Pace(), shown=None)
        return replace(self, samples=(*self.samples, sample)[-SAMPLES:], shown=None)._paced(sample)

    def best(self, mono: float) -> Sample | None:
        """The evidence with the smallest bound now."""
        return min(self.samples, key=lambda one: one.error_at(mono, self.pace), default=None)

    def error_s(self, mono: float) -> float | None:
        """The bound of the best evidence, None without any."""
        best = self.best(mono)
        return None if best is None else best.error_at(mono, self.pace)

    def is_too_early(self, instant: datetime) -> bool:
        """Whether `instant` lies before what the server has vouched for."""
        return self.lower_bound is not None and instant < self.lower_bound - LOWER_BOUND_MARGIN

    def read(self, moment: Moment) -> Reading:
        """The node's time at `moment`."""
        sample, system = self.best(moment.mono), self._system(moment)
        if sample is None:
            return system
        error_s, now = sample.error_at(moment.mono, self.pace), sample.time_at(moment.mono, self.pace)
        offset_s = (now - moment.wall).total_seconds()
        if system.error_s is None:
            return Reading(now, _state(error_s), error_s, "exchange", offset_s)
        contradicted = sample.signed and abs(offset_s) > error_s + system.error_s + SLACK_S
        if system.error_s <= error_s and not contradicted:
            return system
        return Reading(now, _state(error_s), error_s, "exchange", offset_s, contradicted)

    def noted(self, moment: Moment) -> "Timekeeper":
        """With the bounds moved up to what is certain at `moment`."""
        sample = self.best(moment.mono)
        if sample is not None and sample.signed:
            sure = sample.time_at(moment.mono, self.pace) - timedelta(seconds=sample.error_at(moment.mono, self.pace))
            return replace(self, lower_bound=_later(self.lower_bound, sure))
        reading = self.read(moment)
        if reading.error_s is None:
            return self
        return replace(self, shown=_later(self.shown, reading.now - timedelta(seconds=reading.error_s)))

    def _system(self, moment: Moment) -> Reading:
        """By the system clock alone."""
        error_s = moment.wall_error_s
        behind = self.shown is not None and moment.wall < self.shown - LOWER_BOUND_MARGIN
        if error_s is None or behind or self.is_too_early(moment.wall):
            return Reading(moment.wall, TimeState.UNTRUSTED, None, "none", 0.0)
        return Reading(moment.wall, _state(error_s), error_s, "system", 0.0)

    def _paced(self, sample: Sample) -> "Timekeeper":
        """With the pace of the crystal as the answers since the anchor tell it."""
        anchor = self.anchor
        if anchor is None or not sample.signed:
            return replace(self, anchor=sample if sample.signed else anchor)
        span = sample.mono - anchor.mono
        if span < BASELINE_S:
            better = sample.error_s < anchor.error_s
            return replace(self, anchor=sample if better else anchor)
        gain = (sample.at - anchor.at).total_seconds() / span - 1
        error = (anchor.error_s + sample.error_s) / span + WANDER
        believable = error < self.pace.error and abs(gain) <= DRIFT + error
        return replace(self, pace=Pace(gain, error)) if believable else self


def answered(sent_mono: float, got_mono: float, received: datetime, sent: datetime) -> Sample:
    """The sample of one exchange: asked at `sent_mono`, answered at `got_mono`; the server's clock between them."""
    trip = max(0.0, got_mono - sent_mono - (sent - received).total_seconds())
    middle = received + (sent - received) / 2
    return Sample(middle, (sent_mono + got_mono) / 2, trip / 2 + 0.001)


def _differ(one: Sample, other: Sample, pace: Pace) -> bool:
    """Whether two answers cannot both be true."""
    apart = abs((one.time_at(other.mono, pace) - other.at).total_seconds())
    return apart > one.error_at(other.mono, pace) + other.error_s


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def _state(error_s: float | None) -> TimeState:
    if error_s is None or error_s > HOLDOVER_WITHIN_S:
        return TimeState.UNTRUSTED
    return TimeState.TRUSTED if error_s <= TRUSTED_WITHIN_S else TimeState.HOLDOVER
