"""Signed commands to a node or a group, and the standing stop: stored and audited first, sent after the commit."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func
from sqlmodel import Session, col, select

from firmware_bridge.bridge.server import Bridge
from firmware_bridge.contract import envelope
from firmware_bridge.contract.documents import Command, CommandKind, StandingStop
from firmware_bridge.wire import WireError
from loudspeaker.audit.service import record
from loudspeaker.conductor.house import House
from loudspeaker.database import after_commit, new_id
from loudspeaker.errors import InvalidError, NotFoundError
from loudspeaker.nodes.models import Node
from loudspeaker.orders.content import generation_at
from loudspeaker.orders.models import CommandAnswer, CommandSent, Stop
from loudspeaker.places.models import Place, Zone
from loudspeaker.programmes.models import TargetKind
from loudspeaker.programmes.poles import Pole, Target, load_poles
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role

LASTS = timedelta(minutes=10)
ALL = "all"
MAY_STOP = (Role.EDITOR, Role.APPROVER, Role.TECHNICIAN, Role.ADMINISTRATOR)
MAY_COMMAND = (Role.TECHNICIAN, Role.ADMINISTRATOR)
log = structlog.get_logger("commands")


@dataclass(frozen=True)
class Reach:
    """Where a command or a stop goes: `target` on the wire, the nodes there, and the places that roles are held at."""

    scope: str
    target: str
    poles: tuple[Pole, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Answers:
    """A command and what came back: result by node, and the nodes that have not answered."""

    command: CommandSent
    results: dict[str, CommandAnswer]
    waiting: tuple[str, ...]


def reach_of(session: Session, scope: str) -> Reach:
    """Read a scope: `all`, `place:<id>`, `zone:<id>` or `node:<id>`. Raises NotFoundError, InvalidError."""
    poles = load_poles(session)
    if scope == ALL:
        tops = session.exec(select(Place).where(col(Place.parent_id).is_(None))).all()
        return Reach(ALL, f"group:{ALL}", tuple(poles), tuple(tops))
    kind, _, id_ = scope.partition(":")
    if kind not in tuple(TargetKind):
        raise InvalidError("Choose where: everywhere, a place, a group or a loudspeaker.", field="scope")
    place_id = _place_of(session, TargetKind(kind), id_)
    place = session.get(Place, place_id) if place_id else None
    if place is None:
        raise NotFoundError
    target = f"node:{id_}" if kind == TargetKind.NODE else f"group:{id_}"
    return Reach(scope, target, tuple(poles.aimed_at([Target(TargetKind(kind), id_)])), (place,))


def stop(session: Session, actor: Actor, now: datetime, house: House, scope: str, active: bool) -> Stop:
    """Press or lift a standing stop. Lifting a wide one lifts the narrower ones below it as well.

    Pressed, it goes out as one group command and stands in every order from now on; lifted, by the orders alone.
    """
    reach = reach_of(session, scope)
    must(actor, reach, MAY_STOP)
    highest = session.exec(select(func.max(col(Stop.generation)))).one() or 0
    generation = generation_at(now, highest)
    for one in {scope, *(() if active else _below(session, reach))}:
        session.merge(Stop(scope=one, generation=generation, active=active, by=actor.user.id, at=now))
    session.flush()
    record(session, now, actor.user.id, "stop.pressed" if active else "stop.lifted", f"stop:{scope}",
           reach.places[0].id if reach.places else None, generation=generation)
    if active:
        send(session, actor, now, house, reach, CommandKind.STOP,
             standing_stop=StandingStop(generation=generation, active=True))
    after_commit(session, house.outdated)
    after_commit(session, lambda: house.hub.announce("stop", "nodes"))
    return session.get_one(Stop, scope)


def set_volume(session: Session, actor: Actor, now: datetime, house: House, scope: str, volume: int) -> CommandSent:
    """Set the volume (0–100) of nodes, now and in their orders."""
    if not 0 <= volume <= 100:
        raise InvalidError("The volume is between 0 and 100.", field="volume")
    reach = reach_of(session, scope)
    must(actor, reach, MAY_COMMAND)
    for node in session.exec(select(Node).where(col(Node.id).in_([pole.id for pole in reach.poles]))):
        node.volume = volume
        session.add(node)
    after_commit(session, house.outdated)
    return send(session, actor, now, house, reach, CommandKind.VOLUME, volume=volume)


def ask(session: Session, actor: Actor, now: datetime, house: House, scope: str, kind: CommandKind) -> CommandSent:
    """Ask nodes for a self-test or to synchronise."""
    if kind not in (CommandKind.SELF_TEST, CommandKind.SYNC):
        raise InvalidError("This command cannot be sent from here.", field="kind")
    reach = reach_of(session, scope)
    must(actor, reach, MAY_COMMAND)
    return send(session, actor, now, house, reach, kind)


def send(session: Session, actor: Actor, now: datetime, house: House, reach: Reach, kind: CommandKind,
         lasts: timedelta = LASTS, **parts: Any) -> CommandSent:
    """Sign, store and audit a command; it goes out after the commit and is repeated to nodes that do not answer."""
    command = Command(site=house.site, target=reach.target, id=new_id(), issued=now, expires=now + lasts, kind=kind,
                      **parts)
    signed = command.sign(house.keys.server)
    row = CommandSent(id=command.id, target=reach.target, kind=kind, envelope=envelope.encode(signed), issued=now,
                      expires=command.expires, by=actor.user.id)
    session.add(row)
    session.flush()
    record(session, now, actor.user.id, f"command.{kind}", f"command:{command.id}",
           reach.places[0].id if reach.places else None, target=reach.target)
    nodes = [pole.id for pole in reach.poles]
    after_commit(session, lambda: _publish(house.bridge, command, signed, nodes))
    return row


def must(actor: Actor, reach: Reach, roles: Iterable[Role]) -> None:
    """Raises ForbiddenError unless one of `roles` holds wherever `reach` goes."""
    for place in reach.places:
        actor.must(place, *roles)


def answers(session: Session, actor: Actor, command_id: str) -> Answers:
    """What nodes did with a command. Raises NotFoundError, ForbiddenError."""
    row = session.get(CommandSent, command_id)
    if row is None:
        raise NotFoundError
    reach = reach_of(session, scope_of(session, row.target))
    for place in reach.places:
        actor.must_see(place)
    results = {one.node_id: one for one in session.exec(
        select(CommandAnswer).where(CommandAnswer.command_id == command_id))}
    return Answers(row, results, tuple(pole.id for pole in reach.poles if pole.id not in results))


def resend_open(session: Session, bridge: Bridge, now: datetime) -> None:
    """After a start: commands that have not expired are repeated to the nodes that have not answered."""
    for row in session.exec(select(CommandSent).where(col(CommandSent.expires) > now)):
        signed = envelope.decode(row.envelope)
        answered = set(session.exec(select(CommandAnswer.node_id).where(CommandAnswer.command_id == row.id)))
        try:
            poles = reach_of(session, scope_of(session, row.target)).poles
        except NotFoundError:
            continue
        waiting = [pole.id for pole in poles if pole.id not in answered]
        _publish(bridge, Command.from_bytes(signed.payload), signed, waiting)


def scope_of(session: Session, target: str) -> str:
    """The scope of a command's target on the wire."""
    kind, _, id_ = target.partition(":")
    if kind == "node":
        return target
    if id_ == ALL:
        return ALL
    return f"place:{id_}" if session.get(Place, id_) else f"zone:{id_}"


def _publish(bridge: Bridge | None, command: Command, signed: envelope.Envelope, nodes: Sequence[str]) -> None:
    if bridge is None:
        return
    try:
        bridge.publish_command(command, signed, nodes)
    except WireError as gone:
        log.warning("command waits for the broker", command=command.id, reason=str(gone))


def _place_of(session: Session, kind: TargetKind, id_: str) -> str | None:
    found: dict[TargetKind, Callable[[], str | None]] = {
        TargetKind.PLACE: lambda: id_,
        TargetKind.ZONE: lambda: zone.place_id if (zone := session.get(Zone, id_)) else None,
        TargetKind.NODE: lambda: node.place_id if (node := session.get(Node, id_)) and not node.retired_at else None}
    return found[kind]()


def _below(session: Session, reach: Reach) -> set[str]:
    """Active stops whose nodes all lie within `reach`."""
    inside = {pole.id for pole in reach.poles}
    active = session.exec(select(Stop.scope).where(col(Stop.active))).all()
    below = set()
    for scope in active:
        try:
            covered = {pole.id for pole in reach_of(session, scope).poles}
        except NotFoundError:
            continue
        if reach.scope == ALL or (covered and covered <= inside and scope != ALL):
            below.add(scope)
    return below
