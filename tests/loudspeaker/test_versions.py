"""Versions only grow, whatever the clock and the database say."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from loudspeaker.versions import BEGINNING, made_at, next_version

moments = st.integers(-10**6, 10**9).map(lambda seconds: BEGINNING + timedelta(seconds=seconds))


@given(st.integers(0, 2**31), moments)
def test_a_version_is_above_the_last_one_and_not_before_its_second(last: int, now: object) -> None:
    version = next_version(last, now)  # type: ignore[arg-type]
    assert version > last
    assert version >= 1
    assert made_at(version) + timedelta(seconds=1) > now  # type: ignore[operator]


def test_a_restored_server_stays_above_what_it_has_forgotten() -> None:
    forgotten = next_version(next_version(0, BEGINNING + timedelta(days=100)), BEGINNING + timedelta(days=100))
    assert next_version(0, BEGINNING + timedelta(days=100, seconds=2)) > forgotten
