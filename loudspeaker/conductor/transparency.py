"""The public log and the house: what nodes are handed of it, which heads they carry, and how all logs are sealed."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session, col, select

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract.documents import LogUpdate, RecordingStatement
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.messages import Hello
from firmware_bridge.contract.trust import Reason
from loudspeaker.approvals.models import Approval
from loudspeaker.audit.models import AuditEntry
from loudspeaker.audit.service import record
from loudspeaker.conductor.house import House
from loudspeaker.faults.models import FaultKind
from loudspeaker.faults.system import Finding
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.places.models import PolicyVersion
from loudspeaker.playbacks.models import JournalMark
from loudspeaker.transparency import service as log
from loudspeaker.transparency.models import LoggedDocument
from loudspeaker.trust.models import TrustDocument

SEAL = "log.seal"
SHOWN = 30


class LogUpdates:
    """The newest head for each of `nodes`, proved from the one that it carries."""

    def __init__(self, session: Session, house: House, nodes: Sequence[str]) -> None:
        self._session, self._house = session, house
        self._held = dict(session.exec(select(NodeState.node_id, NodeState.held_log_size).where(
            col(NodeState.node_id).in_(nodes))).all())
        self._made: dict[int, LogUpdate] = {}

    def of(self, node: str) -> LogUpdate:
        """The update for one node."""
        since = self._held.get(node, 0)
        if since not in self._made:
            house = self._house
            self._made[since] = log.update_since(self._session, house.now(), house.site, house.keys.server, since)
        return self._made[since]


@dataclass(frozen=True)
class Logged:
    """One entry for people: `kind` is the last word of its payload type, `title` what an approval is about."""

    position: int
    at: datetime
    kind: str
    title: str = ""


@dataclass(frozen=True)
class PublicPage:
    """How the public log stands, and how many nodes in service carry a head of it (`astray`: of another log)."""

    size: int
    root: str
    nodes: int
    carrying: int
    astray: int
    newest: Sequence[Logged]


def public_page(session: Session) -> PublicPage:
    """What anybody may read."""
    size = log.size(session)
    heads = session.exec(select(NodeState.held_log_size, NodeState.held_log_root).join(
        Node, col(Node.id) == col(NodeState.node_id)).where(col(Node.retired_at).is_(None))).all()
    carried = [head for head in heads if head[0] > 0]
    astray = sum(not _is_ours(session, *head) for head in carried)
    newest = [_logged(one) for one in log.newest_documents(session, SHOWN)]
    return PublicPage(size, log.root(session, size).hex(), len(heads), len(carried) - astray, astray, newest)


def _logged(one: LoggedDocument) -> Logged:
    kind = one.payload_type.removeprefix("application/vnd.loudspeaker.").removesuffix("+json")
    title = ""
    if one.payload_type == RecordingStatement.TYPE:
        title = RecordingStatement.from_bytes(dsse.decode(one.envelope).payload).title
    return Logged(one.position, one.at, kind, title)


def head_now(session: Session, house: House) -> Envelope:
    """How the log stands, signed by the server."""
    return log.head(session, house.now(), house.site, house.keys.server)


def seal_now(session: Session, house: House) -> str:
    """The head as JSON, for files that go out of the house: who keeps one can prove what stood in the logs then."""
    return dsse.encode(head_now(session, house)).decode()


def to_carry(session: Session, now: datetime) -> Callable[[str], int]:
    """How many entries the head of a node should have at least: those of the last midnight (UTC), or any at first.

    0 for a node that carries another log: it refuses this one, and was told.
    """
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    wanted = log.size_at(session, midnight) or min(1, log.size(session))
    held = session.exec(select(NodeState.node_id, NodeState.held_log_size, NodeState.held_log_root)).all()
    ours = {head for head in {(size, root) for _, size, root in held} if _is_ours(session, *head)}
    astray = {node for node, size, root in held if (size, root) not in ours}
    return lambda node: 0 if node in astray else wanted


def findings_of_heads(session: Session, hellos: Sequence[tuple[str, Hello]],
                      places: Mapping[str, str]) -> list[Finding]:
    """Nodes that carry a head which this log does not have: one of the two was rewritten, or put back."""
    entries, found = log.size(session), []
    for node, hello in hellos:
        carried = hello.held.log
        if carried is None:
            continue
        if carried.size > entries:
            found.append(Finding(FaultKind.SECURITY, places[node], node, Reason.LOG_SHRUNK,
                                 f"{carried.size} entries are carried, the log has {entries}"))
        elif log.root(session, carried.size).hex() != carried.root:
            found.append(Finding(FaultKind.SECURITY, places[node], node, Reason.LOG_FORKED,
                                 f"{carried.size} entries under {carried.root} are carried"))
    return found


def _is_ours(session: Session, size: int, root: str) -> bool:
    return size == 0 or (size <= log.size(session) and log.root(session, size).hex() == root)


@dataclass(frozen=True)
class _Signed:
    at: datetime
    envelope: bytes


def log_what_is_missing(session: Session, now: datetime) -> int:
    """Put into the log what was signed before there was one, oldest first; how many."""
    missing = _unlogged(session)
    for one in sorted(missing, key=lambda one: one.at):
        log.append(session, now, dsse.decode(one.envelope))
    return len(missing)


def unlogged(session: Session) -> int:
    """How many signed documents are held that the public log does not have."""
    return len(_unlogged(session))


def seal(session: Session, now: datetime, site: str, server_key: Ed25519PrivateKey) -> Envelope:
    """Let the logs stand for each other: the audit log for all journals, and the public log for the audit log.

    The line's `journals` is node → journal → seq, its `digest` covers their hashes (see `digest_of`). The signed head
    that names this line becomes an entry of the public log, whose heads poles carry.
    """
    _seal_journals(session, now)
    signed = log.head(session, now, site, server_key)
    log.append(session, now, signed)
    return signed


def _seal_journals(session: Session, now: datetime) -> AuditEntry:
    marks = session.exec(select(JournalMark).where(JournalMark.seq > 0)
                         .order_by(col(JournalMark.node_id), col(JournalMark.journal_id))).all()
    journals: dict[str, dict[str, int]] = {}
    for one in marks:
        journals.setdefault(one.node_id, {})[one.journal_id] = one.seq
    entries = log.size(session)
    return record(session, now, None, SEAL, "log:all", size=entries, root=log.root(session, entries).hex(),
                  journals=journals,
                  digest=digest_of((one.node_id, one.journal_id, one.seq, one.hash) for one in marks))


def digest_of(ends: Iterable[tuple[str, str, int, str]]) -> str:
    """Hex SHA-256 over the lines `node journal seq hash` of journals' ends, sorted."""
    lines = "\n".join(sorted(f"{node} {journal} {seq} {hash_}" for node, journal, seq, hash_ in ends))
    return hashlib.sha256(lines.encode()).hexdigest()


def _unlogged(session: Session) -> list[_Signed]:
    known = {hashlib.sha256(one).digest() for one in session.exec(select(LoggedDocument.envelope))}
    return [one for one in _signed(session) if hashlib.sha256(one.envelope).digest() not in known]


def _signed(session: Session) -> list[_Signed]:
    rows = [*session.exec(select(TrustDocument.made_at, TrustDocument.envelope)),
            *session.exec(select(Approval.at, Approval.envelope)),
            *session.exec(select(PolicyVersion.signed_at, PolicyVersion.envelope)
                          .where(col(PolicyVersion.envelope).is_not(None)))]
    return [_Signed(at, raw) for at, raw in rows if at is not None and raw is not None]
