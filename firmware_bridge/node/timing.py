"""The node's time at work: evidence taken in, kept over restarts, and every change of it written down."""

from dataclasses import replace
from datetime import timedelta

from firmware_bridge.contract.base import Instant, Payload
from firmware_bridge.contract.messages import EntryKind, TimeState
from firmware_bridge.contract.trust import Reason, Refused
from firmware_bridge.node.inputs import Boot
from firmware_bridge.node.state import State
from firmware_bridge.node.timekeeping import DRIFT, Pace, Sample, Timekeeper
from firmware_bridge.node.turn import Turn

RTC_ERROR_S = 2.0
"""What a battery-backed clock may be wrong by after a restart, and `DRIFT` of the time since it was last known."""
KEEP_TIME_S = 600.0


class KeptTime(Payload):
    """The evidence of the time, as kept over a restart: the true time was `at` at `mono` of that machine boot."""

    machine_boot: str
    at: Instant
    mono: float
    error_s: float
    signed: bool = False
    gain: float = 0.0
    gain_error: float = DRIFT
    lower_bound: Instant | None = None


def take_answer(turn: Turn, sample: Sample) -> None:
    """One signed answer more. Raises Refused when it lies before what the server has vouched for."""
    if turn.state.time.is_too_early(sample.at):
        turn.refuse(EntryKind.FAULT, "time_backwards", {"what": "time_backwards", "detail": str(sample.at)})
        raise Refused(Reason.CLOCK, f"{sample.at} is earlier than the server has said before")
    turn.set(time=turn.state.time.with_sample(sample))
    turn.reading = turn.state.time.read(turn.moment)


def restore_time(turn: Turn, boot: Boot) -> None:
    """Evidence survives a restart of the program, and one of the machine only where it keeps time meanwhile."""
    time = Timekeeper(shown=boot.journal.sure)
    raw = boot.kept.get("time")
    if raw is not None:
        kept = KeptTime.from_bytes(raw)
        time = replace(time, samples=_samples_left(turn, boot, kept), lower_bound=kept.lower_bound,
                       shown=max(kept.at, time.shown or kept.at), pace=Pace(kept.gain, kept.gain_error))
    turn.set(time=time)
    turn.reading = time.read(turn.moment)


def mind_clock(turn: Turn) -> bool:
    """Write down a change of how sure the time is, and keep its evidence. True when the time has become known."""
    state, reading = turn.state, turn.reading
    changed = (reading.state, reading.contradicted) != (state.time_state, state.time_contradicted)
    if changed:
        _write_change(turn, state)
    if reading.state is TimeState.UNTRUSTED:
        return False
    turn.set(time=turn.state.time.noted(turn.moment))
    if changed or turn.mono - state.time_kept >= KEEP_TIME_S:
        turn.set(time_kept=turn.mono)
        turn.keep("time", _to_keep(turn))
    return state.time_state is TimeState.UNTRUSTED


def _samples_left(turn: Turn, boot: Boot, kept: KeptTime) -> tuple[Sample, ...]:
    if kept.machine_boot == boot.machine_boot and kept.mono <= turn.mono:
        return (Sample(kept.at, kept.mono, kept.error_s, kept.signed),)
    away = turn.moment.wall - kept.at
    if turn.state.who.has_rtc and away >= timedelta(0):
        error_s = RTC_ERROR_S + kept.error_s + away.total_seconds() * DRIFT
        return (Sample(turn.moment.wall, turn.mono, error_s, signed=False),)
    return ()


def _write_change(turn: Turn, before: State) -> None:
    reading = turn.reading
    turn.set(time_state=reading.state, time_contradicted=reading.contradicted)
    turn.write(
        EntryKind.CLOCK, state=str(reading.state), was=str(before.time_state), source=reading.source,
        offset_ms=round(reading.offset_s * 1000, 1), system_clock_wrong=reading.contradicted or None,
        error_ms=None if reading.error_s is None else round(reading.error_s * 1000, 1),
        drift_ppm=_drift_ppm(turn.state.time.pace))


def _to_keep(turn: Turn) -> KeptTime:
    """The best evidence; the time by the system clock where there is nothing else."""
    time, mono = turn.state.time, turn.mono
    best = time.best(mono)
    if best is None:
        best = Sample(turn.now, mono, turn.reading.error_s or 0.0, signed=False)
    return KeptTime(
        machine_boot=turn.state.machine_boot, at=best.time_at(mono, time.pace), mono=mono,
        error_s=best.error_at(mono, time.pace), signed=best.signed, gain=time.pace.gain, gain_error=time.pace.error,
        lower_bound=time.lower_bound)


def _drift_ppm(pace: Pace) -> float | None:
    """How many microseconds a second the crystal is slow; None while unknown."""
    return None if pace.error >= DRIFT else round(pace.gain * 1e6, 1)
