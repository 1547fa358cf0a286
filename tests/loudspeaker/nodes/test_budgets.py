"""Limits of links: for a place and all below it, or for one node; the nearest one goes into the order."""

import pytest
from fastapi.testclient import TestClient

from firmware_bridge.contract.documents import Delivery, FetchHours
from loudspeaker.nodes.budgets import delivery_for
from loudspeaker.nodes.models import LinkBudget

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
