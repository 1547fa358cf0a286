"""What the pages of nodes show: the list by condition, and everything about one pole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from loudspeaker.bulletins.models import Bulletin, Recording
from loudspeaker.conductor.commands import ALL, MAY_COMMAND, MAY_STOP
from loudspeaker.faults.models import Fault
from loudspeaker.faults.service import board
from loudspeaker.nodes.enrolment import EnrolmentState, newest_token, state_of
from loudspeaker.nodes.models import HeldRecording, LinkBudget, Node, NodeHistory, NodeState
from loudspeaker.nodes.service import history_of, node_with_state
from loudspeaker.orders.models import CommandAnswer, CommandSent, Order, Stop
from loudspeaker.orders.service import covering, stops_by_scope
from loudspeaker.places.models import Place, ZoneNode
from loudspeaker.playbacks.models import JournalEntry
from loudspeaker.playbacks.service import journal
from loudspeaker.users.access import Actor

ENTRIES_SHOWN = 30
COMMANDS_SHOWN = 8
RECORDINGS_SHOWN = 60


class Condition(StrEnum):
    """How a node is, by the gravest that is true of it."""

    RETIRED = "retired"
    NEW = "new"
    """Never heard of."""
    OFFLINE = "offline"
    CLOCK = "clock"
    """Connected, but its time is not trusted: nothing planned airs."""
    BEHIND = "behind"
    """Connected, but it does not hold its newest order."""
    WORKING = "working"


@dataclass(frozen=True)
class NodeLine:
    """A node of the list; `wanted` is (epoch, version) of its newest order, None before its first."""

    node: Node
    state: NodeState
    place: Place
    wanted: tuple[int, int] | None
    condition: Condition


@dataclass(frozen=True)
class NodeTable:
    """A page of nodes, and how many there are in each condition altogether."""

    lines: Sequence[NodeLine]
    counts: dict[Condition, int]

    @property
    def total(self) -> int:
        """Nodes in service, in any condition."""
        return sum(count for condition, count in self.counts.items() if condition != Condition.RETIRED)


@dataclass(frozen=True)
class HeldLine:
    """A recording on a node's disk; the title is None when the server no longer knows it."""

    sha256: str
    stored_at: datetime
    title: str | None
    bulletin_id: str | None
    duration_ms: int | None


@dataclass(frozen=True)
class CommandLine:
    """A command that reached for a node, and its answer, if any."""

    command: CommandSent
    answer: CommandAnswer | None


@dataclass(frozen=True)
class NodePage:
    """Everything about one pole. `own_stop` was pressed for it alone; `stops` are all that hold it silent."""

    line: NodeLine
    order: Order | None
    history: Sequence[NodeHistory]
    held: Sequence[HeldLine]
    held_total: int
    entries: Sequence[JournalEntry]
    titles: dict[str, str]
    """Of recordings that the entries name, by SHA-256."""
    commands: Sequence[CommandLine]
    stops: Sequence[Stop]
    own_stop: Stop | None
    faults: Sequence[Fault]
    enrolment: EnrolmentState
    budget: LinkBudget | None
    """What its own link may be used for, where that differs from its place's."""
    may_manage: bool
    may_stop: bool

    @property
    def link_hours(self) -> str:
        """As people type them: `22:00-04:30, 12:00-13:00`."""
        return ", ".join("-".join(one) for one in self.budget.hours) if self.budget else ""


def nodes_table(session: Session, actor: Actor, place_id: str | None = None, condition: Condition | None = None,
                limit: int = 100, offset: int = 0) -> NodeTable:
    """The nodes this person sees (at `place_id` and below), by place and name; retired ones only when asked for."""
    here = _here(session, actor, place_id)
    if here is None:
        return NodeTable([], {})
    is_in = _condition()
    counted = session.exec(_joined(select(is_in, func.count())).where(here).group_by(is_in)).all()
    wanted = is_in == condition if condition else col(Node.retired_at).is_(None)
    rows = session.exec(_joined(select_columns(Node, NodeState, Place, col(Order.epoch), col(Order.version), is_in))
                        .where(here, wanted).order_by(col(Place.name), col(Node.name), col(Node.id))
                        .limit(limit).offset(offset))
    return NodeTable([_line(*row) for row in rows], {Condition(name): count for name, count in counted})


