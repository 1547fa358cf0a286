"""The day's bytes and the hours of a link, and that no broadcast is missed for their sake."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract.documents import AirClass, Delivery, FetchHours
from firmware_bridge.node.budget import LEAD, Leave, Meter, leave_for, next_day, next_opening
from firmware_bridge.node.inputs import Arrived, OnDisk
from tests.firmware_bridge.builders import NOON, approved, broadcast, by_server, order, sha
from tests.firmware_bridge.node.pole import Pole

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NIGHT = Delivery(hours=(FetchHours(start="22:00", end="04:30"),), bytes_a_day=5_000_000)
TEN_IN_THE_EVENING = datetime(2026, 3, 15, 15, 0, tzinfo=UTC)
NEWS, STORM = sha("news"), sha("storm")


def leave(by: datetime, now: datetime = NOON, delivery: Delivery = NIGHT, emergency: bool = False) -> Leave:
    return leave_for(by, now, delivery, ZONE, emergency)


def test_what_airs_tomorrow_waits_for_the_night() -> None:
    assert leave(NOON + timedelta(hours=20)) == Leave(after=TEN_IN_THE_EVENING)


def test_what_airs_before_the_night_is_fetched_at_once_and_over_the_limit() -> None:
    assert leave(NOON + timedelta(hours=2)) == Leave(None, pressing=True, outside=True)


def test_in_its_hours_it_is_fetched_and_counts_towards_the_day() -> None:
    midnight = TEN_IN_THE_EVENING + timedelta(hours=2, minutes=5)
    assert leave(NOON + timedelta(days=2), midnight) == Leave()


def test_an_emergency_waits_for_nothing() -> None:
    assert leave(NOON + timedelta(days=3), emergency=True) == Leave(None, pressing=True, outside=True)


def test_without_limits_there_are_none() -> None:
    assert leave(NOON + timedelta(days=3), delivery=Delivery()) == Leave()


clocks = st.times().map(lambda one: one.strftime("%H:%M"))
hours = st.builds(FetchHours, start=clocks, end=st.one_of(clocks, st.just("24:00"))).filter(
    lambda one: one.start != one.end)
moments = st.integers(0, 365 * 24 * 3600).map(lambda seconds: NOON + timedelta(seconds=seconds))


@given(moments, st.lists(hours, max_size=3), st.integers(0, 5 * 24 * 60))
def test_there_is_always_a_chance_before_a_broadcast(now: datetime, listed: list[FetchHours], ahead: int) -> None:
    delivery = Delivery(hours=tuple(listed), bytes_a_day=1)
    by = now + timedelta(minutes=ahead)
    found = leave(by, now, delivery)
    assert found.after is None or now < found.after <= by - LEAD
    assert found.pressing or next_day(now, ZONE) <= by - LEAD
    assert (found.outside or found.after is not None) == (next_opening(now, delivery, ZONE) is not None)


@given(moments, st.lists(hours, min_size=1, max_size=3))
def test_the_next_opening_is_when_it_opens(now: datetime, listed: list[FetchHours]) -> None:
    delivery = Delivery(hours=tuple(listed))
    opening = next_opening(now, delivery, ZONE)
    if opening is not None:
        assert now < opening <= now + timedelta(days=1)
        assert next_opening(opening, delivery, ZONE) is None
        assert next_opening(opening - timedelta(seconds=1), delivery, ZONE) == opening


def test_the_days_bytes_are_counted_over_restarts_and_forgotten_at_midnight(tmp_path: Path) -> None:
    path = tmp_path / "fetched.json"
    meter = Meter(path)
    meter.begin("2026-03-15")
    meter.add(700)
    meter.keep()
    again = Meter(path)
    again.begin("2026-03-15")
    assert again.bytes == 700
    again.begin("2026-03-16")
    assert again.bytes == 0
    path.write_text("torn")
    assert Meter(path).bytes == 0


def test_the_agent_tells_the_cache_what_the_order_allows() -> None:
    pole = Pole().ready()
    soon, later = broadcast("b1", NOON + timedelta(hours=1), NEWS), broadcast("b2", NOON + timedelta(hours=20), STORM)
    pole.receive(by_server(order(soon, later, delivery=NIGHT)))
    assert pole.wanted is not None
    first, second = pole.wanted.wants
    assert (first.leave, second.leave) == (Leave(None, True, True), Leave(after=TEN_IN_THE_EVENING))
    assert (pole.wanted.bytes_a_day, pole.wanted.day) == (5_000_000, "2026-03-15")
    pole.run_until(TEN_IN_THE_EVENING + timedelta(minutes=1))
    assert pole.wanted.wants[-1].leave.after is None


def test_an_emergency_class_broadcast_is_fetched_whenever_it_is_wanted() -> None:
    pole = Pole().ready()
    warning = broadcast("b1", NOON + timedelta(days=2), STORM, air_class=AirClass.EMERGENCY)
    pole.receive(by_server(order(warning, delivery=NIGHT)))
    assert pole.wanted is not None
    assert pole.wanted.wants[0].leave == Leave(None, pressing=True, outside=True)


def test_a_limit_that_was_passed_is_in_the_journal() -> None:
    pole = Pole().ready()
    pole.receive(by_server(order(broadcast("b1", NOON + timedelta(hours=1), NEWS), delivery=NIGHT)))
    pole.disk[NEWS] = OnDisk(NEWS, 1000, (approved(NEWS),))
    pole.take(Arrived(pole.disk[NEWS], over="hours"))
    assert pole.entries("recording_stored")[-1].data["over"] == "hours"
