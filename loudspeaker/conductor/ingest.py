"""What nodes say, into the database: one batch, one transaction, a few statements however many messages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, tuple_
from sqlmodel import Session, col

from firmware_bridge.bridge.decode import Journal, Received
from firmware_bridge.contract.messages import EntryKind, Hello
from loudspeaker.audit.service import record
from loudspeaker.conductor.clones import CLONE, is_clone
from loudspeaker.conductor.refusals import CHAIN, findings_of, findings_of_breaks
from loudspeaker.conductor.states import CHANGING, COLUMNS, State, add_to_history, joined
from loudspeaker.conductor.transparency import findings_of_heads
from loudspeaker.database import upsert
from loudspeaker.faults.models import FaultKind
from loudspeaker.faults.system import Finding, close_faults, open_faults
from loudspeaker.nodes.models import HeldRecording, Node, NodeHistory, NodeState
from loudspeaker.orders.models import CommandAnswer
from loudspeaker.playbacks.closing import close_lost
from loudspeaker.playbacks.journal import Said, store
from loudspeaker.playbacks.models import JournalMark
from loudspeaker.playbacks.writing import write_outcomes


@dataclass
class Ingested:
    """What a batch calls for after its commit."""

    receipts: list[tuple[str, str, int]] = field(default_factory=list)
    """(node, journal id, highest gapless seq), one per journal that spoke."""
    news: set[str] = field(default_factory=set)
    """Topics for open pages."""
    strangers: int = 0
    """Messages of nodes that are not in service."""


def ingest(session: Session, now: datetime, received: Sequence[Received]) -> Ingested:
    """Take in one batch. The caller commits, and only then sends the receipts."""
    places = _in_service(session, {one.node for one in received})
    heard = [one for one in received if one.node in places]
    done = Ingested(strangers=len(received) - len(heard))
    findings = _hear(session, now, heard, places, done)
    journals = [(one.node, one.message) for one in heard if isinstance(one.message, Journal)]
    if journals:
        stored = store(session, now, journals)
        done.receipts = [(node, journal, seq) for (node, journal), seq in stored.marks.items()]
        if write_outcomes(session, now, stored.fresh):
            done.news.add("playbacks")
        for lost in stored.lost:
            if close_lost(session, now, lost.node_id, lost.until):
                done.news.add("playbacks")
        _keep_held(session, stored.settled)
        _keep_answers(session, stored.settled)
        findings += findings_of(stored.fresh, places) + findings_of_breaks(stored.breaks, places)
    opened = open_faults(session, now, findings)
    for one in opened:
        if one.kind == FaultKind.SECURITY:
            record(session, now, None, "fault.security", f"node:{one.node_id}", one.place_id, fault=one.id,
                   reason=one.data["reason"])
    if opened:
        done.news.add("faults")
    return done


def _in_service(session: Session, nodes: Iterable[str]) -> dict[str, str]:
    """Place id by node, of those that exist and are neither retired nor cut off."""
    rows = session.connection().execute(select(col(Node.id), col(Node.place_id)).where(
        col(Node.id).in_(list(nodes)), col(Node.retired_at).is_(None), col(Node.revoked_at).is_(None)))
    return {node: place for node, place in rows}  # noqa: C416 # rows, not pairs


def _hear(session: Session, now: datetime, heard: Sequence[Received], places: Mapping[str, str],
          done: Ingested) -> list[Finding]:
    states = _states(session, places)
    before = {node: _shown(state) for node, state in states.items()}
    buckets: dict[tuple[str, datetime], dict[str, Any]] = {}
    hellos: list[tuple[str, Hello]] = []
    clones: list[Finding] = []
    for one in heard:
        if isinstance(one.message, Hello) and is_clone(states[one.node].boots, one.message, one.at):
            clones.append(Finding(FaultKind.SECURITY, places[one.node], one.node, CLONE,
                                  f"starts {states[one.node].boot} and {one.message.boot} alternate"))
        if not states[one.node].hear(one.message, one.at):
            continue
        add_to_history(buckets, one.node, one.message, one.at)
        if isinstance(one.message, Hello):
            hellos.append((one.node, one.message))
    upsert(session, NodeState, [state.row() for state in states.values()], update=CHANGING)
    _keep_history(session, buckets)
    if any(_shown(states[node]) != was for node, was in before.items()):
        done.news.add("nodes")
    back = [node for node, was in before.items() if states[node].online and not was[0]]
    if back and close_faults(session, now, FaultKind.OFFLINE, back):
        done.news.add("faults")
    return clones + _forgetful(session, hellos, places) + findings_of_heads(session, hellos, places)


def _states(session: Session, places: Mapping[str, str]) -> dict[str, State]:
    rows = session.connection().execute(
        select(*(col(getattr(NodeState, name)) for name in COLUMNS)).where(col(NodeState.node_id).in_(list(places))))
    return {node: State(node) for node in places} | {row.node_id: State(*row) for row in rows}


def _shown(state: State) -> tuple[object, ...]:
    return state.online, state.playing, state.held_version, state.time_state, state.held_stop, state.boot


def _forgetful(session: Session, hellos: Sequence[tuple[str, Hello]], places: Mapping[str, str]) -> list[Finding]:
    """Nodes whose journal ends before what was stored of it: somebody put an older disk back, or cut it."""
    if not hellos:
        return []
    marks = {(node, journal): seq for node, journal, seq in session.connection().execute(
        select(col(JournalMark.node_id), col(JournalMark.journal_id), col(JournalMark.seq))
        .where(col(JournalMark.node_id).in_({node for node, _ in hellos})))}
    return [Finding(FaultKind.SECURITY, places[node], node, CHAIN,
                    f"journal {hello.journal} ends at {hello.last_seq}, {marks[node, hello.journal]} was stored")
            for node, hello in hellos if hello.last_seq < marks.get((node, hello.journal), 0)]


def _keep_history(session: Session, buckets: Mapping[tuple[str, datetime], dict[str, Any]]) -> None:
    if not buckets:
        return
    key = tuple_(col(NodeHistory.node_id), col(NodeHistory.bucket))
    stored = {(row.node_id, row.bucket): row._asdict() for row in session.connection().execute(
        select(*(col(getattr(NodeHistory, name)) for name in next(iter(buckets.values()))))
        .where(key.in_(list(buckets))))}
    rows = [joined(stored[at], row) if at in stored else row for at, row in buckets.items()]
    upsert(session, NodeHistory, rows, update=[name for name in rows[0] if name not in ("node_id", "bucket")])


def _keep_held(session: Session, settled: Iterable[Said]) -> None:
    """Recordings on the node's disk, by what its journal says last."""
    newest = {(one.node_id, one.entry.recording): one.entry for one in settled
              if one.entry.kind in (EntryKind.RECORDING_STORED, EntryKind.RECORDING_REMOVED) and one.entry.recording}
    gone = [key for key, entry in newest.items() if entry.kind == EntryKind.RECORDING_REMOVED]
    if gone:
        key = tuple_(col(HeldRecording.node_id), col(HeldRecording.sha256))
        session.connection().execute(delete(HeldRecording).where(key.in_(gone)))
    upsert(session, HeldRecording, [
        {"node_id": node, "sha256": sha256, "stored_at": entry.at} for (node, sha256), entry in newest.items()
        if entry.kind == EntryKind.RECORDING_STORED], update=("stored_at",))


def _keep_answers(session: Session, settled: Iterable[Said]) -> None:
    """What a node did with a command, by what its journal says last (a self-test answers twice)."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for one in settled:
        id_, data = one.entry.data.get("id"), one.entry.data
        if one.entry.kind in (EntryKind.COMMAND, EntryKind.COMMAND_REFUSED) and isinstance(id_, str):
            refused = one.entry.kind == EntryKind.COMMAND_REFUSED
            result = "refused" if refused else str(data.get("result", "accepted"))
            if refused and data.get("reason") == "repeated":
                continue
            rows[id_, one.node_id] = {"command_id": id_, "node_id": one.node_id, "result": result[:32],
                                      "at": one.entry.at, "data": data}
    upsert(session, CommandAnswer, list(rows.values()), update=("result", "at", "data"))
