"""Limits of the poles' links: megabytes a day and hours, for a place or one node."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlmodel import Session

from loudspeaker.api.deps import CurrentActor, HouseDep, Now, Reading, Work
from loudspeaker.api.schemas import In, Out
from loudspeaker.database import after_commit
from loudspeaker.nodes import budgets
from loudspeaker.nodes.models import LinkBudget, Node
from loudspeaker.nodes.service import node_to_manage, node_to_see
from loudspeaker.places import service as places
from loudspeaker.places.models import Place

router = APIRouter(prefix="/api/v1", tags=["nodes"])

Clock = Annotated[str, Field(max_length=5)]


class BudgetIn(In):
    """No limit and no hours lift what was set."""

    mb_a_day: Annotated[int, Field(ge=0, le=budgets.MOST_MB)] | None = None
    hours: Annotated[list[tuple[Clock, Clock]], Field(max_length=budgets.MOST_HOURS)] = []


class BudgetOut(Out):
    """What is set just here; `mb_a_day` of null is no limit."""

    mb_a_day: int | None
    hours: list[tuple[str, str]]


@router.get("/nodes/{node_id}/link-budget")
def of_node(session: Reading, actor: CurrentActor, node_id: str) -> BudgetOut:
    """What one node's link may be used for, where that differs from its place's."""
    return _out(session, node_to_see(session, actor, node_id))


@router.put("/nodes/{node_id}/link-budget")
def limit_node(session: Work, house: HouseDep, actor: CurrentActor, now: Now, node_id: str,
               given: BudgetIn) -> BudgetOut:
    """Limit one node's link."""
    node = node_to_manage(session, actor, node_id)
    budgets.set_budget(session, actor, now, node, given.mb_a_day, given.hours)
    after_commit(session, house.outdated)
    return _out(session, node)


@router.get("/places/{place_id}/link-budget")
def of_place(session: Reading, actor: CurrentActor, place_id: str) -> BudgetOut:
    """What the links of a place and of all below it may be used for."""
    return _out(session, places.place_to_see(session, actor, place_id))


@router.put("/places/{place_id}/link-budget")
def limit_place(session: Work, house: HouseDep, actor: CurrentActor, now: Now, place_id: str,
                given: BudgetIn) -> BudgetOut:
    """Limit the links of a place and of all below it."""
    place = places.place_to_see(session, actor, place_id)
    budgets.set_budget(session, actor, now, place, given.mb_a_day, given.hours)
    after_commit(session, house.outdated)
    return _out(session, place)


def _out(session: Session, subject: Place | Node) -> BudgetOut:
    found = session.get(LinkBudget, budgets.scope_of(subject))
    return BudgetOut(mb_a_day=found.mb_a_day if found else None,
                     hours=[(start, end) for start, end in found.hours] if found else [])
