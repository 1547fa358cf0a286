"""Cues for the player: decoders opened ahead, sound armed for its instant, every start written before it is heard."""

from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import JsonValue

from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.node import plan
from firmware_bridge.node.air import Begins, OnAir
from firmware_bridge.node.airing import Airing
from firmware_bridge.node.approvals import weigh
from firmware_bridge.node.effects import Cue, Play, Prepare, SetVolume, Silence, SwitchAmplifier
from firmware_bridge.node.gate import NodeGate
from firmware_bridge.node.playing import advance
from firmware_bridge.node.rules import volume_cap
from firmware_bridge.node.state import Fate, FateState, Sounding, State, Take
from firmware_bridge.node.turn import Turn

PREPARE_AHEAD = timedelta(seconds=8)
"""How long before its instant a decoder is opened."""
ARM_AHEAD = timedelta(seconds=2)
"""How long before its instant a cue is decided, journalled and given to the player."""
TEST_CLEAR = timedelta(seconds=60)
"""A self-test plays its tones only when nothing else begins within."""


def cue_ahead(turn: Turn) -> None:
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
        key = (one.cue.broadcast, one.cue.line, one.cue.from_ms, one.at)
        sounds = one.armed and one.at <= turn.now
        if not (one.replaced or sounds or key in known):
            silence(turn, one, turn.mono)


def is_free(state: State, now: datetime) -> bool:
    """Whether tones of a test would disturb nothing: no stop is in force, nothing airs or is about to."""
    air = state.air
    following = air.next_instant() if air else None
    is_soon = following is not None and following - now < TEST_CLEAR
    return not (state.stop.active or state.cues or (air and air.on) or is_soon)


def _key(on: OnAir) -> tuple[str, int, int, object]:
    return on.airing.id, on.line, on.from_ms, on.at


def _sounding(turn: Turn, on: OnAir) -> Sounding | None:
    """The player's cue for what is about to sound; one that does not sound yet is moved to its new instant."""
    recording = on.airing.lines[on.line].recording
    for one in turn.state.cues:
        same = (one.cue.broadcast, one.cue.line, one.cue.from_ms, one.cue.recording)
        if one.replaced or same != (on.airing.id, on.line, on.from_ms, recording):
            continue
        if one.at == on.at:
            return one
        if not one.started and (not one.armed or one.at > turn.now):
            moved = replace(one, at=on.at, aimed=turn.mono_at(on.at) if one.armed else None)
            _swap(turn, one, moved)
            if moved.aimed is not None:
                turn.do(Play(one.cue, moved.aimed))
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
        again = weigh(held, turn.state.trust, turn.state.who.place_path, turn.safe_now,
                      vouched=line.recording in turn.state.vouched)
        turn.set(stored=turn.state.stored | {line.recording: again})
    if NodeGate(turn.state).bar_line(on.airing, line, on.at) is not None:
        silence(turn, found, turn.mono)
        return False
    fate = turn.state.fates.get(on.airing.id) or plan.fate_of(on.airing)
    if fate.state is not FateState.STARTED:
        _start(turn, on, fate)
    aimed = turn.mono_at(on.at)
    if not turn.state.amplifier:
        turn.set(amplifier=True)
        turn.do(SwitchAmplifier(True, aimed))
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


def end_cues(turn: Turn, broadcast: str, at: float, recording: str | None = None) -> None:
    for one in turn.state.cues:
        if one.cue.broadcast == broadcast and not one.replaced and recording in (None, one.cue.recording):
            silence(turn, one, at)


def silence(turn: Turn, one: Sounding, at: float) -> None:
    turn.do(Silence(one.cue.id, at))
    if one.armed:
        _swap(turn, one, replace(one, replaced=True))
    else:
        turn.set(cues=tuple(each for each in turn.state.cues if each.cue.id != one.cue.id))


def _swap(turn: Turn, old: Sounding, new: Sounding) -> None:
    turn.set(cues=tuple(new if one.cue.id == old.cue.id else one for one in turn.state.cues))
