"""What can be done with bulletins: write, change, find, put away."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select

from firmware_bridge.contract.documents import AirClass
from loudspeaker.audit import service as audit
from loudspeaker.bulletins.models import Bulletin, BulletinKind, Recording, RecordingState
from loudspeaker.errors import ConflictError, InvalidError, NotFoundError
from loudspeaker.places.models import Place
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role

TITLE_LENGTH = 200
SECTION_LENGTH = 80
SCRIPT_LENGTH = 60_000
PAGE = 50
SIGNED_FIELDS = frozenset({"title", "kind", "air_class"})
"""Fields that stand in the statement approvers sign."""


@dataclass(frozen=True)
class BulletinText:
    """What a person writes into the form of a bulletin."""

    title: str
    kind: str = BulletinKind.NEWS
    section: str = ""
    air_class: int = AirClass.ORDINARY
    script: str = ""


@dataclass(frozen=True)
class Wanted:
    """What is looked for: words of title, section or script, in any case and without accents; a recording's state."""

    words: str = ""
    kind: str | None = None
    state: str | None = None
    place_id: str | None = None
    archived: bool = False


def create_bulletin(session: Session, actor: Actor, now: datetime, place_id: str, text: BulletinText) -> Bulletin:
    """A new bulletin of a place, by one of its editors. Raises InvalidError, ForbiddenError, NotFoundError."""
    place = _place(session, place_id)
    actor.must(place, Role.EDITOR)
    fields = _checked(text)
    bulletin = Bulletin(place_id=place.id, author_id=actor.user.id, created_at=now, changed_at=now, **fields)
    session.add(bulletin)
    session.flush()
    audit.record(session, now, actor.user.id, "bulletin.create", f"bulletin:{bulletin.id}", place.id,
                 title=bulletin.title, kind=bulletin.kind, air_class=bulletin.air_class)
    return bulletin


def change_bulletin(session: Session, actor: Actor, now: datetime, bulletin_id: str, text: BulletinText) -> Bulletin:
    """Change what is written. What approvers have signed is never changed: then a new bulletin is needed.

    Raises InvalidError, ForbiddenError, NotFoundError, ConflictError.
    """
    bulletin = editable_bulletin(session, actor, bulletin_id)
    fields = _checked(text)
    changed = {name: value for name, value in fields.items() if getattr(bulletin, name) != value}
    if changed.keys() & SIGNED_FIELDS:
        _must_be_unsigned(session, bulletin)
    for name, value in changed.items():
        setattr(bulletin, name, value)
    bulletin.changed_at = now
    session.add(bulletin)
    session.flush()
    audit.record(session, now, actor.user.id, "bulletin.change", f"bulletin:{bulletin.id}", bulletin.place_id,
                 changed=sorted(changed.keys() - {"searchable"}))
    return bulletin


def archive_bulletin(session: Session, actor: Actor, now: datetime, bulletin_id: str) -> Bulletin:
    """Put a bulletin away: it is no longer listed; what is scheduled of it still airs."""
    bulletin = editable_bulletin(session, actor, bulletin_id)
    bulletin.archived_at = now
    session.add(bulletin)
    session.flush()
    audit.record(session, now, actor.user.id, "bulletin.archive", f"bulletin:{bulletin.id}", bulletin.place_id)
    return bulletin


def bring_back_bulletin(session: Session, actor: Actor, now: datetime, bulletin_id: str) -> Bulletin:
    """Take a bulletin that was put away back into the list. Raises NotFoundError, ForbiddenError."""
    bulletin = bulletin_seen_by(session, actor, bulletin_id)
    actor.must(_place(session, bulletin.place_id), Role.EDITOR)
    bulletin.archived_at = None
    session.add(bulletin)
    session.flush()
    audit.record(session, now, actor.user.id, "bulletin.bring_back", f"bulletin:{bulletin.id}", bulletin.place_id)
    return bulletin


