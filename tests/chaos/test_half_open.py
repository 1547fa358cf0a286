"""A connection that dies without a word is seen by both sides."""

from chaos.half_open import LIMIT_S, seen_by_node, seen_by_server


def test_the_server_sees_every_dead_node_within_a_hundred_seconds() -> None:
    seen = seen_by_server(60, seed=3)
    assert 90 < max(seen) <= LIMIT_S


def test_a_node_gives_up_a_black_hole_after_twice_its_keepalive() -> None:
    assert 1.5 <= seen_by_node(keepalive_s=2) <= 6
