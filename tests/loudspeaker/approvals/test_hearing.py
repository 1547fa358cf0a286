"""What counts as heard."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loudspeaker.approvals import hearing
from loudspeaker.approvals.hearing import credited, is_complete, merged, plausible_ms, total_ms
from tests.loudspeaker.commune import Commune, ready

DURATION = 60_000
moments = st.integers(min_value=-1000, max_value=DURATION + 1000)
claims = st.lists(st.tuples(moments, moments), max_size=12)


@given(claims)
def test_merged_stretches_are_in_order_apart_and_inside(given_claims: list[tuple[int, int]]) -> None:
    result = merged(given_claims, DURATION)
    assert all(0 <= start < end <= DURATION for start, end in result)
    assert all(before[1] < after[0] for before, after in pairwise(result))


@given(claims)
def test_merging_keeps_all_that_was_claimed_and_adds_nothing(given_claims: list[tuple[int, int]]) -> None:
    result = merged(given_claims, DURATION)
    for start, end in given_claims:
        inside = (max(0, start), min(DURATION, end))
        if inside[0] < inside[1]:
            assert any(low <= inside[0] and inside[1] <= high for low, high in result)
    claimed = sum(max(0, min(DURATION, end) - max(0, start)) for start, end in given_claims)
    assert total_ms(result) <= claimed


@given(claims)
def test_order_does_not_matter_and_merging_twice_changes_nothing(given_claims: list[tuple[int, int]]) -> None:
    result = merged(given_claims, DURATION)
    assert merged(list(reversed(given_claims)), DURATION) == result
    assert merged(result, DURATION) == result


@given(claims, claims, st.integers(min_value=0, max_value=DURATION * 2))
def test_no_more_counts_than_time_allows_and_nothing_held_is_lost(
        before: list[tuple[int, int]], more: list[tuple[int, int]], allowed: int) -> None:
    held = merged(before, DURATION)
    result = credited(held, merged(more, DURATION), DURATION, allowed)
    assert total_ms(result) <= max(allowed, total_ms(held))
    assert merged([*result, *held], DURATION) == result


@given(claims, claims)
def test_with_time_enough_everything_counts(before: list[tuple[int, int]], more: list[tuple[int, int]]) -> None:
    assert credited(merged(before, DURATION), more, DURATION, DURATION) == merged([*before, *more], DURATION)


@given(st.lists(st.integers(min_value=1, max_value=30), min_size=1, max_size=40))
def test_who_listens_at_one_and_a_half_speed_is_always_credited(pauses: list[int]) -> None:
    held: list[tuple[int, int]] = []
    position, passed = 0, 0
    for seconds in pauses:
        before, passed, position = position, passed + seconds, position + seconds * 1500
        held = credited(held, [(before, position)], 10**9, plausible_ms(passed))
    assert total_ms(held) == position


def test_the_last_hundredth_may_be_missing() -> None:
    assert is_complete([(0, 59_400)], DURATION)
    assert not is_complete([(0, 59_000)], DURATION)
    assert not is_complete([], 0)


@pytest.fixture
def recording(commune: Commune) -> str:
    return ready(commune, duration_ms=30_000)


def post(commune: Commune, recording: str, *intervals: list[int], rate: float = 1.0) -> dict[str, object]:
    answer = commune.client(commune.approver).post(f"/api/v1/recordings/{recording}/heard",
                                                   json={"intervals": intervals, "rate": rate})
    assert answer.status_code == 200, answer.text
    said: dict[str, object] = answer.json()
    return said


def test_a_client_cannot_claim_it_all_at_once(commune: Commune, recording: str) -> None:
    told = post(commune, recording, [0, 30_000])
    assert (told["heard_ms"], told["complete"]) == (hearing.HEAD_START_MS, False)
    commune.clock.forward(timedelta(seconds=4))
    assert post(commune, recording, [0, 30_000])["heard_ms"] == 16_000
    assert post(commune, recording, [0, 30_000], rate=3.0)["heard_ms"] == 16_000


def test_what_was_heard_adds_up_across_devices(commune: Commune, recording: str) -> None:
    desk, phone = commune.client(commune.approver), commune.client(commune.approver)
    address = f"/api/v1/recordings/{recording}"
    duration = desk.get(address).json()["duration_ms"]
    desk.get(f"{address}/audio")
    commune.clock.forward(timedelta(seconds=12))
    first = desk.post(f"{address}/heard", json={"intervals": [[0, 15_000]]}).json()
    assert not first["complete"]
    commune.clock.forward(timedelta(seconds=15))
    second = phone.post(f"{address}/heard", json={"intervals": [[14_000, duration]]}).json()
    assert second["complete"]
    assert second["intervals"] == [[0, duration]]
