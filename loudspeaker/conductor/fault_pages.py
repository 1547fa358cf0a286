"""What the pages of faults show: the board by state, and one fault with the names of those who acted."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_
from sqlmodel import Session, col, select

from loudspeaker.faults.models import Fault, FaultKind, FaultPhoto, FaultState
from loudspeaker.faults.service import KEEPERS, FaultStory, story
from loudspeaker.nodes.models import Node
from loudspeaker.places.models import Place
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role, User

CLOSED_SHOWN = timedelta(days=7)
COLUMN = 60


@dataclass(frozen=True)
class FaultCard:
    """A fault on the board; `owner` is who has taken it, `photo_id` its first photo."""

    fault: Fault
    node: Node | None
    place: Place
    owner: str
    photo_id: str | None


@dataclass(frozen=True)
class FaultBoard:
    """Faults by state: open and taken ones longest waiting first, those closed in the last week newest first."""

    open: Sequence[FaultCard]
    taken: Sequence[FaultCard]
    closed: Sequence[FaultCard]


@dataclass(frozen=True)
class FaultPage:
    """One fault; `names` are those of all who acted, by user id."""

    story: FaultStory
    reporter: User | None
    names: dict[str, str]
    may_keep: bool


def fault_board(session: Session, actor: Actor, now: datetime, place_id: str | None = None,
                node_id: str | None = None) -> FaultBoard:
    """The faults this person sees, at `place_id` and below, or of one node."""
    def column(state: FaultState) -> list[FaultCard]:
        return _column(session, actor, state, now, place_id, node_id)

    return FaultBoard(column(FaultState.OPEN), column(FaultState.TAKEN), column(FaultState.CLOSED))


def fault_page(session: Session, actor: Actor, fault_id: str) -> FaultPage:
    """One fault. Raises NotFoundError, ForbiddenError."""
    told = story(session, actor, fault_id)
    fault = told.fault
    acted = {fault.reporter_id, fault.owner_id, fault.closed_by, *(note.user_id for note in told.notes)}
    roles = KEEPERS | {Role.EDITOR, Role.APPROVER} if fault.kind == FaultKind.WRONG_CONTENT else KEEPERS
    return FaultPage(
        told, session.get(User, fault.reporter_id) if fault.reporter_id else None,
        names_of(session, {one for one in acted if one}),
        fault.state != FaultState.CLOSED and actor.may(told.place, roles))


def names_of(session: Session, user_ids: Collection[str]) -> dict[str, str]:
    """The names of people by id."""
    rows = session.exec(select(User.id, User.name).where(col(User.id).in_(user_ids)))
    return {user_id: name for user_id, name in rows}  # noqa: C416 # rows, not pairs


def _column(session: Session, actor: Actor, state: FaultState, now: datetime, place_id: str | None,
            node_id: str | None) -> list[FaultCard]:
    here = [col(Place.path).startswith(path) for path in actor.paths()]
    place = session.get(Place, place_id) if place_id else None
    if not here or (place_id and place is None):
        return []
    query = (select(Fault, Node, Place, User.name).join(Place, col(Place.id) == col(Fault.place_id))
             .outerjoin(Node, col(Node.id) == col(Fault.node_id)).outerjoin(User, col(User.id) == col(Fault.owner_id))
             .where(or_(*here), Fault.state == state).limit(COLUMN))
    if place is not None:
        query = query.where(col(Place.path).startswith(place.path))
    if node_id:
        query = query.where(Fault.node_id == node_id)
    if state == FaultState.CLOSED:
        query = query.where(col(Fault.closed_at) > now - CLOSED_SHOWN).order_by(col(Fault.closed_at).desc())
    else:
        query = query.order_by(col(Fault.opened_at), col(Fault.id))
    rows = session.exec(query).all()
    photos = _first_photos(session, [fault.id for fault, *_ in rows])
    return [FaultCard(fault, node, where, owner or "", photos.get(fault.id)) for fault, node, where, owner in rows]


def _first_photos(session: Session, fault_ids: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for photo in session.exec(select(FaultPhoto).where(col(FaultPhoto.fault_id).in_(fault_ids))
                              .order_by(col(FaultPhoto.at), col(FaultPhoto.id))):
        found.setdefault(photo.fault_id, photo.id)
    return found
