"""Reading the audit log: by place, person, act and time, newest first; and proving that it is whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from loudspeaker.audit.models import AuditEntry
from loudspeaker.audit.service import FIRST_HASH, first_break

BLOCK = 500


@dataclass(frozen=True)
class AuditFilter:
    """Which lines: all that are given must fit. `act` may end in a dot: `role.` are all acts on roles.

    `place_ids` None means everywhere, with the lines that belong to no place; `until` is not included.
    """

    place_ids: frozenset[str] | None = None
    actor_id: str | None = None
    act: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Proof:
    """Whether the log is whole: the seq at which the chain breaks (None: nowhere), and its newest link."""

    first_break: int | None
    lines: int
    head: str


def entries(session: Session, wanted: AuditFilter, before: int | None = None, limit: int = 50) -> Sequence[AuditEntry]:
    """Lines that fit, newest first, below seq `before`."""
    query = _fitting(wanted).order_by(col(AuditEntry.seq).desc()).limit(limit)
    return session.exec(query.where(AuditEntry.seq < before) if before is not None else query).all()


def every_entry(session: Session, wanted: AuditFilter) -> Iterator[AuditEntry]:
    """All lines that fit, oldest first, read in blocks."""
    last = 0
    while block := session.exec(_fitting(wanted).where(AuditEntry.seq > last).order_by(col(AuditEntry.seq))
                                .limit(BLOCK)).all():
        yield from block
        last = block[-1].seq
        session.expunge_all()


def prove(session: Session) -> Proof:
    """Walk the whole chain."""
    lines = session.exec(select(func.count()).select_from(AuditEntry)).one()
    newest = session.exec(select(AuditEntry.hash).order_by(col(AuditEntry.seq).desc()).limit(1)).first()
    return Proof(first_break(every_entry(session, AuditFilter())), lines, newest or FIRST_HASH)


def _fitting(wanted: AuditFilter) -> SelectOfScalar[AuditEntry]:
    query = select(AuditEntry)
    if wanted.place_ids is not None:
        query = query.where(col(AuditEntry.place_id).in_(wanted.place_ids))
    if wanted.actor_id is not None:
        query = query.where(AuditEntry.actor_id == wanted.actor_id)
    if wanted.act:
        prefix = wanted.act.rstrip("*")
        query = query.where(or_(col(AuditEntry.act) == prefix, col(AuditEntry.act).startswith(prefix, autoescape=True)))
    if wanted.subject:
        query = query.where(AuditEntry.subject == wanted.subject)
    if wanted.since is not None:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.at < wanted.until)
    return query
