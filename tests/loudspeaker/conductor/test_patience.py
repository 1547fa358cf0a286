"""The flag that stops a render."""

import time

from loudspeaker.conductor.processing import Patience


def test_it_is_over_when_its_time_is_up() -> None:
    patience = Patience()
    assert not patience.is_set()
    patience.begin(0.01)
    time.sleep(0.02)
    assert patience.is_set()
    assert patience.is_over()


def test_who_cancels_ends_it_before() -> None:
    patience = Patience()
    patience.begin(60)
    patience.set()
    assert patience.is_set()
    assert not patience.is_over()
