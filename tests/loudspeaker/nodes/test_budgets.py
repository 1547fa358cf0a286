"""Limits of links: for a place and all below it, or for one node; the nearest one goes into the order."""

from datetime import timedelta

import pytest

from firmware_bridge.contract import envelope, keys
from firmware_bridge.contract.documents import Delivery, FetchHours, RunningOrder
from loudspeaker.conductor.orders import Signing, build_orders
from loudspeaker.database import Database
from loudspeaker.errors import ForbiddenError, InvalidError
from loudspeaker.nodes.budgets import budgets_by_scope, delivery_for, set_budget
from loudspeaker.nodes.models import LinkBudget
from loudspeaker.orders.service import order_for
from loudspeaker.users.models import Role
from tests.loudspeaker.builders import START, a_commune, a_node, a_village, an_actor

NIGHT = [["22:00", "04:30"]]


def test_the_nearest_limit_counts() -> None:
    budgets = {"place:xa": LinkBudget(scope="place:xa", mb_a_day=50, hours=NIGHT),
               "place:thon": LinkBudget(scope="place:thon", mb_a_day=20),
               "node:n": LinkBudget(scope="node:n", hours=NIGHT)}
    night = (FetchHours(start="22:00", end="04:30"),)
    assert delivery_for(budgets, ("all", "place:xa")) == Delivery(bytes_a_day=50_000_000, hours=night)
    assert delivery_for(budgets, ("all", "place:xa", "place:thon", "zone:z")) == Delivery(bytes_a_day=20_000_000)
    assert delivery_for(budgets, ("all", "place:xa", "place:thon", "node:n")) == Delivery(hours=night)
    assert delivery_for(budgets, ("all", "place:other")) == Delivery()


def test_a_technician_limits_a_village_and_its_orders_say_so(database: Database) -> None:
    with database.work() as session:
        village = a_village(session, a_commune(session))
        node, actor = a_node(session, village), an_actor(session, Role.TECHNICIAN, village)
        signing = Signing("site", keys.new_key(), timedelta(days=8))
        assert build_orders(session, START, signing) == [node.id]
        set_budget(session, actor, START, village, 30, NIGHT)
        assert build_orders(session, START, signing) == [node.id]
        order = RunningOrder.from_bytes(envelope.decode(order_for(session, node.id).envelope).payload)
        assert order.delivery == Delivery(bytes_a_day=30_000_000, hours=(FetchHours(start="22:00", end="04:30"),))
        set_budget(session, actor, START, village, None)
        assert budgets_by_scope(session) == {}


@pytest.mark.parametrize(("mb_a_day", "hours"), [
    (-1, []), (10**9, []), (5, [["22:00"]]), (5, [["25:00", "04:30"]]), (5, [["22:00", "22:00"]]),
    (5, [["24:00", "04:00"]]), (5, NIGHT * 9)])
def test_a_limit_that_means_nothing_is_refused(database: Database, mb_a_day: int, hours: list[list[str]]) -> None:
    with database.work() as session:
        village = a_village(session, a_commune(session))
        with pytest.raises(InvalidError):
            set_budget(session, an_actor(session, Role.TECHNICIAN, village), START, village, mb_a_day, hours)


def test_an_editor_may_not_limit_links(database: Database) -> None:
    with database.work() as session:
        village = a_village(session, a_commune(session))
        with pytest.raises(ForbiddenError):
            set_budget(session, an_actor(session, Role.EDITOR, village), START, village, 5)
