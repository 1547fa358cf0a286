"""Following the playing rules: what they say happens becomes journal entries, cues and ends of broadcasts."""

from dataclasses import replace
from datetime import timedelta

from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.node import plan
from firmware_bridge.node.air import Air, Begins, Ended, Event, Interrupted, LineLost, Missed, OnAir, Waiting
from firmware_bridge.node.airing import Airing
from firmware_bridge.node.cueing import cue_ahead, end_cues, silence
from firmware_bridge.node.effects import SwitchAmplifier
from firmware_bridge.node.evidence import await_sound, close_takes
from firmware_bridge.node.gate import NodeGate
from firmware_bridge.node.playing import advance, planned, shifted, skipped, stopped
from firmware_bridge.node.state import FateState, Take
from firmware_bridge.node.turn import Turn

STEP = timedelta(milliseconds=500)
"""A jump of the clock by more than this is a step: what was due in between does not come all at once."""
ASLEEP = timedelta(seconds=3)


def direct(turn: Turn) -> None:
    """Play by the rules up to now, and get ready for what comes."""
    if not turn.knows_time:
        _blind(turn)
        return
    _keep_sight(turn)
    air = turn.state.air
    if air is None:
        return
    plan.admit_play_nows(turn)
    if turn.state.stop.active:
        obey(turn, stopped(turn.state.air or air, turn.now, "stopped"))
    if await_sound(turn):
        obey(turn, skipped(turn.state.air or air, turn.now, NodeGate(turn.state), "player"))
    obey(turn, advance(turn.state.air or air, turn.now, NodeGate(turn.state)))
    cue_ahead(turn)
    _end_lost(turn)
    close_takes(turn)
    plan.close_dropped(turn)
    _mind_amplifier(turn)


def replan(turn: Turn) -> None:
    """A new order holds: who waits is replaced, who is no longer listed ends."""
    air, order = turn.state.air, turn.state.order
    if air is not None and order is not None:
        begun = [one.airing for one in air.interrupted]
        begun += [air.on.airing] if air.on else []
        listed = {one.id for one in order.broadcasts}
        stays = [one for one in begun if one.id in listed]
        obey(turn, planned(air, [*plan.waiting_airings(turn), *_armed(turn, air), *stays], turn.now))


def obey(turn: Turn, outcome: tuple[Air, tuple[Event, ...]]) -> None:
    """Take over what the rules say."""
    air, events = outcome
    turn.set(air=air)
    for event in events:
        _follow(turn, event)


def _armed(turn: Turn, air: Air) -> list[Airing]:
    """As the order has them now: broadcasts whose start is written, a moment ahead, but that do not sound yet."""
    ahead = {one.airing.id for one in air.waiting if one.airing.id in turn.state.takes and not one.airing.play_now}
    return [one for one in plan.listed_airings(turn) if one.id in ahead]


def _end_lost(turn: Turn) -> None:
    """What was to sound and has no place on air any more ends: nothing that has a start stays without its end."""
    air = turn.state.air
    here: set[str] = set()
    if air is not None:
        here |= {one.airing.id for one in air.waiting} | {one.airing.id for one in air.interrupted}
        here |= {air.on.airing.id} if air.on else set()
    for broadcast, take in turn.state.takes.items():
        if take.ended is None and broadcast not in here:
            reason = take.reason or ("cancelled" if turn.knows_time else "clock")
            turn.set(takes=turn.state.takes | {broadcast: replace(take, reason=reason, ended=turn.mono)})
            end_cues(turn, broadcast, turn.mono)


def _keep_sight(turn: Turn) -> None:
    """Begin to reckon once the time is known, and do not rush through what a jump of the clock passed over."""
    state = turn.state
    if state.air is None:
        power_on = state.power_on or turn.now - timedelta(seconds=turn.mono - state.boot_mono)
        waiting = tuple(Waiting(one) for one in plan.waiting_airings(turn))
        turn.set(power_on=power_on, sighted=turn.now, last_mono=turn.mono, air=Air(turn.now, waiting))
        return
    step = turn.now - state.air.now - timedelta(seconds=turn.mono - state.last_mono)
    if abs(step) > STEP:
        turn.set(air=replace(shifted(state.air, step), now=turn.now), sighted=turn.now,
                 cues=tuple(replace(one, at=one.at + step) for one in state.cues))
    elif turn.now < state.air.now or _has_slept(turn, state.air):
        turn.set(air=replace(state.air, now=turn.now))
    turn.set(last_mono=turn.mono)


