"""What a node is asked: the standing stop that several scopes come to, and fingerprints."""

from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract.documents import StandingStop
from loudspeaker.orders.content import generation_at, standing_stop
from loudspeaker.orders.models import Stop
from tests.loudspeaker.builders import START

STOPS = st.lists(st.builds(
    lambda scope, generation, active: Stop(scope=scope, generation=generation, active=active, at=START),
    st.sampled_from(["all", "place:a", "node:n"]), st.integers(1, 50), st.booleans()), max_size=3)


@given(STOPS, st.integers(0, 60), st.booleans())
def test_a_stop_holds_while_any_scope_is_stopped(stops: list[Stop], generation: int, active: bool) -> None:
    stop = standing_stop(stops, StandingStop(generation=generation, active=active))
    assert stop.active == any(one.active for one in stops)


@given(st.lists(STOPS, min_size=1, max_size=8))
def test_the_generation_grows_with_every_change_of_state_and_never_falls(history: list[list[Stop]]) -> None:
    last = StandingStop()
    for stops in history:
        now = standing_stop(stops, last)
        assert now.generation >= last.generation
        assert now.active == last.active or now.generation > last.generation
        last = now


def test_a_node_that_leaves_a_stopped_group_is_free_again() -> None:
    stopped = standing_stop([Stop(scope="zone:z", generation=7, active=True, at=START)], StandingStop())
    assert standing_stop([], stopped) == StandingStop(generation=8, active=False)


def test_a_later_act_has_a_higher_generation_even_when_the_clock_steps_back() -> None:
    first = generation_at(START, 0)
    assert generation_at(START, first) == first + 1
    assert first == int(START.timestamp() * 1000)
