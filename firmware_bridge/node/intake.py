"""What comes from the server: every document is verified, kept, written down, and only then obeyed."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from pydantic import JsonValue

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import strictjson
from firmware_bridge.contract import trust as rules
from firmware_bridge.contract.base import MalformedPayload, Payload
from firmware_bridge.contract.documents import (
    Command,
    CommandKind,
    Document,
    RunningOrder,
    StandingStop,
)
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.contract.topics import ALL, Down, ToGroup, of_group, of_node
from firmware_bridge.contract.trust import Reason, Refused
from firmware_bridge.node import cueing, plan
from firmware_bridge.node.effects import SelfTest, Subscribe, Sync
from firmware_bridge.node.inputs import Message
from firmware_bridge.node.link import heard_from_server, on_receipt, on_time_answer, say_hello_within
from firmware_bridge.node.state import State
from firmware_bridge.node.trusting import on_trust
from firmware_bridge.node.turn import Turn

D = TypeVar("D", bound=Document)

REFUSALS = {Down.ORDER: EntryKind.ORDER_REFUSED, Down.TRUST: EntryKind.TRUST_REFUSED,
            Down.COMMAND: EntryKind.COMMAND_REFUSED}


def subscriptions(state: State) -> tuple[str, ...]:
    """The topics of this node and of the groups it belongs to now."""
    who = state.who
    own = [of_node(who.site, who.node, kind) for kind in Down]
    groups = dict.fromkeys((*(state.order.groups if state.order else who.place_path), ALL))
    return (*own, *(of_group(who.site, one, ToGroup.COMMAND) for one in groups),
            of_group(who.site, ALL, ToGroup.ROLL_CALL))


def on_message(turn: Turn, message: Message) -> None:
    """Take one message from the broker."""
    kind = _kind_of(turn.state, message.topic)
    refusal = REFUSALS.get(kind, EntryKind.FAULT) if isinstance(kind, Down) else EntryKind.FAULT
    if kind is None or kind is Down.BLOCK:
        return
    before = subscriptions(turn.state)
    try:
        if message.retained:
            raise Refused(Reason.RETAINED, message.topic)
        if kind is Down.TIME:
            _on_time(turn, message)
        else:
            _handler(kind)(turn, message.payload)
    except Refused as refused:
        data: dict[str, JsonValue] = {"detail": refused.detail[:200] or None, "topic": message.topic}
        if refusal is EntryKind.FAULT:
            data["what"] = "refused_message"
        else:
            data |= _named(message.payload) | ({"part": "bundle"} if kind is Down.TRUST else {})
        turn.refuse(refusal, refused.reason, data)
    if kind is Down.TRUST and subscriptions(turn.state) != before:
        turn.do(Subscribe(subscriptions(turn.state)))


def on_order(turn: Turn, raw: bytes) -> None:
    """A running order: newer than any before, ours, and from the server. Raises Refused."""
    if not turn.knows_time:
        return
    envelope = decode(raw)
    state = turn.state
    order = _newer_order(turn, envelope)
    heard_from_server(turn)
    turn.set(confirmed=True)
    if order is None:
        return
    before = subscriptions(state)
    turn.set(order=order, seen=(order.epoch, order.version), volume=None, order_alarm=False)
    turn.keep("order", raw)
    turn.keep("seen", f"{order.epoch} {order.version}".encode())
    turn.keep("volume", None)
    turn.write(EntryKind.ORDER_ACCEPTED, epoch=order.epoch, version=order.version, broadcasts=len(order.broadcasts))
    if order.place_path != state.who.place_path:
        turn.write(EntryKind.FAULT, what="place_path", detail="/".join(order.place_path)[:200])
    _join_groups(turn, order)
    _note_revoked(turn, order)
    obey_stop(turn, order.standing_stop)
    plan.plan_order(turn)
    if subscriptions(turn.state) != before:
        turn.do(Subscribe(subscriptions(turn.state)))
    turn.set_link(heartbeat_due=turn.mono)


def on_command(turn: Turn, raw: bytes) -> None:
    """One act, at once: kept and written down before it is done, and done once. Raises Refused."""
    envelope, state = decode(raw), turn.state
    groups = (*state.groups, ALL)
    if not turn.knows_time:
        command = _command_without_clock(envelope, state, groups)
    else:
        command = rules.read_command(envelope, state.trust, state.who.node, groups, turn.safe_now)
    group = command.target.removeprefix("group:")
    if command.target.startswith("group:") and group != ALL and command.issued < state.groups[group]:
        raise Refused(Reason.NOT_MEMBER, f"issued before this node belonged to {group}")
    if not _is_complete(command):
        raise Refused(Reason.MALFORMED, f"a {command.kind} without its part")
    if command.id in state.commands:
        raise Refused(Reason.REPEATED, command.id)
    turn.set(commands=state.commands | {command.id: command.expires})
    turn.keep(f"command/{command.id}", command.expires.isoformat().encode())
    stop = command.standing_stop
    turn.write(
        EntryKind.COMMAND, command.play_now.broadcast if command.play_now else None, id=command.id,
        kind=str(command.kind), target=command.target, result="accepted", volume=command.volume,
        generation=stop.generation if stop else None, active=stop.active if stop else None)
    _act(turn, command)


def obey_stop(turn: Turn, stop: StandingStop) -> None:
    """The higher generation wins, however it arrives."""
    if stop.generation > turn.state.stop.generation:
        turn.set(stop=stop)
        turn.keep("stop", stop)
        turn.set_link(heartbeat_due=turn.mono)


def forget_old_commands(turn: Turn) -> None:
    """A command id may be forgotten when the command has expired for good."""
    old = [one for one, expires in turn.state.commands.items() if expires < turn.now - rules.AHEAD]
    if old and turn.knows_time:
        turn.set(commands={one: at for one, at in turn.state.commands.items() if one not in old})
        for one in old:
            turn.keep(f"command/{one}", None)


def decode(raw: bytes) -> Envelope:
    """The envelope in `raw`. Raises Refused."""
    try:
        return dsse.decode(raw)
    except dsse.MalformedEnvelope as error:
        raise Refused(Reason.MALFORMED, str(error)[:200]) from error


def read_payload(kind: type[D], envelope: Envelope) -> D:
    """The document inside, unverified. Raises Refused."""
    try:
        return kind.from_bytes(envelope.payload)
    except MalformedPayload as error:
        raise Refused(Reason.MALFORMED, str(error)[:200]) from error


def _on_receipt(turn: Turn, raw: bytes) -> None:
    receipt = rules.read_receipt(decode(raw), turn.state.trust, turn.state.who.node)
    on_receipt(turn, receipt)


def _on_time(turn: Turn, message: Message) -> None:
    nonce = turn.state.link.nonce
    if nonce is None:
        raise Refused(Reason.REPEATED, "nothing was asked")
    answer = rules.read_time(decode(message.payload), turn.state.trust, turn.state.who.node, nonce)
    on_time_answer(turn, answer, turn.mono if message.mono is None else message.mono)


def _on_roll_call(turn: Turn, raw: bytes) -> None:
    say_hello_within(turn, rules.read_roll_call(decode(raw), turn.state.trust).window_s)


def _handler(kind: Down | ToGroup) -> Callable[[Turn, bytes], None]:
    handlers: dict[Down | ToGroup, Callable[[Turn, bytes], None]] = {
        Down.ORDER: on_order, Down.TRUST: on_trust, Down.COMMAND: on_command, ToGroup.COMMAND: on_command,
        Down.RECEIPT: _on_receipt, ToGroup.ROLL_CALL: _on_roll_call}
    return handlers[kind]


def _kind_of(state: State, topic: str) -> Down | ToGroup | None:
    who = state.who
    for kind in Down:
        if topic == of_node(who.site, who.node, kind):
            return kind
    if topic == of_group(who.site, ALL, ToGroup.ROLL_CALL):
        return ToGroup.ROLL_CALL
    return Down.COMMAND if topic in subscriptions(state) else None


def _newer_order(turn: Turn, envelope: Envelope) -> RunningOrder | None:
    """The order, or None when it is the one already held."""
    state = turn.state
    try:
        return rules.read_order(envelope, state.trust, state.who.node, state.seen, turn.safe_now)
    except Refused as refused:
        if refused.reason is not Reason.OLDER_VERSION:
            raise
        again = read_payload(RunningOrder, envelope)
        if (again.epoch, again.version) == state.seen:
            return None
        raise


def _command_without_clock(envelope: Envelope, state: State, groups: tuple[str, ...]) -> Command:
    """While the time is unknown only a stop and a sync are obeyed, and a stop only with a higher generation."""
    issued = read_payload(Command, envelope).issued
    command = rules.read_command(envelope, state.trust, state.who.node, groups, issued)
    newer = command.standing_stop is not None and command.standing_stop.generation > state.stop.generation
    if command.kind is CommandKind.SYNC or (command.kind is CommandKind.STOP and newer):
        return command
    raise Refused(Reason.CLOCK, "the node does not know the time")


def _is_complete(command: Command) -> bool:
    parts = {CommandKind.STOP: command.standing_stop, CommandKind.PLAY_NOW: command.play_now,
             CommandKind.VOLUME: command.volume}
    return parts.get(command.kind, True) is not None


def _act(turn: Turn, command: Command) -> None:
    if command.standing_stop is not None and command.kind is CommandKind.STOP:
        obey_stop(turn, command.standing_stop)
    if command.kind is CommandKind.PLAY_NOW and command.play_now is not None:
        plan.accept_play_now(turn, command, command.play_now)
    elif command.kind is CommandKind.VOLUME and command.volume is not None:
        turn.set(volume=command.volume)
        turn.keep("volume", str(command.volume).encode())
    elif command.kind is CommandKind.SELF_TEST:
        turn.do(SelfTest(command.id, cueing.is_free(turn.state, turn.now)))
    elif command.kind is CommandKind.SYNC:
        turn.do(Sync())
        say_hello_within(turn, 0)


def _join_groups(turn: Turn, order: RunningOrder) -> None:
    since = {one: turn.state.groups.get(one, order.issued) for one in order.groups if one != ALL}
    turn.set(groups=since)
    turn.keep("groups", _Groups(since=since))


def _note_revoked(turn: Turn, order: RunningOrder) -> None:
    for sha in order.revoked:
        if sha not in turn.state.revoked:
            turn.set(revoked=turn.state.revoked | {sha: order.issued})
            turn.keep(f"revoked/{sha}", order.issued.isoformat().encode())


class _Groups(Payload):
    since: dict[str, datetime]


def _named(raw: bytes) -> dict[str, JsonValue]:
    """What an unverified document calls itself, for the reader of the journal."""
    try:
        payload = dsse.decode(raw).payload
        value = strictjson.loads(payload, 3 * 1024 * 1024)
    except (dsse.MalformedEnvelope, strictjson.MalformedJson):
        return {}
    if not isinstance(value, dict):
        return {}
    return {key: value[key] for key in ("id", "kind", "epoch", "version")
            if isinstance(value.get(key), str | int) and len(str(value[key])) <= 64}
