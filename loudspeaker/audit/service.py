"""Writing and proving the audit log."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from loudspeaker.audit.models import AuditEntry
from loudspeaker.database import one_writer

FIRST_HASH = "0" * 64
LOCK = 0x617564


def record(session: Session, at: datetime, actor_id: str | None, act: str, subject: str,
           place_id: str | None = None, **data: Any) -> AuditEntry:
    """Append one line: `actor_id` (None: the system) did `act` (`noun.verb`) to `subject` (`noun:id`).

    `data` is JSON: what changed, never a secret. Runs in the caller's unit of work: act and line stand or fall
    together.
    """
    one_writer(session, LOCK)
    last = session.exec(select(AuditEntry).order_by(col(AuditEntry.seq).desc()).limit(1)).first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, FIRST_HASH)
    entry = AuditEntry(seq=seq, at=at, actor_id=actor_id, act=act, subject=subject, place_id=place_id, data=data,
                       previous=previous, hash="")
    entry.hash = digest(entry)
    session.add(entry)
    session.flush()
    return entry


def digest(entry: AuditEntry) -> str:
    """Hex SHA-256 over the entry's fields and the hash before it."""
    covered = [entry.seq, entry.at.isoformat(timespec="microseconds"), entry.actor_id, entry.act, entry.subject,
               entry.place_id, entry.data, entry.previous]
    return hashlib.sha256(json.dumps(covered, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def first_break(entries: Iterable[AuditEntry]) -> int | None:
    """The seq at which the chain breaks (altered, missing or reordered line), reading from the first; None if whole."""
    previous, expected = FIRST_HASH, 1
    for entry in entries:
        if entry.seq != expected or entry.previous != previous or digest(entry) != entry.hash:
            return expected
        previous, expected = entry.hash, expected + 1
    return None
