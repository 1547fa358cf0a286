"""The audit log for people who may read it: administrators and inspectors, of their places."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlmodel import Session

from loudspeaker.audit import reading
from loudspeaker.audit.models import AuditEntry
from loudspeaker.audit.reading import AuditFilter, Proof
from loudspeaker.errors import ForbiddenError
from loudspeaker.places import tree
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role

READERS = (Role.ADMINISTRATOR, Role.AUDITOR)


def audit_entries(session: Session, actor: Actor, wanted: AuditFilter, before: int | None = None,
                  limit: int = 50) -> Sequence[AuditEntry]:
    """Lines of the actor's places that fit, newest first, below seq `before`."""
    return reading.entries(session, seen_by(session, actor, wanted), before, limit)


def audit_export(session: Session, actor: Actor, wanted: AuditFilter) -> Iterator[AuditEntry]:
    """All lines of the actor's places that fit, oldest first."""
    return reading.every_entry(session, seen_by(session, actor, wanted))


def audit_proof(session: Session, actor: Actor) -> Proof:
    """Whether the whole log of the installation is whole. Administrators and inspectors may ask."""
    seen_by(session, actor, AuditFilter())
    return reading.prove(session)


def seen_by(session: Session, actor: Actor, wanted: AuditFilter) -> AuditFilter:
    """`wanted`, narrowed to the actor's places; who reads a top place reads the lines that belong to none as well.

    Raises ForbiddenError.
    """
    paths = actor.paths(*READERS)
    if not paths:
        raise ForbiddenError
    reads_a_top = any("/" not in path.strip("/") for path in paths)
    if wanted.place_ids is None and reads_a_top:
        return wanted
    below = {one.id for path in paths for one in tree.below_path(session, path, archived=True)}
    return replace(wanted, place_ids=frozenset(below if wanted.place_ids is None else below & wanted.place_ids))