def node_page(session: Session, actor: Actor, node_id: str, now: datetime, days: int = 7) -> NodePage:
    """Everything about a node. Raises NotFoundError, ForbiddenError."""
    node, state, place = node_with_state(session, actor, node_id)
    order = session.get(Order, node.id)
    is_in = session.exec(_joined(select(_condition())).where(Node.id == node.id)).one()
    entries = journal(session, actor, node.id, ENTRIES_SHOWN)
    named = {one.recording for one in entries if one.recording}
    stops = _stops(session, node, place)
    return NodePage(
        line=NodeLine(node, state, place, (order.epoch, order.version) if order else None, Condition(is_in)),
        order=order, history=history_of(session, node.id, now, days), held=_held(session, node.id),
        held_total=session.exec(select(func.count()).select_from(HeldRecording)
                                .where(HeldRecording.node_id == node.id)).one(),
        entries=entries, titles=titles_of(session, named), commands=_commands(session, node),
        stops=stops, own_stop=next((one for one in stops if one.scope == f"node:{node.id}"), None),
        faults=[fault for fault, _, _ in board(session, actor, node_id=node.id, limit=10)],
        enrolment=state_of(node, newest_token(session, node.id), now),
        budget=session.get(LinkBudget, f"node:{node.id}"),
        may_manage=node.retired_at is None and actor.may(place, MAY_COMMAND),
        may_stop=node.retired_at is None and actor.may(place, MAY_STOP))


def titles_of(session: Session, sounds: set[str]) -> dict[str, str]:
    """The bulletins' titles of sounds, by SHA-256."""
    rows = session.exec(select(Recording.sha256, Bulletin.title)
                        .join(Bulletin, col(Bulletin.id) == col(Recording.bulletin_id))
                        .where(col(Recording.sha256).in_(sounds)))
    return {sha256: title for sha256, title in rows if sha256}


def _here(session: Session, actor: Actor, place_id: str | None) -> ColumnElement[bool] | None:
    here = [col(Place.path).startswith(path) for path in actor.paths()]
    place = session.get(Place, place_id) if place_id else None
    if not here or (place_id and place is None):
        return None
    return and_(or_(*here), col(Place.path).startswith(place.path)) if place else or_(*here)


def _condition() -> Any:
    behind = (col(NodeState.held_epoch) != col(Order.epoch)) | (col(NodeState.held_version) < col(Order.version))
    return case(
        (col(Node.retired_at).is_not(None), Condition.RETIRED.value),
        (col(NodeState.seen_at).is_(None), Condition.NEW.value),
        (~col(NodeState.online), Condition.OFFLINE.value),
        (col(NodeState.time_state) == "untrusted", Condition.CLOCK.value),
        (behind, Condition.BEHIND.value),
        else_=Condition.WORKING.value).label("condition")


def _joined(query: Any) -> Any:
    return (query.select_from(Node).join(NodeState, col(NodeState.node_id) == col(Node.id))
            .join(Place, col(Place.id) == col(Node.place_id)).outerjoin(Order, col(Order.node_id) == col(Node.id)))


def _line(node: Node, state: NodeState, place: Place, epoch: int | None, version: int | None,
          condition: str) -> NodeLine:
    wanted = (epoch, version) if epoch is not None and version is not None else None
    return NodeLine(node, state, place, wanted, Condition(condition))


def _held(session: Session, node_id: str) -> list[HeldLine]:
    rows = session.exec(
        select(HeldRecording, Recording, Bulletin)
        .outerjoin(Recording, col(Recording.sha256) == col(HeldRecording.sha256))
        .outerjoin(Bulletin, col(Bulletin.id) == col(Recording.bulletin_id))
        .where(HeldRecording.node_id == node_id)
        .order_by(col(HeldRecording.stored_at).desc(), col(HeldRecording.sha256)).limit(RECORDINGS_SHOWN)).all()
    found: dict[str, HeldLine] = {}
    for held, recording, bulletin in rows:
        found.setdefault(held.sha256, HeldLine(
            held.sha256, held.stored_at, bulletin.title if bulletin else None, bulletin.id if bulletin else None,
            recording.duration_ms if recording else None))
    return list(found.values())


def _commands(session: Session, node: Node) -> list[CommandLine]:
    answered = and_(col(CommandAnswer.command_id) == col(CommandSent.id), col(CommandAnswer.node_id) == node.id)
    rows = session.exec(select(CommandSent, CommandAnswer).outerjoin(CommandAnswer, answered)
                        .where(or_(col(CommandSent.target) == f"node:{node.id}", col(CommandAnswer.node_id) == node.id))
                        .order_by(col(CommandSent.issued).desc(), col(CommandSent.id)).limit(COMMANDS_SHOWN))
    return [CommandLine(command, answer) for command, answer in rows]


def _stops(session: Session, node: Node, place: Place) -> list[Stop]:
    zones = session.exec(select(ZoneNode.zone_id).where(ZoneNode.node_id == node.id))
    scopes = [ALL, *(f"place:{one}" for one in place.path_ids), *(f"zone:{one}" for one in zones), f"node:{node.id}"]
    return [one for one in covering(stops_by_scope(session), scopes) if one.active]
