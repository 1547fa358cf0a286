"""The agent of one pole: (state, input, moment) → (state, effects). No IO; the clocks are part of the moment.

The real node, the simulator and the tests run this same function.
"""

from datetime import datetime

from pydantic import JsonValue

from firmware_bridge.contract.messages import EntryKind, Telemetry
from firmware_bridge.contract.trust import Trust
from firmware_bridge.node import cueing, directing, evidence, intake, link, plan, software
from firmware_bridge.node.approvals import weigh
from firmware_bridge.node.boot import on_boot
from firmware_bridge.node.effects import Effect
from firmware_bridge.node.gate import NodeGate, listens_until
from firmware_bridge.node.inputs import (
    Arrived,
    Boot,
    Connected,
    CueEnded,
    CueStarted,
    Disconnected,
    Evicted,
    Input,
    Measured,
    Message,
    SelfTested,
    SoftwareInput,
    Spoiled,
    Tick,
    Trouble,
)
from firmware_bridge.node.playing import skipped
from firmware_bridge.node.state import Approval, Identity, State
from firmware_bridge.node.timekeeping import Moment
from firmware_bridge.node.timing import mind_clock
from firmware_bridge.node.trusting import note_vouched, weigh_all
from firmware_bridge.node.turn import Turn


def begin(who: Identity, trust: Trust) -> State:
    """The state before the first `Boot`: who the node is, and the trust root it was pinned to."""
    return State(who, trust)


def step(state: State, happened: Input, moment: Moment) -> tuple[State, tuple[Effect, ...]]:
    """One step: what happened, at a moment, makes a new state and wants effects, in order."""
    turn = Turn(state, moment)
    if isinstance(happened, CueStarted | CueEnded):
        directing.direct(turn)
    _take(turn, happened)
    _mind_clock(turn)
    directing.direct(turn)
    intake.forget_old_commands(turn)
    _mind_expiry(turn)
    plan.fetch_wanted(turn)
    software.mind_software(turn)
    link.note_change(turn, state)
    link.speak(turn)
    return turn.state, tuple(turn.effects)


def wake_in(state: State, moment: Moment, longest: float = 1.0) -> float:
    """Seconds until the agent has something to do by itself, at most `longest`: a real clock is looked at often."""
    now = state.time.read(moment).now
    dues: list[float] = [longest]
    if (said := link.next_due(state)) is not None:
        dues.append(said - moment.mono)
    if (closes := evidence.next_deadline(state.takes)) is not None:
        dues.append(closes - moment.mono)
    if (until := listens_until(state)) is not None and until > now:
        dues.append((until - now).total_seconds())
    if state.air is not None:
        for instant in _instants(state):
            dues.append((instant - now).total_seconds())
    return max(0.0, min(dues))


def _instants(state: State) -> list[datetime]:
    """When the rules change something, and when a cue must be armed."""
    air = state.air
    instants = [one.at - cueing.ARM_AHEAD for one in state.cues if not one.armed]
    following = air.next_instant() if air else None
    if air is not None and following is not None:
        instants += [one for one in (following, following - cueing.ARM_AHEAD, following - cueing.PREPARE_AHEAD)
                     if one > air.now]
    return instants


def _take(turn: Turn, happened: Input) -> None:
    if isinstance(happened, Message):
        _on_message(turn, happened)
    elif isinstance(happened, CueStarted):
        evidence.on_started(turn, happened)
    elif isinstance(happened, CueEnded):
        if evidence.on_ended(turn, happened) and turn.state.air is not None:
            directing.obey(turn, skipped(turn.state.air, turn.now, NodeGate(turn.state), "player"))
    elif isinstance(happened, Arrived):
        _on_arrived(turn, happened)
    elif isinstance(happened, Connected):
        link.on_connected(turn)
    elif isinstance(happened, Disconnected):
        link.on_disconnected(turn)
    elif isinstance(happened, Boot):
        on_boot(turn, happened)
    elif not isinstance(happened, Tick):
        _take_report(turn, happened)


