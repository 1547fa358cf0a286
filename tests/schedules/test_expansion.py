from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules import NaiveInstant, broadcast_id, horizon
from tests.schedules.builders import HANOI, NOON


def test_the_id_of_a_broadcast_never_changes() -> None:
    assert broadcast_id("programme", NOON) == "70e01929-0297-59cb-a82c-ae909d7bbb40"


@given(st.text(), st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001
def test_the_zone_in_which_an_occurrence_is_told_does_not_change_its_id(programme: str, occurrence: datetime) -> None:
    assert broadcast_id(programme, occurrence) == broadcast_id(programme, occurrence.astimezone(HANOI))


def test_other_programmes_and_other_occurrences_have_other_ids() -> None:
    assert len({broadcast_id("a", NOON), broadcast_id("b", NOON), broadcast_id("a", NOON + timedelta(seconds=1))}) == 3


def test_the_horizon_rolls_eight_days_ahead_in_utc() -> None:
    start, end = horizon(NOON.astimezone(HANOI))
    assert (start, end) == (NOON, NOON + timedelta(days=8))
    assert start.tzinfo is UTC


def test_naive_instants_are_refused() -> None:
    naive = datetime(2026, 3, 15)  # noqa: DTZ001 - the point of the test
    with pytest.raises(NaiveInstant):
        horizon(naive)
    with pytest.raises(NaiveInstant):
        broadcast_id("a", naive)
