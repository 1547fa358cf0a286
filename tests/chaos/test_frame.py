"""The frame of the matrices: what counts as met, how sure that is, and that no row can end the run."""

from chaos import child, frame
from chaos.frame import Outcome, Row, Scale
from chaos.planted import MUTANTS

SCALE = Scale(long=False, seed=7)


def test_a_promise_is_met_only_when_it_was_tried_and_never_broken() -> None:
    assert Outcome(10, 0).met
    assert not Outcome(0, 0).met
    assert not Outcome(10, 1).met


def test_the_bound_of_a_promise_never_broken_is_about_three_in_n() -> None:
    assert abs(Outcome(300, 0).bound - 0.00994) < 0.0001
    assert Outcome(300, 3).bound > Outcome(300, 0).bound
    assert Outcome(0, 0).bound == 1.0


def test_rows_have_names_of_their_own_and_belong_to_a_matrix() -> None:
    assert {row.table for row in frame.all_rows()} <= {"faults", "attacks"}


def test_a_row_that_nobody_knows_fails_and_says_why() -> None:
    seen = child.run_apart(Row("faults", "no such row", "none", lambda _: Outcome(1, 0)), SCALE)
    assert not seen.met
    assert seen.failure


def test_every_planted_bug_changes_something_and_names_its_check() -> None:
    assert len({one.name for one in MUTANTS}) == len(MUTANTS)
    for one in MUTANTS:
        assert one.line != one.planted
        assert one.checks
