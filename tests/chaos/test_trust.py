"""The short form of the attacks on who is believed; `make chaos` runs the long one."""

import random
from collections.abc import Callable

import pytest

from chaos.attacks import ATTACKS, Kill, killed, unharmed
from chaos.forgeries import accepts, alter, kinds


@pytest.mark.parametrize("kill", [unharmed, killed])
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_of_tufs_list_does_not_succeed(attack: Callable[[Kill], bool], kill: Kill) -> None:
    assert attack(kill)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_a_good_document_is_believed(kind: object) -> None:
    """Or the refusals below would show nothing."""
    kind.read(kind.good)  # type: ignore[attr-defined]


def test_altered_documents_are_never_believed_and_never_crash_a_reader() -> None:
    draw, every = random.Random(5), kinds()
    assert not [kind.name for kind in every for _ in range(100) if accepts(kind, alter(draw, kind, every))]
