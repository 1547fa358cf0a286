"""Stops, emergencies, revocations and cancellations: what the node obeys, also when it was away."""

from datetime import timedelta

from firmware_bridge.contract.documents import AirClass, CommandKind, StandingStop
from firmware_bridge.contract.topics import Down
from firmware_bridge.node.effects import Fetch, SetVolume
from firmware_bridge.node.inputs import Disconnected, SelfTested, Spoiled
from tests.firmware_bridge.builders import NOON, approved, broadcast, by_server, command, order, play_now, sha, stop
from tests.firmware_bridge.node.pole import Pole

NEWS, OTHER, ALARM = sha("news"), sha("other"), sha("alarm")
SOON = NOON + timedelta(seconds=30)


def ready(*recordings: str) -> Pole:
    pole = Pole().ready()
    for one in recordings or (NEWS,):
        pole.store(one, approved(one, air_class=AirClass.EMERGENCY))
    return pole


def fetch_of(pole: Pole) -> Fetch:
    assert pole.wanted
    return pole.wanted


def heard_of(pole: Pole) -> list[tuple[str, float, int, int]]:
    return [(one.recording, (one.at - NOON).total_seconds(), one.from_ms, one.to_ms) for one in pole.heard]


def test_a_stop_silences_at_once_and_holds() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS), broadcast("b2", SOON + timedelta(minutes=5), NEWS))))
    pole.run_for(50)
    pole.receive(by_server(stop(1)), Down.COMMAND)
    assert not pole.playing
    pole.run_for(900)
    (end,) = pole.ends("b1")
    assert (end.data["state"], end.data["heard_ms"], end.data["reason"]) == ("partial", 20_000, "stopped")
    assert pole.ends("b2")[0].data["reason"] == "stopped"
    assert heard_of(pole) == [(NEWS, 30.0, 0, 20_000)]


def test_a_stop_is_written_before_it_acts() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.run_for(28)
    effects = pole.receive(by_server(stop(1)), Down.COMMAND)
    kinds = [type(one).__name__ for one in effects]
    assert kinds.index("Write") < kinds.index("Silence")


def test_a_node_away_during_the_stop_is_silent_on_return() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.take(Disconnected("link lost"))
    pole.run_for(20)
    pole.connect()
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS), version=2,
                                 standing_stop=StandingStop(generation=3, active=True))))
    pole.run_for(900)
    assert not pole.heard
    assert pole.ends("b1")[0].data["reason"] == "stopped"


def test_a_stop_holds_over_a_kill() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.receive(by_server(stop(1)), Down.COMMAND)
    pole.kill(5)
    pole.run_for(900)
    assert not pole.heard
    assert pole.ends("b1")[0].data["reason"] == "stopped"


def test_a_lifted_stop_lets_a_broadcast_join_its_neighbours() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.receive(by_server(stop(1)), Down.COMMAND)
    pole.run_for(50)
    pole.receive(by_server(stop(2, active=False, issued=NOON + timedelta(seconds=50))), Down.COMMAND)
    pole.run_for(100)
    assert heard_of(pole) == [(NEWS, 50.0, 20_000, 60_000)]
    assert pole.ends("b1")[0].data["reason"] == "late"


def test_a_stop_is_obeyed_even_when_the_time_is_unknown() -> None:
    pole = Pole(clock_error_s=None)
    pole.connect()
    pole.receive(by_server(stop(1)), Down.COMMAND)
    assert pole.state.stop.active
    pole.receive(by_server(command("v", CommandKind.VOLUME, volume=10)), Down.COMMAND)
    assert pole.refusals("command_refused") == ["clock"]


def test_a_revoked_recording_stops_at_once_and_the_next_goes_on() -> None:
    pole = ready(NEWS, OTHER)
    both = broadcast("b1", SOON, NEWS, OTHER, gap_ms=2000)
    pole.receive(by_server(order(both)))
    pole.run_for(50)
    pole.receive(by_server(order(both, version=2, revoked=(NEWS,))))
    pole.run_for(200)
    assert heard_of(pole) == [(NEWS, 30.0, 0, 20_000), (OTHER, 52.0, 0, 60_000)]
    (end,) = pole.ends("b1")
    assert (end.data["state"], end.data["reason"]) == ("partial", "revoked")
    assert NEWS in pole.removed
    assert pole.entries("recording_removed")[0].data["reason"] == "revoked"


