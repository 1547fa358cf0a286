"""What 4G links may be used for: bytes a day and hours, set for a place or for one node, the nearest one counting."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, select

from firmware_bridge.contract.documents import Delivery, FetchHours
from loudspeaker.audit.service import record
from loudspeaker.errors import InvalidError
from loudspeaker.nodes.models import LinkBudget, Node
from loudspeaker.places.models import Place
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role

MAY = (Role.ADMINISTRATOR, Role.TECHNICIAN)
MEGABYTE = 1_000_000
MOST_MB = 1_000_000
MOST_HOURS = 8
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")


def set_budget(session: Session, actor: Actor, now: datetime, subject: Place | Node, mb_a_day: int | None,
               hours: Sequence[Sequence[str]] = ()) -> None:
    """Limit the links of a place and all below it, or of one node. No limit and no hours lifts what was set.

    Administrators and technicians of the place may. Raises InvalidError.
    """
    place = subject if isinstance(subject, Place) else session.get_one(Place, subject.place_id)
    actor.must(place, *MAY)
    _check(mb_a_day, hours)
    scope = scope_of(subject)
    budget = session.get(LinkBudget, scope)
    if mb_a_day is None and not hours:
        if budget is not None:
            session.delete(budget)
    else:
        budget = budget or LinkBudget(scope=scope)
        budget.mb_a_day, budget.hours = mb_a_day, [list(one) for one in hours]
        session.add(budget)
    session.flush()
    record(session, now, actor.user.id, "link.limited", scope, place.id, mb_a_day=mb_a_day,
           hours=[list(one) for one in hours])


def scope_of(subject: Place | Node) -> str:
    """How a place or a node is named here."""
    return f"place:{subject.id}" if isinstance(subject, Place) else f"node:{subject.id}"


def budgets_by_scope(session: Session) -> dict[str, LinkBudget]:
    """All that were set."""
    return {one.scope: one for one in session.exec(select(LinkBudget))}


def delivery_for(budgets: Mapping[str, LinkBudget], scopes: Iterable[str]) -> Delivery:
    """What a node's order says. `scopes` are those that cover it, the widest first."""
    found = [budgets[one] for one in scopes if one in budgets]
    if not found:
        return Delivery()
    nearest = found[-1]
    return Delivery(bytes_a_day=None if nearest.mb_a_day is None else nearest.mb_a_day * MEGABYTE,
                    hours=tuple(FetchHours(start=start, end=end) for start, end in nearest.hours))


def _check(mb_a_day: int | None, hours: Sequence[Sequence[str]]) -> None:
    if mb_a_day is not None and not 0 <= mb_a_day <= MOST_MB:
        raise InvalidError("The limit is a number of megabytes a day.", field="mb_a_day")
    if len(hours) > MOST_HOURS or not all(
            len(one) == 2 and _CLOCK.fullmatch(one[0]) and _CLOCK.fullmatch(one[1]) and one[0] != one[1]
            and one[0] != "24:00" for one in hours):
        raise InvalidError("Hours are written as 22:00 to 04:30.", field="hours")