def _has_slept(turn: Turn, air: Air) -> bool:
    """The program did not run when something was due: what it slept over was not heard and is not reckoned so."""
    due = air.next_instant()
    return due is not None and turn.now - due > ASLEEP


def _blind(turn: Turn) -> None:
    """The time is not known (any more): silence."""
    if turn.state.air is not None:
        obey(turn, stopped(turn.state.air, turn.now, "clock"))
        for one in turn.state.cues:
            silence(turn, one, turn.mono)
        turn.set(air=None)
    _end_lost(turn)
    close_takes(turn)
    _mind_amplifier(turn)


def _follow(turn: Turn, event: Event) -> None:
    if isinstance(event, Begins):
        if event.resumed:
            line = event.on.airing.lines[event.on.line]
            turn.write(EntryKind.RESUMED, event.on.airing.id, line.recording, at=plan.stamp(event.on.at),
                       item=line.item, from_ms=event.on.from_ms)
    elif isinstance(event, Interrupted):
        line = event.on.airing.lines[event.on.line]
        turn.write(EntryKind.PREEMPTED, event.on.airing.id, line.recording, by=event.by, at=plan.stamp(event.at),
                   item=line.item)
        end_cues(turn, event.on.airing.id, turn.mono_at(event.at))
    elif isinstance(event, LineLost):
        _note_loss(turn, event)
    elif isinstance(event, Ended):
        _end(turn, event)
    else:
        _miss(turn, event)


def _note_loss(turn: Turn, event: LineLost) -> None:
    held = turn.state.stored.get(event.line.recording)
    turn.write(EntryKind.RECORDING_REFUSED, event.airing.id, event.line.recording, reason=str(event.reason),
               when="played", detail=(held.detail or None) if held else None)
    take = turn.state.takes.get(event.airing.id)
    if take is None:
        take = Take(event.airing)
    turn.set(takes=turn.state.takes | {event.airing.id: replace(take, reason=str(event.reason))})
    end_cues(turn, event.airing.id, turn.mono_at(event.at), event.line.recording)


def _end(turn: Turn, event: Ended) -> None:
    broadcast = event.on.airing.id
    take = turn.state.takes.get(broadcast, Take(event.on.airing))
    reason = event.reason or take.reason
    if reason == "no_room" and any(event.on.heard):
        reason = "preempted" if _was_interrupted(event.on) else reason
    turn.set(takes=turn.state.takes | {broadcast: replace(take, reason=reason, ended=turn.mono)})
    if event.reason is not None:
        end_cues(turn, broadcast, turn.mono_at(event.at))


def _was_interrupted(on: OnAir) -> bool:
    lengths = [line.duration_ms for line in on.airing.lines]
    return any(span.to_ms < lengths[span.line] for span in on.heard)


def _miss(turn: Turn, event: Missed) -> None:
    fate = turn.state.fates.get(event.airing.id)
    if fate is None or fate.state in (FateState.DONE, FateState.CANCELLED):
        return
    sighted, power_on = turn.state.sighted, turn.state.power_on
    reason = str(event.reason)
    if power_on is not None and event.airing.closes < power_on:
        reason = "power"
    elif reason == "late" and sighted is not None and event.airing.closes < sighted:
        reason = "clock"
    turn.write(EntryKind.PLAY_MISSED, event.airing.id, reason=reason, start=plan.stamp(event.airing.start))
    turn.set_fate(fate.model_copy(update={"state": FateState.DONE}))
    turn.set(takes={one: kept for one, kept in turn.state.takes.items() if one != event.airing.id})


def _mind_amplifier(turn: Turn) -> None:
    busy = turn.state.cues or (turn.state.air is not None and turn.state.air.on is not None)
    if turn.state.amplifier and not any(one.armed for one in turn.state.cues) and not busy:
        turn.set(amplifier=False)
        turn.do(SwitchAmplifier(False, turn.mono))


