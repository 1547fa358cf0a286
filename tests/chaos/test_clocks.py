"""A little of what `make chaos` does to a pole's clocks."""

from chaos import clocks


def test_a_pole_whose_clocks_lie_plays_nothing_at_a_wrong_time_and_nothing_twice() -> None:
    result = clocks.run(2000, seed=5, per_pole=700)
    assert result.broken == ()
    assert result.heard > 10
