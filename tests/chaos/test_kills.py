"""A few of the kills of `make chaos`, over the same real files."""

from chaos import kills


def test_a_pole_killed_at_its_crash_points_ends_every_broadcast_once_and_repeats_none() -> None:
    result = kills.run(40, seed=1)
    assert result.broken == ()
    assert result.kills.total() >= 40
    assert len(result.kills) > len(kills.POINTS) / 2
