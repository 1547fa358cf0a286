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


@given(st.floats(-50.0, 50.0), st.floats(-20.0, 20.0), st.lists(st.floats(60.0, 50_000.0), min_size=1, max_size=40))
def test_however_the_crystal_drifts_the_true_time_is_within_the_error_claimed(
    ppm: float, wander_ppm: float, waits: list[float]
) -> None:
    """Asked now and then over days; the pace changes once, within what crystals do, then nobody answers for a week."""
    keeper, mono, true = Timekeeper(), 0.0, NOON
    changed = max(-50.0, min(50.0, ppm + wander_ppm))
    for number, wait_s in enumerate([*waits, 604_800.0]):
        keeper = keeper.with_sample(answered(mono, mono + 0.08, true, true))
        mono += wait_s
        true += timedelta(seconds=wait_s * (1 + (changed if number > len(waits) / 2 else ppm) / 1e6))
    reading = keeper.read(Moment(true, mono))
    assert reading.error_s is not None
    assert abs((reading.now - true).total_seconds()) <= reading.error_s + 0.05


def test_answers_over_hours_tell_the_crystals_pace_and_halve_the_growth_of_the_error() -> None:
    keeper, mono, true = Timekeeper(), 0.0, NOON
    for _ in range(50):
        keeper = keeper.with_sample(answered(mono, mono + 0.04, true + timedelta(seconds=0.02), true + timedelta(
            seconds=0.02)))
        mono, true = mono + 900.0, true + timedelta(seconds=900.0 * (1 + 42e-6))
    assert abs(keeper.pace.gain - 42e-6) < 2e-6
    later = keeper.read(Moment(NOON, mono + 7 * 86_400))
    assert later.error_s is not None
    assert later.error_s < 15
    off = (later.now - true - timedelta(seconds=7 * 86_400 * (1 + 42e-6))).total_seconds()
    assert abs(off) < 1


def test_a_system_clock_that_the_signed_time_contradicts_is_not_believed_however_sure_it_is() -> None:
    keeper = Timekeeper((Sample(NOON, 100.0, 0.05),))
    reading = keeper.read(Moment(NOON + timedelta(days=400), 100.0, 0.001))
    assert (reading.now, reading.source, reading.contradicted) == (NOON, "exchange", True)
    agreed = keeper.read(Moment(NOON + timedelta(seconds=0.04), 100.0, 0.001))
    assert (agreed.source, agreed.contradicted) == ("system", False)


def test_a_new_answer_that_contradicts_the_old_ones_replaces_them() -> None:
    """The server's clock was set right."""
    keeper = Timekeeper((Sample(NOON, 100.0, 0.01),))
    fresh = Sample(NOON + timedelta(hours=1), 110.0, 0.2)
    assert keeper.with_sample(fresh).samples == (fresh,)


def test_a_hostile_system_clock_cannot_make_the_node_refuse_the_server() -> None:
    ahead = Moment(NOON + timedelta(days=3000), 100.0, 0.001)
    keeper = Timekeeper().noted(ahead)
    assert keeper.lower_bound is None
    again = keeper.with_sample(Sample(NOON, 200.0, 0.02))
    assert again.read(Moment(NOON, 200.0)).now == NOON
    assert again.read(Moment(NOON, 200.0)).state is TimeState.TRUSTED


def test_what_the_server_has_vouched_for_binds_the_server_too() -> None:
    keeper = Timekeeper().with_sample(Sample(NOON, 100.0, 0.02)).noted(Moment(NOON, 100.0))
    assert keeper.is_too_early(NOON - timedelta(minutes=6))
    assert not keeper.is_too_early(NOON - timedelta(minutes=4))


def test_a_clock_that_was_only_kept_by_a_battery_is_no_word_of_the_server() -> None:
    by_battery = Timekeeper((Sample(NOON, 100.0, 2.0, signed=False),)).noted(Moment(NOON, 100.0))
    assert by_battery.lower_bound is None


def test_a_synchronised_clock_behind_what_was_known_is_not_believed() -> None:
    keeper = Timekeeper(lower_bound=NOON)
    assert keeper.read(Moment(NOON - timedelta(hours=1), 0.0, 0.01)).state is TimeState.UNTRUSTED
    assert keeper.read(Moment(NOON - timedelta(minutes=1), 0.0, 0.01)).state is TimeState.TRUSTED