def _take_report(turn: Turn, happened: Spoiled | Evicted | SelfTested | SoftwareInput | Measured | Trouble) -> None:
    if isinstance(happened, Spoiled):
        turn.refuse(EntryKind.RECORDING_REFUSED, "altered", {"when": "stored", "detail": happened.detail[:200]},
                    happened.sha256)
        plan.remove(turn, happened.sha256, "altered")
    elif isinstance(happened, Evicted):
        plan.remove(turn, happened.sha256, "no_space")
    elif isinstance(happened, SelfTested):
        passed = all(happened.checks.values())
        turn.write(EntryKind.COMMAND, id=happened.command, kind="self_test", result="passed" if passed else "failed",
                   checks=dict(happened.checks), sound=None if happened.sound is None else dict(happened.sound))
    elif isinstance(happened, Measured):
        turn.set(measured=Telemetry.model_validate(dict(happened.values)))
    elif isinstance(happened, SoftwareInput):
        software.on_software(turn, happened)
    else:
        turn.refuse(EntryKind.FAULT, happened.what, {"what": happened.what, "detail": happened.detail[:300]})


def _on_message(turn: Turn, message: Message) -> None:
    before = (turn.state.order, turn.state.trust, turn.state.stop)
    volume = turn.state.volume
    intake.on_message(turn, message)
    if turn.state.volume != volume:
        cueing.set_volumes(turn)
    if turn.state.order is not before[0]:
        directing.replan(turn)
    if (turn.state.order, turn.state.trust, turn.state.stop) != before and turn.state.air is not None:
        _check_current(turn)


def _check_current(turn: Turn) -> None:
    """What sounds now must be allowed by what is held now."""
    air = turn.state.air
    if air is None or air.on is None:
        return
    bar = NodeGate(turn.state).bar_line(air.on.airing, air.on.airing.lines[air.on.line], turn.now)
    if bar is not None:
        directing.obey(turn, skipped(air, turn.now, NodeGate(turn.state), bar.reason))


def _on_arrived(turn: Turn, arrived: Arrived) -> None:
    """A recording is here: it counts only when approved."""
    found, state = arrived.recording, turn.state
    held = weigh(Approval(found.sha256, found.bytes, found.statements), state.trust, state.who.place_path,
                 turn.safe_now, vouched=found.sha256 in state.vouched)
    known = state.stored.get(found.sha256)
    turn.set(stored=state.stored | {found.sha256: held})
    if held.refusal is not None:
        turn.refuse(EntryKind.RECORDING_REFUSED, held.refusal, {"when": "stored", "detail": held.detail[:200] or None},
                    found.sha256)
    elif known is None or not known.approved:
        data: dict[str, JsonValue] = {"bytes": found.bytes, "class": int(max(one.air_class for one in held.approved))}
        data |= {"over": arrived.over} if arrived.over else {}
        turn.write(EntryKind.RECORDING_STORED, None, found.sha256, data)
    note_vouched(turn)


def _mind_clock(turn: Turn) -> None:
    """What was set aside while the time was unknown is looked at once it is known."""
    if turn.state.boot and mind_clock(turn):
        weigh_all(turn)
        link.say_hello_within(turn, 0)


def _mind_expiry(turn: Turn) -> None:
    """An order past its expiry still airs what it lists, but people must know."""
    order = turn.state.order
    if order is not None and turn.knows_time and turn.now >= order.expires and not turn.state.order_alarm:
        turn.set(order_alarm=True)
        turn.write(EntryKind.FAULT, what="order_expired", detail=f"{order.epoch}.{order.version}")
    listed = turn.state.trust.approvers
    if listed is not None and turn.knows_time and turn.now >= listed.expires and not turn.state.trust_alarm:
        turn.set(trust_alarm=True)
        turn.write(EntryKind.FAULT, what="approvers_expired", detail=str(listed.version))
