from __future__ import annotations

from hypothesis import given, settings

from schedules import Airing, Meeting, collisions, default_policy
from tests.schedules.builders import EMERGENCY, PRIORITY, airing, airings, local, wall

BULLETIN = airing("a", local("05:00"), 60, 60, gap=5)


def test_equal_classes_at_one_node_are_refused() -> None:
    (collision,) = collisions([airing("new", local("05:02"), 60)], {"n1": [BULLETIN], "n2": [], "n3": [BULLETIN]})
    assert (collision.kind, collision.new_id, collision.other_id) == (Meeting.REFUSED, "new", "a")
    assert collision.nodes == ("n1", "n3")
    assert [wall(instant) for instant in collision.overlap] == ["05:02:00", "05:02:05"]
    assert collision.lost_ms is None


def test_broadcasts_that_touch_do_not_collide() -> None:
    touching = [airing("before", local("04:59"), 60), airing("after", local("05:02:05"), 60)]
    assert collisions(touching, {"n1": [BULLETIN]}) == []


def test_a_higher_class_shows_what_the_lower_one_loses() -> None:
    (harmless,) = collisions([airing("p", local("05:01:30"), 45, air_class=PRIORITY)], {"n1": [BULLETIN]})
    assert (harmless.kind, harmless.lost_ms, harmless.expected_state) == (Meeting.PRE_EMPTS, 0, "played")
    (harmful,) = collisions([airing("p", local("05:01:30"), 240, air_class=PRIORITY)], {"n1": [BULLETIN]})
    assert (harmful.lost_ms, harmful.expected_state) == (35_000, "partial")


def test_a_new_one_of_lower_class_shows_what_it_loses_itself() -> None:
    (collision,) = collisions([BULLETIN], {"n1": [airing("p", local("05:00"), 40, air_class=PRIORITY)]})
    assert (collision.kind, collision.new_id, collision.lost_ms) == (Meeting.PRE_EMPTED, "a", 40_000)


def test_the_loss_is_that_of_the_node_that_loses_most_and_minds_the_frame() -> None:
    late = airing("a", local("06:28"), 60, 50, gap=5)
    new = airing("p", local("06:29:30"), 30, air_class=PRIORITY)
    emergency = airing("e", local("06:28:10"), 200, air_class=EMERGENCY)
    (free,) = collisions([new], {"n1": [late]})
    (framed,) = collisions([new], {"n1": [late]}, {"n1": default_policy("xa")})
    assert (free.lost_ms, framed.lost_ms) == (0, 25_000)
    found = collisions([new], {"n1": [late], "n2": [late, emergency]})
    assert [(c.other_id, c.nodes, c.lost_ms, c.kind) for c in found] == [
        ("a", ("n1", "n2"), 100_000, "pre_empts"),
        ("e", ("n2",), 30_000, "pre_empted"),
    ]


def test_occurrences_of_one_programme_must_not_meet_one_another() -> None:
    hourly = [airing("h1", local("05:00"), 3700), airing("h2", local("06:00"), 3700)]
    (collision,) = collisions(hourly, {"n1": [], "n2": []})
    assert (collision.kind, {collision.new_id, collision.other_id}) == (Meeting.REFUSED, {"h1", "h2"})
    assert collision.nodes == ("n1", "n2")


@settings(deadline=None)
@given(airings(), airings())
def test_every_overlap_with_a_new_broadcast_is_found_once_and_no_other(
    new: list[Airing], existing: list[Airing],
) -> None:
    new = [b.moved_to(b.start) for b in new]
    existing = [type(b)(f"old-{b.broadcast_id}", b.start, b.latest_start, b.air_class, b.items) for b in existing]
    found = [frozenset((c.new_id, c.other_id)) for c in collisions(new, {"n1": existing})]
    expected = {
        frozenset((one.broadcast_id, other.broadcast_id))
        for one in new
        for other in [*new, *existing]
        if one is not other and one.start < other.end and other.start < one.end
    }
    assert len(found) == len(set(found))
    assert set(found) == expected
