"""The limit on one node's acts."""

from datetime import UTC, datetime, timedelta

from firmware_bridge.bridge.throttle import Throttle

NOON = datetime(2026, 3, 15, 5, 0, tzinfo=UTC)


def test_each_name_has_its_own_limit_and_a_new_stretch_begins_anew() -> None:
    throttle = Throttle(2, timedelta(seconds=1))
    assert [throttle.allows("n1", NOON) for _ in range(3)] == [True, True, False]
    assert throttle.allows("n2", NOON)
    assert throttle.allows("n1", NOON + timedelta(seconds=1))


def test_a_clock_set_back_does_not_silence_anybody() -> None:
    throttle = Throttle(1, timedelta(seconds=1))
    assert throttle.allows("n1", NOON)
    assert throttle.allows("n1", NOON - timedelta(hours=1))
