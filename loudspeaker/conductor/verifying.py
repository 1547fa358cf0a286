"""Proving all logs at once: audit log, public log, journals, as-run log, and the heads that were handed out.

Each log stands for the others: a nightly line of the audit log names the ends of all journals, a nightly entry of the
public log the end of the audit log, and poles carry the heads of the public log where no server can reach back.
"""

from collections.abc import Iterator, Sequence

from sqlmodel import Session, col, select

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import merkle
from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.documents import TreeHead
from firmware_bridge.contract.envelope import Envelope, MalformedEnvelope
from loudspeaker.audit.models import AuditEntry
from loudspeaker.audit.reading import prove
from loudspeaker.conductor.transparency import SEAL, digest_of, unlogged
from loudspeaker.nodes.models import NodeState
from loudspeaker.playbacks.models import JournalEntry
from loudspeaker.playbacks.proving import Contradiction, journal_contradictions, playback_contradictions
from loudspeaker.transparency.models import LoggedDocument, LoggedSubtree


def contradictions(session: Session, carried: Sequence[Envelope] = ()) -> Iterator[Contradiction]:
    """Everything stored that cannot be so. `carried` are heads that others kept: from exports, or a pole's disk."""
    proof = prove(session)
    if proof.first_break is not None:
        yield Contradiction("audit", str(proof.first_break), "broken")
    tree = PublicTree(session)
    yield from tree.contradictions()
    if count := unlogged(session):
        yield Contradiction("documents", str(count), "unlogged")
    yield from journal_contradictions(session)
    yield from playback_contradictions(session)
    yield from _of_seals(session, tree)
    for head in (*tree.heads, *(TreeHead.from_bytes(one.payload) for one in carried)):
        yield from _of_head(session, tree, head)
    for node, size, root in session.exec(select(NodeState.node_id, NodeState.held_log_size, NodeState.held_log_root)):
        if size and tree.root(size) != root:
            yield Contradiction("heads", node, "forked")


class PublicTree:
    """The public log, built anew from its entries."""

    def __init__(self, session: Session) -> None:
        self._stored = {(one.level, one.number): one.hash for one in session.exec(select(LoggedSubtree))}
        self._built: dict[tuple[int, int], bytes] = {}
        self._wrong: list[Contradiction] = []
        self.heads: list[TreeHead] = []
        """The server's own, as they entered the log."""
        self.size = 0
        for row in session.exec(select(LoggedDocument).order_by(col(LoggedDocument.position))):
            self._take(row)

    def contradictions(self) -> Iterator[Contradiction]:
        """Entries that are not what they were, are missing or were put in."""
        yield from self._wrong
        if self._stored.keys() != self._built.keys():
            yield Contradiction("documents", str(self.size), "missing")

    def root(self, size: int) -> str:
        """Hex root over the first `size` entries; empty beyond the end."""
        return merkle.root(size, self._subtree).hex() if size <= self.size else ""

    def _take(self, row: LoggedDocument) -> None:
        place = str(row.position)
        if row.position != self.size:
            self._wrong.append(Contradiction("documents", place, "missing"))
        for level, number, value in merkle.completed(self.size, merkle.leaf_hash(row.envelope), self._subtree):
            self._built[level, number] = value
            if self._stored.get((level, number)) != value:
                self._wrong.append(Contradiction("documents", place, "altered"))
        self.size += 1
        try:
            signed = dsse.decode(row.envelope)
            if signed.payload_type == TreeHead.TYPE:
                self.heads.append(TreeHead.from_bytes(signed.payload))
        except (MalformedEnvelope, MalformedPayload):
            self._wrong.append(Contradiction("documents", place, "altered"))
        else:
            if signed.payload_type != row.payload_type:
                self._wrong.append(Contradiction("documents", place, "altered"))

    def _subtree(self, level: int, number: int) -> bytes:
        return self._built[level, number]


def _of_seals(session: Session, tree: PublicTree) -> Iterator[Contradiction]:
    for line in session.exec(select(AuditEntry).where(AuditEntry.act == SEAL).order_by(col(AuditEntry.seq))):
        ends = [(node, journal, int(seq)) for node, journals in line.data["journals"].items()
                for journal, seq in journals.items()]
        if digest_of((*end, _hash_at(session, *end)) for end in ends) != line.data["digest"]:
            yield Contradiction("journals", f"audit {line.seq}", "not_as_sealed")
        if tree.root(int(line.data["size"])) != line.data["root"]:
            yield Contradiction("documents", f"audit {line.seq}", "not_as_sealed")


def _hash_at(session: Session, node: str, journal: str, seq: int) -> str:
    found = session.get(JournalEntry, (node, journal, seq))
    return found.hash if found else ""


def _of_head(session: Session, tree: PublicTree, head: TreeHead) -> Iterator[Contradiction]:
    if tree.root(head.size) != head.root:
        yield Contradiction("documents", f"head of {head.size}", "not_as_sealed")
    if head.audit is not None:
        line = session.get(AuditEntry, head.audit.seq)
        if line is None or line.hash != head.audit.hash:
            yield Contradiction("audit", str(head.audit.seq), "not_as_sealed")
