"""What an honest day looks like."""

from datetime import timedelta

from firmware_bridge.contract.documents import AirClass
from firmware_bridge.contract.topics import Down
from tests.firmware_bridge.builders import NOON, approved, broadcast, by_server, order, sha
from tests.firmware_bridge.node.pole import Pole

NEWS, NOTICE, ALARM = sha("news"), sha("notice"), sha("alarm")


def after(seconds: float) -> object:
    return NOON + timedelta(seconds=seconds)


def ready(*recordings: str) -> Pole:
    pole = Pole().ready()
    for one in recordings:
        pole.store(one, approved(one))
    return pole


def test_an_approved_recording_in_a_signed_order_airs_at_its_instant() -> None:
    pole = ready(NEWS)
    pole.receive(by_server(order(broadcast("b1", NOON + timedelta(seconds=30), NEWS))), Down.ORDER)
    pole.run_for(120)
    assert [(one.recording, one.at, one.from_ms, one.to_ms) for one in pole.heard] == [(NEWS, after(30), 0, 60_000)]
    (end,) = pole.ends("b1")
    assert end.kind == "play_end"
    assert end.data["state"] == "played"
    assert end.data["heard_ms"] == 60_000
    assert end.data["start_error_ms"] == 0
    assert end.data["peak_dbfs"] == -6.0


def test_the_start_is_on_the_disk_before_the_first_sample() -> None:
    pole = ready(NEWS)
    pole.receive(by_server(order(broadcast("b1", NOON + timedelta(seconds=30), NEWS))))
    pole.run_until(NOON + timedelta(seconds=29.5))
    assert pole.entries("play_start", "b1")
    assert not pole.heard


def test_the_amplifier_is_on_only_while_something_airs() -> None:
    pole = ready(NEWS)
    pole.receive(by_server(order(broadcast("b1", NOON + timedelta(seconds=30), NEWS))))
    switched = []
    for seconds in (20, 20, 80):
        pole.run_for(seconds)
        switched.append(pole.amplifier)
    assert switched == [False, True, False]


def test_a_higher_class_interrupts_and_the_item_starts_again() -> None:
    pole = ready(NEWS)
    pole.store(NOTICE, approved(NOTICE, air_class=AirClass.PRIORITY, duration_ms=20_000))
    pole.receive(by_server(order(
        broadcast("a", NOON + timedelta(seconds=10), NEWS),
        broadcast("p", NOON + timedelta(seconds=30), NOTICE, air_class=AirClass.PRIORITY),
        lengths={NOTICE: 20_000})))
    pole.run_for(180)
    assert [(one.recording, one.at, one.from_ms, one.to_ms) for one in pole.heard] == [
        (NEWS, after(10), 0, 20_000), (NOTICE, after(30), 0, 20_000), (NEWS, after(50), 0, 60_000)]
    assert pole.ends("a")[0].data["state"] == "played"
    assert pole.entries("preempted", "a")[0].data["by"] == "p"
    assert pole.entries("resumed", "a")
