"""The listening tracker: only what was really played, at most one and a half times as fast, counts."""

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.conftest import Node

IMPORTS = 'import { Listening, covers, merged, total } from "src/heard";\n'


def listened(in_node: Node, reports: Sequence[tuple[float, float, float]]) -> list[list[int]]:
    """What counts after reports of (position ms, wall clock ms, rate)."""
    calls = "".join(f"listening.hear({position}, {now}, {rate});" for position, now, rate in reports)
    heard = in_node(f"{IMPORTS} const listening = new Listening(); {calls} listening.rest(); answer(listening.take());")
    assert isinstance(heard, list)
    return heard


def test_playing_through_counts_from_start_to_end(in_node: Node) -> None:
    assert listened(in_node, [(at, at, 1) for at in range(0, 4001, 250)]) == [[0, 4000]]


def test_a_jump_ahead_leaves_a_gap(in_node: Node) -> None:
    reports = [(0, 0, 1), (250, 250, 1), (3000, 500, 1), (3250, 750, 1)]
    assert listened(in_node, reports) == [[0, 250], [3000, 3250]]


def test_a_jump_back_hears_the_same_part_twice_and_counts_it_once(in_node: Node) -> None:
    assert listened(in_node, [(0, 0, 1), (500, 500, 1), (100, 600, 1), (400, 900, 1)]) == [[0, 500]]


@pytest.mark.parametrize(("rate", "heard"), [(1.5, [[0, 1500]]), (2, [])])
def test_faster_than_one_and_a_half_does_not_count(in_node: Node, rate: float, heard: list[list[int]]) -> None:
    assert listened(in_node, [(at * rate, at, rate) for at in range(0, 1001, 250)]) == heard


def test_what_goes_on_is_reported_in_pieces_without_a_gap(in_node: Node) -> None:
    assert in_node(f"""{IMPORTS}
      const listening = new Listening();
      listening.hear(0, 0, 1); listening.hear(250, 250, 1);
      const first = listening.take();
      listening.hear(500, 500, 1); listening.rest();
      answer([first, listening.take(), listening.take()]);
    """) == [[[0, 250]], [[250, 500]], []]


def test_a_report_that_was_not_taken_is_sent_again(in_node: Node) -> None:
    assert in_node(f"""{IMPORTS}
      const listening = new Listening();
      listening.hear(0, 0, 1); listening.hear(250, 250, 1); listening.rest();
      listening.giveBack(listening.take());
      answer(listening.take());
    """) == [[0, 250]]


def test_merging_keeps_every_heard_millisecond_once(in_node: Node) -> None:
    samples: list[list[tuple[int, int]]] = []

    pairs = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair)))

    @given(st.lists(pairs, max_size=8))
    def collect(intervals: list[tuple[int, int]]) -> None:
        samples.append(intervals)

    collect()
    answers = in_node(f"{IMPORTS} answer({json.dumps(samples)}.map((s) => [merged(s as never), total(s as never)]));")
    for intervals, (united, length) in zip(samples, answers, strict=True):
        milliseconds = {at for start, end in intervals for at in range(start, end)}
        assert {at for start, end in united for at in range(start, end)} == milliseconds
        assert length == len(milliseconds)
        assert all(before[1] < after[0] for before, after in pairwise(united))
