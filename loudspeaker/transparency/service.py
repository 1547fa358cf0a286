"""Appending to the public log of signed documents, and proving what is in it."""

from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session, col, func, select

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import merkle
from firmware_bridge.contract.documents import ChainHead, LogUpdate, TreeHead
from firmware_bridge.contract.envelope import Envelope
from loudspeaker.audit.models import AuditEntry
from loudspeaker.database import one_writer
from loudspeaker.errors import NotFoundError
from loudspeaker.transparency.models import LoggedDocument, LoggedSubtree

LOCK = 0x6C6F67


def append(session: Session, now: datetime, signed: Envelope) -> int:
    """Put a signed document at the end of the log, in the caller's unit of work; its position."""
    one_writer(session, LOCK)
    position, entry = size(session), dsse.encode(signed)
    session.add(LoggedDocument(position=position, at=now, payload_type=signed.payload_type, envelope=entry))
    for level, number, value in merkle.completed(position, merkle.leaf_hash(entry), _stored(session)):
        session.add(LoggedSubtree(level=level, number=number, hash=value))
    session.flush()
    return position


def size(session: Session) -> int:
    """Entries in the log."""
    last = session.exec(select(func.max(LoggedDocument.position))).one()
    return 0 if last is None else last + 1


def size_at(session: Session, at: datetime) -> int:
    """Entries that were in the log before `at`."""
    last = session.exec(select(func.max(LoggedDocument.position)).where(col(LoggedDocument.at) < at)).one()
    return 0 if last is None else last + 1


def root(session: Session, entries: int) -> bytes:
    """Merkle root over the first `entries`. Raises NotFoundError beyond the log's end."""
    return merkle.root(_within(session, entries), _stored(session))


def inclusion(session: Session, position: int, entries: int) -> list[bytes]:
    """Proof that the entry at `position` is among the first `entries`. Raises NotFoundError."""
    if not 0 <= position < _within(session, entries):
        raise NotFoundError("The log has no such entry.")
    return merkle.inclusion(position, entries, _stored(session))


def consistency(session: Session, old: int, new: int) -> list[bytes]:
    """Proof that the first `new` entries begin with the first `old` ones. Raises NotFoundError."""
    if not 0 <= old <= _within(session, new):
        raise NotFoundError("The log has no such entry.")
    return merkle.consistency(old, new, _stored(session))


def documents(session: Session, start: int, limit: int) -> Sequence[LoggedDocument]:
    """Entries from position `start` on, oldest first."""
    return session.exec(select(LoggedDocument).where(col(LoggedDocument.position) >= start)
                        .order_by(col(LoggedDocument.position)).limit(limit)).all()


def newest_documents(session: Session, limit: int) -> Sequence[LoggedDocument]:
    """The newest entries, newest first."""
    return session.exec(select(LoggedDocument).order_by(col(LoggedDocument.position).desc()).limit(limit)).all()


def head(session: Session, now: datetime, site: str, server_key: Ed25519PrivateKey) -> Envelope:
    """How the log stands, signed; with the end of the audit log."""
    entries = size(session)
    last = session.exec(select(AuditEntry).order_by(col(AuditEntry.seq).desc()).limit(1)).first()
    audit = ChainHead(seq=last.seq, hash=last.hash) if last else None
    said = TreeHead(site=site, size=entries, root=root(session, entries).hex(), issued=now, audit=audit)
    return said.sign(server_key)


def update_since(session: Session, now: datetime, site: str, server_key: Ed25519PrivateKey, since: int) -> LogUpdate:
    """The head for a node that carries one of `since` entries. From beyond the log's end there is no proof."""
    entries = size(session)
    proof = consistency(session, since, entries) if since <= entries else []
    return LogUpdate(head=dsse.to_dict(head(session, now, site, server_key)), since=since,
                     proof=tuple(one.hex() for one in proof))


def _within(session: Session, entries: int) -> int:
    if not 0 <= entries <= size(session):
        raise NotFoundError("The log has no such entry.")
    return entries


def _stored(session: Session) -> merkle.Subtree:
    def subtree(level: int, number: int) -> bytes:
        return session.get_one(LoggedSubtree, (level, number)).hash
    return subtree
