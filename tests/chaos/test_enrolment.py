"""The trials of tokens and copied controllers, in short."""

import random

from chaos.enrolment import Clock, alarms, doubled, lonely, site, try_token


def test_no_stolen_late_or_guessed_token_makes_a_stranger_a_pole() -> None:
    chance, clock = random.Random(11), Clock()
    with site(clock) as at:
        tried = [try_token(at, clock, chance) for _ in range(24)]
    assert [what for what, broken in tried if broken] == []
    assert len({what for what, _ in tried}) >= 6


def test_a_copied_controller_is_seen_and_a_single_one_is_not() -> None:
    chance = random.Random(12)
    assert not any(alarms(lonely(chance)) for _ in range(300))
    assert all(alarms(doubled(chance)) for _ in range(300))