def bulletin_seen_by(session: Session, actor: Actor, bulletin_id: str) -> Bulletin:
    """A bulletin that this person may see. Raises NotFoundError otherwise, as if it were not there."""
    bulletin = session.get(Bulletin, bulletin_id)
    if bulletin is None or not _may_see(actor, _place(session, bulletin.place_id)):
        raise NotFoundError
    return bulletin


def editable_bulletin(session: Session, actor: Actor, bulletin_id: str) -> Bulletin:
    """A bulletin that this editor of its place may change. Raises NotFoundError, ForbiddenError, ConflictError."""
    bulletin = bulletin_seen_by(session, actor, bulletin_id)
    actor.must(_place(session, bulletin.place_id), Role.EDITOR)
    if bulletin.archived_at is not None:
        raise ConflictError("This bulletin was put away.", advice="Write a new bulletin.")
    return bulletin


def find_bulletins(session: Session, actor: Actor, wanted: Wanted | None = None, *, limit: int = PAGE,
                   offset: int = 0) -> list[Bulletin]:
    """Bulletins that this person may see, newest change first; at most `limit` (to 200) from `offset` on."""
    wanted = wanted or Wanted()
    paths = actor.paths()
    if not paths:
        return []
    query = select(Bulletin).join(Place, col(Place.id) == col(Bulletin.place_id)).where(
        or_(*(col(Place.path).startswith(path, autoescape=True) for path in paths)), *_conditions(wanted))
    newest = query.order_by(col(Bulletin.changed_at).desc(), col(Bulletin.id))
    return list(session.exec(newest.offset(max(0, offset)).limit(max(1, min(limit, 200)))))


def folded(text: str) -> str:
    """Plain lower-case letters: `Bản tin Đà Nẵng` is found as `ban tin da nang`."""
    plain = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return " ".join("".join(one for one in plain if not unicodedata.combining(one)).split())


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    archived = col(Bulletin.archived_at)
    conditions: list[ColumnElement[bool]] = [archived.is_not(None) if wanted.archived else archived.is_(None)]
    conditions += [col(Bulletin.searchable).contains(word, autoescape=True) for word in folded(wanted.words).split()]
    if wanted.kind:
        conditions.append(col(Bulletin.kind) == wanted.kind)
    if wanted.place_id:
        conditions.append(col(Bulletin.place_id) == wanted.place_id)
    if wanted.state:
        having = select(Recording.bulletin_id).where(Recording.state == wanted.state)
        conditions.append(col(Bulletin.id).in_(having))
    return conditions


def _checked(text: BulletinText) -> Mapping[str, Any]:
    title, section = _one_line(text.title), _one_line(text.section)
    if not title:
        raise InvalidError("The bulletin needs a title.", field="title")
    for name, value, limit in (("title", title, TITLE_LENGTH), ("section", section, SECTION_LENGTH),
                               ("script", text.script, SCRIPT_LENGTH)):
        if len(value) > limit:
            raise InvalidError("This text is too long: at most %(limit)s letters.", field=name, limit=limit)
    if text.kind not in set(BulletinKind):
        raise InvalidError("Choose the kind of bulletin.", field="kind")
    if text.air_class not in set(AirClass):
        raise InvalidError("Choose the class: ordinary, priority or emergency.", field="air_class")
    script = text.script.replace("\0", "").strip()
    return {"title": title, "kind": text.kind, "section": section, "air_class": int(text.air_class), "script": script,
            "searchable": folded(f"{title} {section} {script}")}


def _one_line(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _must_be_unsigned(session: Session, bulletin: Bulletin) -> None:
    fixed = (RecordingState.READY, RecordingState.APPROVED)
    held = select(Recording.id).where(Recording.bulletin_id == bulletin.id, col(Recording.state).in_(fixed))
    if session.exec(held).first() is not None:
        raise ConflictError("Title, kind and class cannot change: a recording waits for approval or is approved.",
                            advice="Have the recording sent back first, or write a new bulletin.")


def _place(session: Session, place_id: str) -> Place:
    place = session.get(Place, place_id)
    if place is None:
        raise NotFoundError("This place does not exist.")
    return place


def _may_see(actor: Actor, place: Place) -> bool:
    return any(place.path.startswith(path) for path in actor.paths())