def test_a_broadcast_of_revoked_recordings_only_is_missed() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS), revoked=(NEWS,), recordings=())))
    pole.run_for(900)
    assert not pole.heard
    assert pole.ends("b1")[0].data["reason"] == "revoked"


def test_a_newer_approval_counts_again_after_a_revocation() -> None:
    pole = ready()
    pole.receive(by_server(order(revoked=(NEWS,))))
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS), version=2)))
    pole.store(NEWS, approved(NEWS, issued=NOON - timedelta(hours=1)))
    pole.run_for(10)
    assert not pole.state.stored[NEWS].approved or pole.state.revoked[NEWS] > NOON - timedelta(hours=1)
    pole.store(NEWS, approved(NEWS, issued=NOON))
    pole.run_for(200)
    assert pole.ends("b1")[0].data["state"] == "played"


def test_what_an_order_no_longer_lists_is_cancelled_once() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.receive(by_server(order(version=2)))
    assert not pole.ends("b1")
    pole.run_for(900)
    assert [one.data["reason"] for one in pole.ends("b1")] == ["cancelled"]
    assert not pole.heard


def test_what_is_listed_again_in_time_airs() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.receive(by_server(order(version=2)))
    pole.kill(5)
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS), version=3)))
    pole.run_for(900)
    assert [one.data.get("state") for one in pole.ends("b1")] == ["played"]


def test_what_is_cancelled_while_it_plays_ends_at_once() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.run_for(50)
    pole.receive(by_server(order(version=2)))
    pole.run_for(300)
    (end,) = pole.ends("b1")
    assert (end.data["state"], end.data["heard_ms"], end.data["reason"]) == ("partial", 20_000, "cancelled")


def test_an_emergency_plays_at_once_and_the_bulletin_goes_on_after_it() -> None:
    pole = ready(NEWS)
    pole.store(ALARM, approved(ALARM, air_class=AirClass.EMERGENCY, duration_ms=10_000))
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.run_for(50)
    pole.receive(by_server(play_now("c1", ALARM, issued=NOON + timedelta(seconds=50))), Down.COMMAND)
    pole.run_for(200)
    assert [one[0] for one in heard_of(pole)] == [NEWS, ALARM, NEWS]
    assert heard_of(pole)[1][1] < 50.2
    (end,) = pole.ends("now-c1")
    assert end.data["state"] == "played"
    assert pole.ends("b1")[0].data["state"] == "played"


def test_an_emergency_waits_for_its_recording() -> None:
    pole = ready(NEWS)
    pole.receive(by_server(play_now("c1", ALARM)), Down.COMMAND)
    assert [one.sha256 for one in fetch_of(pole).wants] == [ALARM]
    pole.run_for(20)
    assert not pole.heard
    pole.store(ALARM, approved(ALARM, air_class=AirClass.EMERGENCY, duration_ms=10_000))
    pole.run_for(30)
    assert pole.ends("now-c1")[0].data["state"] == "played"


def test_an_emergency_whose_recording_never_came_is_missed() -> None:
    pole = ready(NEWS)
    pole.receive(by_server(play_now("c1", ALARM)), Down.COMMAND)
    pole.run_for(120)
    assert [one.data["reason"] for one in pole.ends("now-c1")] == ["not_stored"]


def test_an_emergency_asked_for_before_a_kill_still_plays() -> None:
    pole = ready(NEWS)
    pole.receive(by_server(play_now("c1", ALARM)), Down.COMMAND)
    pole.kill(5)
    pole.store(ALARM, approved(ALARM, air_class=AirClass.EMERGENCY))
    pole.run_for(120)
    assert [one.data.get("state") for one in pole.ends("now-c1")] == ["played"]


def test_an_emergency_does_not_air_under_a_stop() -> None:
    pole = ready(ALARM)
    pole.receive(by_server(stop(1)), Down.COMMAND)
    pole.receive(by_server(play_now("c1", ALARM)), Down.COMMAND)
    pole.run_for(200)
    assert not pole.heard
    assert [one.data["reason"] for one in pole.ends("now-c1")] == ["stopped"]


