"""When to try again."""

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.wire import Backoff

DRAWS = st.floats(0, 1, exclude_max=True)


def test_the_longest_wait_doubles_up_to_its_cap() -> None:
    assert [Backoff(1, 60).delay_s(failures, 1, 1.0) for failures in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_with_several_addresses_all_are_tried_before_the_wait_grows() -> None:
    assert [Backoff(1, 60).delay_s(failures, 3, 1.0) for failures in range(1, 8)] == [1, 1, 1, 2, 2, 2, 4]


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 10), DRAWS)
def test_a_wait_is_never_negative_nor_above_the_cap(failures: int, addresses: int, draw: float) -> None:
    assert 0 <= Backoff(0.5, 30).delay_s(failures, addresses, draw) < 30


@settings(deadline=None)
@given(DRAWS)
def test_the_jitter_is_full(draw: float) -> None:
    assert Backoff(1, 60).delay_s(4, 1, draw) == draw * 8
