"""What the player reports, gathered into one truthful end for every broadcast."""

import math
from dataclasses import replace
from datetime import timedelta

from pydantic import JsonValue

from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.node import plan
from firmware_bridge.node.air import Air
from firmware_bridge.node.airing import Span, heard_ms, state_of
from firmware_bridge.node.inputs import CueEnded, CueStarted
from firmware_bridge.node.playing import shifted
from firmware_bridge.node.state import FateState, Segment, Sounding, Take
from firmware_bridge.node.turn import Turn

EVIDENCE_WITHIN_S = 3.0
"""How long the end of a broadcast waits for the player's last word."""
LATE = timedelta(milliseconds=20)
"""Sound that comes later than this shifts what follows it."""
OVERDUE = timedelta(milliseconds=150)
"""Without word from the player for so long, the sound is taken to be late."""
WORTH_TELLING_MS = 5
GIVE_UP_S = 8.0


def on_started(turn: Turn, told: CueStarted) -> None:
    """The first sample went out."""
    found = _find(turn, told.cue)
    if found is None or found.aimed is None:
        return
    started = replace(found, started=True)
    turn.set(cues=tuple(started if one is found else one for one in turn.state.cues))
    take = turn.state.takes.get(found.cue.broadcast)
    if take is not None and take.start_error_ms is None:
        error_ms = round((told.mono - found.aimed) * 1000, 2)
        turn.set(takes=turn.state.takes | {found.cue.broadcast: replace(take, start_error_ms=error_ms)})
    late = turn.time_at(told.mono) - found.at
    if abs(late) > LATE and not found.replaced:
        _shift(turn, started, late)


def await_sound(turn: Turn) -> bool:
    """While the current cue has not begun although it should have, all that follows is put off. True to give it up."""
    air = turn.state.air
    found = next((one for one in turn.state.cues if air is not None and _is_current(air, one)), None)
    if found is None or found.aimed is None or found.started or found.replaced:
        return False
    late = turn.now - found.at
    if late > OVERDUE:
        _shift(turn, found, late)
    return turn.mono - found.aimed > GIVE_UP_S


def _shift(turn: Turn, found: Sounding, by: timedelta) -> None:
    air = turn.state.air
    if air is not None and _is_current(air, found):
        turn.set(air=replace(shifted(replace(air, interrupted=()), by), interrupted=air.interrupted))
        turn.set(cues=tuple(replace(one, at=one.at + by) if one is found else one for one in turn.state.cues))


def _is_current(air: Air, found: Sounding) -> bool:
    on = air.on
    return on is not None and (on.airing.id, on.line, on.at) == (found.cue.broadcast, found.cue.line, found.at)


def on_ended(turn: Turn, ended: CueEnded) -> bool:
    """A cue is over. True when it broke off although it was to go on."""
    found = _find(turn, ended.cue)
    if found is None:
        return False
    turn.set(cues=tuple(one for one in turn.state.cues if one is not found))
    take = turn.state.takes.get(found.cue.broadcast)
    if take is not None:
        turn.set(takes=turn.state.takes | {found.cue.broadcast: _with_evidence(turn, take, found, ended)})
    if ended.error:
        turn.refuse(EntryKind.FAULT, "player", {"what": "player", "detail": ended.error[:200]})
    air = turn.state.air
    if air is None or found.replaced or not _is_current(air, found):
        return False
    if ended.whole and air.on is not None and air.on.ends > turn.now:
        _shift(turn, found, turn.now - air.on.ends)  # it has sounded to its end, whatever the clock says meanwhile
    return not ended.whole


def close_takes(turn: Turn) -> None:
    """Write the end of every broadcast that has given up the node and whose evidence is complete."""
    for broadcast, take in list(turn.state.takes.items()):
        if take.ended is None:
            continue
        pending = [one for one in turn.state.cues if one.cue.broadcast == broadcast]
        if pending and turn.mono - take.ended < EVIDENCE_WITHIN_S:
            continue
        if pending:
            take = replace(take, unheard=True)
            turn.set(cues=tuple(one for one in turn.state.cues if one not in pending))
        _write_end(turn, broadcast, take)


def next_deadline(takes: dict[str, Take]) -> float | None:
    """When the next end will no longer wait for evidence, on the monotonic clock."""
    return min((take.ended + EVIDENCE_WITHIN_S for take in takes.values() if take.ended is not None), default=None)


def _find(turn: Turn, cue: int) -> Sounding | None:
    return next((one for one in turn.state.cues if one.cue.id == cue), None)


def _with_evidence(turn: Turn, take: Take, found: Sounding, ended: CueEnded) -> Take:
    if ended.started is None or ended.heard_ms <= 0:
        return take
    line = take.airing.lines[found.cue.line]
    segment = Segment(line.item, line.recording, turn.time_at(ended.started), found.cue.from_ms,
                      min(found.cue.from_ms + ended.heard_ms, line.duration_ms), found.cue.line,
                      round((ended.started - (found.aimed or ended.started)) * 1000))
    return replace(take, segments=(*take.segments, segment), peak=max(take.peak, ended.peak),
                   energy=take.energy + ended.rms**2 * ended.heard_ms)


def _write_end(turn: Turn, broadcast: str, take: Take) -> None:
    turn.set(takes={one: kept for one, kept in turn.state.takes.items() if one != broadcast})
    fate = turn.state.fates.get(broadcast)
    if fate is None or fate.state in (FateState.DONE, FateState.CANCELLED):
        return
    heard = heard_ms(Span(one.line, one.at, one.from_ms, one.to_ms) for one in take.segments)
    state = "unknown" if take.unheard else state_of(heard, take.airing.sound_ms)
    reason = _reason(take, state)
    if state == "missed":
        turn.write(EntryKind.PLAY_MISSED, broadcast, reason=reason, start=plan.stamp(take.airing.start))
    else:
        sounded = sum(one.to_ms - one.from_ms for one in take.segments)
        rms = math.sqrt(take.energy / sounded) if sounded else 0.0
        turn.write(
            EntryKind.PLAY_END, broadcast, state=state, start=plan.stamp(take.airing.start),
            planned_ms=take.airing.sound_ms, heard_ms=heard, segments=[_listed(one) for one in take.segments],
            start_error_ms=take.start_error_ms, peak_dbfs=decibels(take.peak), rms_dbfs=decibels(rms), reason=reason)
    turn.set_fate(fate.model_copy(update={"state": FateState.DONE}))


def _reason(take: Take, state: str) -> str | None:
    if state == "played":
        return None
    if state == "unknown":
        return "no_evidence"
    if take.reason is not None:
        return take.reason
    first = take.segments[0] if take.segments else None
    return "late" if first is not None and (first.line > 0 or first.from_ms > 0) else "player"


def _listed(one: Segment) -> JsonValue:
    told: dict[str, JsonValue] = {"item": one.item, "recording": one.recording, "at": plan.stamp(one.at),
                                  "from_ms": one.from_ms, "to_ms": one.to_ms}
    return told | ({"late_ms": one.late_ms} if one.late_ms > WORTH_TELLING_MS else {})


def decibels(level: float) -> float | None:
    """Level of full scale 1.0 in dBFS; None for digital silence."""
    return round(20 * math.log10(level), 1) if level > 0 else None


