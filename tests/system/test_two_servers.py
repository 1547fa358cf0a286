"""Two servers by mistake on one database: one leads, the other is told so, and a frozen one wakes up powerless."""

from chaos.frame import Scale
from chaos.rows.server import two_servers


def test_the_second_is_refused_with_a_sentence_and_a_frozen_leader_ends_when_it_wakes() -> None:
    seen = two_servers(Scale(long=False, seed=1))
    assert seen.met, seen
