"""What goes when the disk is full: never what a held order still needs."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract.documents import AirClass
from firmware_bridge.contract.topics import Down
from firmware_bridge.node.cache import Held, chosen_to_go
from tests.firmware_bridge.builders import NOON, broadcast, by_server, order, play_now, sha
from tests.firmware_bridge.node.pole import Pole

files = st.lists(st.builds(Held, st.integers(0, 30).map(str), st.integers(1, 1000), st.floats(0, 1e9)),
                 unique_by=lambda one: one.name, max_size=20)


@given(files, st.sets(st.integers(0, 30).map(str)), st.integers(-100, 8000))
def test_never_what_is_needed_and_never_in_vain(held: list[Held], needed: set[str], lacking: int) -> None:
    gone = chosen_to_go(held, needed, lacking)
    sizes = {one.name: one.bytes for one in held}
    spare = sum(size for name, size in sizes.items() if name not in needed)
    if gone is None:
        assert spare < lacking
        return
    assert not set(gone) & needed
    assert sum(sizes[name] for name in gone) >= lacking
    assert not gone or sum(sizes[name] for name in gone[:-1]) < lacking


@given(files, st.sets(st.integers(0, 30).map(str)), st.integers(1, 8000))
def test_what_was_needed_last_goes_last(held: list[Held], needed: set[str], lacking: int) -> None:
    gone = chosen_to_go(held, needed, lacking)
    at = {one.name: one.needed_at for one in held}
    stay = [at[one] for one in at if gone is not None and one not in gone and one not in needed]
    assert all(at[name] <= min(stay, default=at[name]) for name in gone or ())


def test_all_that_an_order_may_still_sound_is_needed() -> None:
    """Broadcasts of coming days, prepared emergencies, and one that is asked for now."""
    news, siren, flood = sha("news"), sha("siren"), sha("flood")
    pole = Pole().ready()
    held = order(broadcast("b1", NOON + timedelta(days=3), news), broadcast("b2", NOON + timedelta(days=4), siren,
                                                                          air_class=AirClass.EMERGENCY))
    pole.receive(by_server(held.model_copy(update={"prepared": (siren,)})))
    pole.receive(by_server(play_now("p1", flood)), Down.COMMAND)
    assert pole.wanted is not None
    assert {news, siren, flood} <= pole.wanted.needed
