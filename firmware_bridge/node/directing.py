"""From the playing rules to the player: decoders opened ahead, sound armed for its instant, starts written first."""

from dataclasses import replace
from datetime import timedelta

from pydantic import JsonValue

from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.node import plan
from firmware_bridge.node.airing import Airing
from firmware_bridge.node.approvals import weigh
from firmware_bridge.node.effects import Cue, Play, Prepare, SetVolume, Silence, SwitchAmplifier
from firmware_bridge.node.evidence import close_takes
from firmware_bridge.node.gate import NodeGate
from firmware_bridge.node.playing import (
    Air,
    Begins,
    Ended,
    Event,
    Interrupted,
    LineLost,
    Missed,
    OnAir,
    Waiting,
    advance,
    planned,
    shifted,
    stopped,
)
from firmware_bridge.node.rules import volume_cap
from firmware_bridge.node.state import Fate, FateState, Sounding, Take
from firmware_bridge.node.turn import Turn

PREPARE_AHEAD = timedelta(seconds=6)
"""How long before its instant a decoder is opened."""
ARM_AHEAD = timedelta(seconds=1)
"""How long before its instant a cue is decided, journalled and given to the player."""
STEP = timedelta(milliseconds=500)
"""A jump of the clock by more than this is a step: what was due in between does not come all at once."""


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
    obey(turn, advance(turn.state.air or air, turn.now, NodeGate(turn.state)))
    _cue_ahead(turn)
    close_takes(turn)
    plan.close_dropped(turn)
    _mind_amplifier(turn)


def replan(turn: Turn) -> None:
    """A new order holds: who waits is replaced, who is no longer listed ends."""
    if turn.state.air is not None and turn.state.order is not None:
        begun = [one.airing for one in turn.state.air.interrupted]
        begun += [turn.state.air.on.airing] if turn.state.air.on else []
        listed = {one.id for one in turn.state.order.broadcasts}
        stays = [one for one in begun if one.id in listed]
        obey(turn, planned(turn.state.air, [*plan.waiting_airings(turn), *stays], turn.now))


def obey(turn: Turn, outcome: tuple[Air, tuple[Event, ...]]) -> None:
    """Take over what the rules say."""
    air, events = outcome
    turn.set(air=air)
    for event in events:
        _follow(turn, event)


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
    elif turn.now < state.air.now:
        turn.set(air=replace(state.air, now=turn.now))
    turn.set(last_mono=turn.mono)


def _blind(turn: Turn) -> None:
    """The time is not known (any more): silence."""
    if turn.state.air is not None:
        obey(turn, stopped(turn.state.air, turn.now, "clock"))
        for one in turn.state.cues:
            _silence(turn, one, turn.mono)
        turn.set(air=None)
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
        _end_cues(turn, event.on.airing.id, turn.mono_at(event.at))
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
    _end_cues(turn, event.airing.id, turn.mono_at(event.at), event.line.recording)


def _end(turn: Turn, event: Ended) -> None:
    broadcast = event.on.airing.id
    take = turn.state.takes.get(broadcast, Take(event.on.airing))
    reason = event.reason or take.reason
    if reason == "no_room" and any(event.on.heard):
        reason = "preempted" if _was_interrupted(event.on) else reason
    turn.set(takes=turn.state.takes | {broadcast: replace(take, reason=reason, ended=turn.mono)})
    if event.reason is not None:
        _end_cues(turn, broadcast, turn.mono_at(event.at))


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


def _cue_ahead(turn: Turn) -> None:
    """Look a few seconds ahead by the rules; open decoders, and arm what is about to sound."""
    air = turn.state.air
    if air is None:
        return
    _, events = advance(air, turn.now + PREPARE_AHEAD, NodeGate(turn.state))
    coming = [event.on for event in events if isinstance(event, Begins)]
    if air.on is not None:
        coming.insert(0, air.on)
    coming = [on for on in coming if on.at <= turn.now + PREPARE_AHEAD]
    for on in coming:
        found = _sounding(turn, on)
        if found is None:
            found = _prepare(turn, on)
        if not found.armed and on.at - turn.now <= ARM_AHEAD and not _arm(turn, on, found):
            return
    known = {_key(on) for on in coming}
    for one in turn.state.cues:
        if not one.replaced and (one.cue.broadcast, one.cue.line, one.cue.from_ms, one.at) not in known:
            gone = one.armed and air.on is not None and one.at <= turn.now
            if not gone:
                _silence(turn, one, turn.mono)


def _key(on: OnAir) -> tuple[str, int, int, object]:
    return on.airing.id, on.line, on.from_ms, on.at