def test_a_recording_that_comes_late_joins_its_neighbours() -> None:
    pole = ready(OTHER)
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.run_for(40)
    pole.store(NEWS, approved(NEWS))
    pole.run_for(100)
    (one,) = heard_of(pole)
    assert one[0] == NEWS
    assert abs(one[1] - 40) < 0.2
    assert abs(one[2] - 10_000) < 200
    assert pole.ends("b1")[0].data["reason"] == "late"


def test_a_recording_that_never_comes_is_missed() -> None:
    pole = ready(OTHER)
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.run_for(900)
    assert [one.data["reason"] for one in pole.ends("b1")] == ["not_stored"]


def test_bytes_that_are_found_spoiled_do_not_air() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.run_for(25)
    pole.take(Spoiled(NEWS, "found before playing"))
    pole.run_for(900)
    assert not pole.heard
    assert pole.ends("b1")[0].data["reason"] == "not_stored"
    assert pole.refusals("recording_refused") == ["altered"]


def test_a_new_volume_counts_for_what_sounds() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.run_for(35)
    louder = command("v", CommandKind.VOLUME, volume=40, issued=NOON + timedelta(seconds=35))
    effects = pole.receive(by_server(louder), Down.COMMAND)
    assert [one.percent for one in effects if isinstance(one, SetVolume)] == [40]


def test_a_self_test_is_answered_in_the_journal() -> None:
    pole = ready()
    pole.receive(by_server(command("t", CommandKind.SELF_TEST)), Down.COMMAND)
    pole.take(SelfTested("t", {"disk": True, "decoder": False}))
    assert [one.data["result"] for one in pole.entries("command")] == ["accepted", "failed"]


def test_prepared_emergencies_are_fetched_and_held() -> None:
    pole = ready(NEWS)
    pole.receive(by_server(order(broadcast("b1", SOON, OTHER), broadcast("b2", NOON + timedelta(hours=9), sha("late")),
                                 prepared=(ALARM,))))
    assert [one.sha256 for one in fetch_of(pole).wants] == [OTHER, ALARM, sha("late")]
    assert ALARM in fetch_of(pole).needed


def test_only_the_languages_that_the_order_needs_are_fetched() -> None:
    pole = ready(NEWS)
    both = broadcast("b1", SOON, NEWS)
    items = (both.items[0].model_copy(update={"recordings": {"vi": OTHER, "hmn": ALARM}}),)
    wanted = order(both.model_copy(update={"items": items}), languages=("hmn", "vi"))
    needed = tuple(one for one in wanted.recordings if one.sha256 != OTHER)
    pole.receive(by_server(wanted.model_copy(update={"recordings": needed})))
    assert [one.sha256 for one in fetch_of(pole).wants] == [one.sha256 for one in needed if one.sha256 == ALARM]


def test_the_villages_first_language_that_is_there_airs() -> None:
    pole = ready(NEWS, OTHER)
    both = broadcast("b1", SOON, NEWS)
    items = (both.items[0].model_copy(update={"recordings": {"vi": NEWS, "hmn": ALARM, "tai": OTHER}}),)
    pole.receive(by_server(order(both.model_copy(update={"items": items}), languages=("hmn", "tai"), recordings=tuple(
        {"sha256": one, "bytes": 1000, "duration_ms": 60_000} for one in (NEWS, ALARM, OTHER)))))
    pole.run_for(120)
    assert [one[0] for one in heard_of(pole)] == [OTHER]
    assert pole.ends("b1")[0].data["state"] == "played"


def test_all_languages_air_in_the_villages_order() -> None:
    pole = ready(NEWS, OTHER)
    both = broadcast("b1", SOON, NEWS)
    items = (both.items[0].model_copy(update={"recordings": {"vi": NEWS, "tai": OTHER}}),)
    pole.receive(by_server(order(both.model_copy(update={"items": items, "languages": "all"}),
                                 languages=("tai", "vi"))))
    pole.run_for(200)
    assert [one[0] for one in heard_of(pole)] == [OTHER, NEWS]
