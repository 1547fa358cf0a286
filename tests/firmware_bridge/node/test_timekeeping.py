"""How late it is, and how sure the node may be."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract.messages import TimeState
from firmware_bridge.node.timekeeping import SAMPLES, Moment, Sample, Timekeeper, answered
from tests.firmware_bridge.builders import NOON

DELAYS = st.floats(0.0, 2.0)


@given(st.lists(st.tuples(DELAYS, DELAYS), min_size=1, max_size=40), st.floats(-1e6, 1e6))
def test_the_true_time_is_always_within_the_error_claimed(trips: list[tuple[float, float]], off_s: float) -> None:
    keeper, mono = Timekeeper(), 0.0
    for there, back in trips:
        server = NOON + timedelta(seconds=mono + there)
        keeper = keeper.with_sample(answered(mono, mono + there + back, server, server))
        mono += there + back + 1.0
    true = NOON + timedelta(seconds=mono)
    reading = keeper.read(Moment(true + timedelta(seconds=off_s), mono))
    assert reading.error_s is not None
    assert abs((reading.now - true).total_seconds()) <= reading.error_s
    assert len(keeper.samples) <= SAMPLES


def test_the_shortest_trip_counts_not_the_last() -> None:
    good = answered(0.0, 0.02, NOON, NOON)
    bad = answered(10.0, 11.0, NOON + timedelta(seconds=10), NOON + timedelta(seconds=10))
    assert Timekeeper((good, bad)).best(20.0) == good


def test_an_old_good_answer_gives_way_to_a_fresh_fair_one() -> None:
    old, fresh = Sample(NOON, 0.0, 0.001), Sample(NOON + timedelta(hours=5), 18_000.0, 0.1)
    assert Timekeeper((old, fresh)).best(18_010.0) == fresh


def test_the_servers_own_time_to_answer_is_not_part_of_the_trip() -> None:
    received, sent = NOON, NOON + timedelta(seconds=3)
    sample = answered(0.0, 3.04, received, sent)
    assert sample.error_s < 0.03


def test_setting_the_system_clock_does_not_move_the_exchanged_time() -> None:
    keeper = Timekeeper((Sample(NOON, 100.0, 0.01),))
    for off in (-86_400, 0, 86_400):
        assert keeper.read(Moment(NOON + timedelta(seconds=off), 100.0)).now == NOON


@pytest.mark.parametrize(("error_s", "state"), [
    (0.01, TimeState.TRUSTED), (0.5, TimeState.TRUSTED), (0.6, TimeState.HOLDOVER), (60.0, TimeState.HOLDOVER),
    (61.0, TimeState.UNTRUSTED), (None, TimeState.UNTRUSTED)])
def test_the_state_follows_from_the_error(error_s: float | None, state: TimeState) -> None:
    assert Timekeeper().read(Moment(NOON, 0.0, error_s)).state is state


def test_a_synchronised_clock_behind_what_was_known_is_not_believed() -> None:
    keeper = Timekeeper(lower_bound=NOON)
    assert keeper.read(Moment(NOON - timedelta(hours=1), 0.0, 0.01)).state is TimeState.UNTRUSTED
    assert keeper.read(Moment(NOON - timedelta(minutes=1), 0.0, 0.01)).state is TimeState.TRUSTED