def _sounding(turn: Turn, on: OnAir) -> Sounding | None:
    """The player's cue for what is about to sound; one that is only prepared is moved to its new instant."""
    recording = on.airing.lines[on.line].recording
    for one in turn.state.cues:
        same = (one.cue.broadcast, one.cue.line, one.cue.from_ms, one.cue.recording)
        if one.replaced or same != (on.airing.id, on.line, on.from_ms, recording):
            continue
        if one.at == on.at:
            return one
        if not one.armed:
            moved = replace(one, at=on.at)
            _swap(turn, one, moved)
            return moved
    return None


def _prepare(turn: Turn, on: OnAir) -> Sounding:
    line = on.airing.lines[on.line]
    cue = Cue(turn.state.next_cue, on.airing.id, on.line, line.recording, on.from_ms, line.duration_ms,
              loudness(turn, on.airing))
    found = Sounding(cue, on.at)
    turn.set(next_cue=cue.id + 1, cues=(*turn.state.cues, found))
    turn.do(Prepare(cue))
    return found


def loudness(turn: Turn, airing: Airing) -> int:
    """Volume in percent: the broadcast's, as far as the node's own setting and the signed cap let it."""
    state = turn.state
    own = state.volume if state.volume is not None else (state.order.volume if state.order else 100)
    return min(volume_cap(state.trust.policies.values()), round(airing.volume * own / 100))


def set_volumes(turn: Turn) -> None:
    """A new volume counts at once, also for what sounds."""
    airings = [one.airing for one in turn.state.air.interrupted] if turn.state.air else []
    if turn.state.air and turn.state.air.on:
        airings.append(turn.state.air.on.airing)
    volumes = {one.id: loudness(turn, one) for one in airings}
    for one in turn.state.cues:
        percent = volumes.get(one.cue.broadcast, one.cue.volume)
        if percent != one.cue.volume:
            turn.do(SetVolume(one.cue.id, percent))


def _arm(turn: Turn, on: OnAir, found: Sounding) -> bool:
    """Verify once more, write the start, then give the cue to the player. False when it may not sound after all."""
    line = on.airing.lines[on.line]
    held = turn.state.stored.get(line.recording)
    if held is not None:
        again = weigh(held, turn.state.trust, turn.state.who.place_path, turn.safe_now)
        turn.set(stored=turn.state.stored | {line.recording: again})
    if NodeGate(turn.state).bar_line(on.airing, line, on.at) is not None:
        _silence(turn, found, turn.mono)
        return False
    fate = turn.state.fates.get(on.airing.id) or plan.fate_of(on.airing)
    if fate.state is not FateState.STARTED:
        _start(turn, on, fate)
    if not turn.state.amplifier:
        turn.set(amplifier=True)
        turn.do(SwitchAmplifier(True))
    aimed = turn.mono_at(on.at)
    _swap(turn, found, replace(found, aimed=aimed))
    turn.do(Play(found.cue, aimed))
    return True


def _start(turn: Turn, on: OnAir, fate: Fate) -> None:
    line, start = on.airing.lines[on.line], on.airing.start
    turn.set_fate(fate.model_copy(update={"state": FateState.STARTED, "planned_ms": on.airing.sound_ms}))
    turn.set(takes=turn.state.takes | {on.airing.id: turn.state.takes.get(on.airing.id, Take(on.airing))})
    at = max(on.at, turn.now)
    data: dict[str, JsonValue] = {
        "start": plan.stamp(start), "at": plan.stamp(at), "item": line.item, "from_ms": on.from_ms,
        "late_ms": max(0, round((at - start).total_seconds() * 1000)), "play_now": on.airing.play_now,
        "class": int(on.airing.air_class)}
    turn.write(EntryKind.PLAY_START, on.airing.id, line.recording, data)


def _end_cues(turn: Turn, broadcast: str, at: float, recording: str | None = None) -> None:
    for one in turn.state.cues:
        if one.cue.broadcast == broadcast and not one.replaced and recording in (None, one.cue.recording):
            _silence(turn, one, at)


def _silence(turn: Turn, one: Sounding, at: float) -> None:
    turn.do(Silence(one.cue.id, at))
    if one.armed:
        _swap(turn, one, replace(one, replaced=True))
    else:
        turn.set(cues=tuple(each for each in turn.state.cues if each.cue.id != one.cue.id))


def _swap(turn: Turn, old: Sounding, new: Sounding) -> None:
    turn.set(cues=tuple(new if one.cue.id == old.cue.id else one for one in turn.state.cues))


def _mind_amplifier(turn: Turn) -> None:
    busy = turn.state.cues or (turn.state.air is not None and turn.state.air.on is not None)
    if turn.state.amplifier and not any(one.armed for one in turn.state.cues) and not busy:
        turn.set(amplifier=False)
        turn.do(SwitchAmplifier(False))


