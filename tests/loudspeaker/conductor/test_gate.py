"""A thousand poles that come as one: never too many inside, everybody served in turn, nobody sent away for ever."""

import heapq
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loudspeaker.conductor.gate import EACH, Known, Turnstile


class Fleet:
    """Nodes that all come within a second, take some time inside, and come again when they were told to."""

    def __init__(self, nodes: int, at_once: int, seed: int, longest_s: float = 6.0) -> None:
        self.turnstile = Turnstile(at_once)
        self.draw = random.Random(seed)
        self.refused: dict[int, int] = dict.fromkeys(range(nodes), 0)
        self.peak, self.end = 0, 0.0
        self.least = 0.0
        self._longest_s = longest_s
        self._events = [(self.draw.random(), 0, node, 0.0) for node in range(nodes)]

    def run(self) -> None:
        heapq.heapify(self._events)
        while self._events:
            now, leaving, node, took = heapq.heappop(self._events)
            if leaving:
                self.turnstile.leave(str(node), took)
                self.end = now
                continue
            wait = self.turnstile.enter(str(node), now)
            if wait is None:
                self.peak = max(self.peak, self.turnstile.busy)
                took = self.draw.uniform(1.0, self._longest_s)
                self.least += took / self.turnstile.at_once
                heapq.heappush(self._events, (now + took, 1, node, took))
            else:
                assert wait > 0
                self.refused[node] += 1
                assert self.refused[node] < 100
                heapq.heappush(self._events, (now + wait * (1 + self.draw.random() / 4), 0, node, 0.0))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([8, 64, 256]))
def test_a_thousand_come_as_one(seed: int, at_once: int) -> None:
    fleet = Fleet(1000, at_once, seed)
    fleet.run()
    assert fleet.peak <= at_once
    assert fleet.end <= 2 * fleet.least + 10
    assert max(fleet.refused.values()) <= 12


def test_one_node_cannot_take_all_places() -> None:
    turnstile = Turnstile(100)
    assert [turnstile.enter("greedy", 0.0) for _ in range(EACH)] == [None] * EACH
    assert turnstile.enter("greedy", 0.0) is not None
    assert turnstile.enter("modest", 0.0) is None


def test_who_waited_goes_before_who_comes_new() -> None:
    turnstile = Turnstile(1)
    assert turnstile.enter("first", 0.0) is None
    wait = turnstile.enter("second", 0.0)
    assert wait is not None
    turnstile.leave("first", 1.0)
    assert turnstile.enter("third", wait + 0.1) is not None
    assert turnstile.enter("second", wait + 0.2) is None


def test_a_turn_that_nobody_takes_lapses() -> None:
    turnstile = Turnstile(1)
    turnstile.enter("first", 0.0)
    wait = turnstile.enter("second", 0.0)
    turnstile.leave("first", 1.0)
    assert wait is not None
    assert turnstile.enter("third", wait + 31) is None


@pytest.mark.parametrize(("later", "known"), [(14.0, "cum-1"), (16.0, None)])
def test_what_the_database_said_is_believed_for_seconds(later: float, known: str | None) -> None:
    said = Known()
    said.learn("token", "cum-1", "a" * 64, 100.0)
    assert said.node("token", 100.0 + later) == known
    assert said.is_approved("a" * 64, 100.0 + later) is (known is not None)
    assert said.node("other", 100.0) is None
