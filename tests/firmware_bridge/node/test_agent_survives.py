"""Kills at any moment, clocks that jump or know nothing: one truthful end for each broadcast."""

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.contract.documents import AirClass, StandingStop, TimeAnswer
from firmware_bridge.contract.messages import TimeRequest, TimeState
from firmware_bridge.contract.topics import Down
from firmware_bridge.node.inputs import CueEnded, Disconnected
from tests.firmware_bridge.builders import NODE, NOON, SITE, Commune, approved, broadcast, by_server, order, sha
from tests.firmware_bridge.node.pole import Pole

NEWS, OTHER = sha("news"), sha("other")
SOON = NOON + timedelta(seconds=30)
LENGTHS = {NEWS: 20_000, OTHER: 10_000}


def ready(**more: Any) -> Pole:
    pole = Pole(**more).ready()
    for one, length in LENGTHS.items():
        pole.store(one, approved(one, duration_ms=length, air_class=AirClass.EMERGENCY))
    return pole


MORNING = (
    broadcast("a", SOON, NEWS, OTHER, gap_ms=1000),
    broadcast("p", SOON + timedelta(seconds=10), OTHER, air_class=AirClass.PRIORITY, latest_s=20),
    broadcast("b", SOON + timedelta(seconds=90), OTHER, latest_s=5),
)


@given(st.lists(st.tuples(st.integers(1, 150_000), st.integers(0, 40)), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_killed_at_any_moments_every_broadcast_ends_once_and_never_plays_again_after_its_end(
    kills: list[tuple[int, int]],
) -> None:
    pole = ready()
    pole.receive(by_server(order(*MORNING, lengths=LENGTHS)))
    for at_ms, away_s in sorted(kills):
        pole.run_until(NOON + timedelta(milliseconds=at_ms))
        pole.kill(away_s)
    pole.run_until(NOON + timedelta(minutes=12))
    for one in MORNING:
        assert len(pole.ends(one.id)) == 1, one.id
    for entry in pole.journal:
        if entry.kind == "play_start":
            (end,) = pole.ends(str(entry.broadcast))
            assert entry.seq < end.seq
    assert [one.seq for one in pole.journal] == list(range(1, len(pole.journal) + 1))


def test_a_start_without_an_end_is_unknown_after_a_kill() -> None:
    pole = ready()
    pole.receive(by_server(order(*MORNING, lengths=LENGTHS)))
    pole.run_for(35)
    pole.kill(1)
    pole.run_for(300)
    (end,) = pole.ends("a")
    assert (end.kind, end.data["state"], end.data["reason"]) == ("play_end", "unknown", "crash")
    assert pole.ends("p")[0].data["state"] == "played"


def test_what_passed_while_the_power_was_off_is_missed_for_power() -> None:
    pole = ready()
    pole.receive(by_server(order(*MORNING, lengths=LENGTHS)))
    pole.run_for(5)
    pole.kill(3600)
    pole.run_for(2)
    assert [pole.ends(one.id)[0].data["reason"] for one in MORNING] == ["power"] * 3
    assert not pole.heard


def test_a_node_back_before_the_latest_start_joins() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("a", SOON, NEWS), lengths=LENGTHS)))
    pole.run_for(5)
    pole.kill(35)
    pole.run_for(60)
    assert [(one.recording, one.to_ms) for one in pole.heard] == [(NEWS, 20_000)]
    assert 14_900 <= pole.heard[0].from_ms <= 16_000  # 5 s to hear whether a stop was pressed meanwhile


def test_a_node_that_was_off_while_stop_was_pressed_is_silent_from_its_first_moment() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("a", SOON, NEWS), lengths=LENGTHS)))
    pole.run_for(5)
    pole.kill(35)
    pole.connect()
    pole.run_for(1)
    pole.receive(by_server(order(broadcast("a", SOON, NEWS), lengths=LENGTHS, version=2,
                                 standing_stop=StandingStop(generation=1, active=True))))
    pole.run_for(60)
    assert not pole.heard


def test_a_node_back_in_the_midst_of_a_broadcast_joins_as_soon_as_the_server_has_sent_its_order() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("a", SOON, NEWS), lengths=LENGTHS)))
    pole.run_for(5)
    pole.kill(35)
    pole.connect()
    pole.run_for(1)
    pole.receive(by_server(order(broadcast("a", SOON, NEWS), lengths=LENGTHS, version=2)))
    pole.run_for(60)
    assert 10_900 <= pole.heard[0].from_ms <= 12_500


def test_orders_and_trust_are_held_over_a_kill() -> None:
    pole = ready()
    pole.receive(by_server(order(*MORNING, lengths=LENGTHS)))
    pole.kill(3)
    assert pole.state.order is not None
    assert pole.state.trust.policies
    pole.run_for(200)
    assert pole.ends("a")[0].data["state"] == "played"


def test_without_the_time_nothing_scheduled_airs() -> None:
    pole = ready()
    pole.receive(by_server(order(*MORNING, lengths=LENGTHS)))
    pole.clock_error_s = None
    pole.kill(3, machine="m2")
    assert pole.state.time_state is TimeState.UNTRUSTED
    pole.run_for(300)
    assert not pole.heard
    pole.clock_error_s = 0.01
    pole.run_for(5)
    assert {pole.ends(one.id)[0].data["reason"] for one in MORNING} == {"clock"}


def test_the_time_survives_a_restart_of_the_program() -> None:
    pole = ready()
    pole.receive(by_server(order(*MORNING, lengths=LENGTHS)))
    pole.run_for(1)
    pole.clock_error_s = None
    pole.kill(3)
    pole.run_for(300)
    assert pole.ends("a")[0].data["state"] == "played"


def test_the_time_survives_a_restart_of_a_machine_that_keeps_it() -> None:
    pole = ready(has_rtc=True)
    pole.receive(by_server(order(*MORNING, lengths=LENGTHS)))
    pole.run_for(1)
    pole.clock_error_s = None
    pole.kill(3, machine="m2")
    assert pole.state.time_state is TimeState.HOLDOVER
    pole.run_for(300)
    assert pole.ends("a")[0].data["state"] == "played"


def test_a_clock_at_1970_is_not_believed() -> None:
    pole = ready(has_rtc=True)
    pole.receive(by_server(order(*MORNING, lengths=LENGTHS)))
    pole.run_for(1)
    pole.now -= timedelta(days=56 * 365)
    pole.kill(3, machine="m2")
    assert pole.state.time_state is TimeState.UNTRUSTED
    pole.run_for(300)
    assert not pole.heard


def test_time_that_becomes_unknown_silences_what_airs() -> None:
    pole = ready()
    pole.receive(by_server(order(*MORNING, lengths=LENGTHS)))
    pole.run_for(32)
    pole.clock_error_s = None
    pole.run_for(5)
    assert not pole.playing
    pole.clock_error_s = 0.01
    pole.run_for(5)
    assert pole.ends("a")[0].data["reason"] == "clock"


def test_a_step_forward_fires_nothing_past_its_latest_start() -> None:
    pole = ready()
    pole.receive(by_server(order(*(
        broadcast(f"b{number}", SOON + timedelta(seconds=60 * number), OTHER, latest_s=10) for number in range(20)),
        lengths=LENGTHS)))
    pole.run_for(5)
    pole.now += timedelta(minutes=15)
    pole.run_for(600)
    assert len(pole.heard) <= 6
    for number in range(20):
        assert len(pole.ends(f"b{number}")) == 1
    assert [pole.ends(f"b{number}")[0].data.get("reason") for number in range(3)] == ["clock"] * 3


def test_a_step_backward_repeats_nothing() -> None:
    pole = ready()
    pole.receive(by_server(order(*MORNING, lengths=LENGTHS)))
    pole.run_for(300)
    heard = list(pole.heard)
    pole.now -= timedelta(minutes=4)
    pole.run_for(600)
    assert pole.heard == heard
    assert [len(pole.ends(one.id)) for one in MORNING] == [1, 1, 1]


@given(st.lists(st.tuples(st.integers(1, 120), st.sampled_from((-86_400, -300, -45, -3, 3, 45, 300, 86_400))),
                min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_however_the_clock_jumps_nothing_repeats_or_bursts(jumps: list[tuple[int, int]]) -> None:
    pole = ready()
    pole.receive(by_server(order(*MORNING, lengths=LENGTHS)))
    for wait_s, jump_s in jumps:
        pole.run_for(wait_s)
        pole.now += timedelta(seconds=jump_s)
    pole.run_for(300)
    for one in MORNING:
        assert len(pole.ends(one.id)) <= 1
    heard = sum(one.to_ms - one.from_ms for one in pole.heard)
    assert heard <= 2 * sum(LENGTHS[item.recordings["vi"]] for one in MORNING for item in one.items)


def test_a_player_that_breaks_off_loses_the_item_and_the_next_goes_on() -> None:
    pole = ready()
    pole.receive(by_server(order(MORNING[0], lengths=LENGTHS)))
    pole.run_for(35)
    (one,) = pole.playing.values()
    pole.playing.clear()
    pole.take(CueEnded(one.cue.id, one.at, 5000, 0.5, 0.1, False, "the decoder died"))
    pole.run_for(60)
    (end,) = pole.ends("a")
    assert (end.data["state"], end.data["heard_ms"], end.data["reason"]) == ("partial", 15_000, "player")
    assert pole.entries("fault")[0].data["what"] == "player"


def test_a_player_that_says_nothing_leaves_the_end_unknown() -> None:
    pole = ready()
    pole.receive(by_server(order(MORNING[2], lengths=LENGTHS)))
    pole.run_for(119.5)
    pole.playing.clear()
    pole.run_for(60)
    (end,) = pole.ends("b")
    assert (end.data["state"], end.data["reason"]) == ("unknown", "no_evidence")


def test_sound_that_comes_late_shifts_what_follows_and_is_told() -> None:
    pole = ready(start_late_s=0.2)
    pole.receive(by_server(order(MORNING[0], lengths=LENGTHS)))
    pole.run_for(32)
    pole.start_late_s = 0.0
    pole.run_for(80)
    (end,) = pole.ends("a")
    assert end.data["state"] == "played"
    assert end.data["start_error_ms"] == 200
    assert [((one.at - SOON).total_seconds(), one.to_ms - one.from_ms) for one in pole.heard] == [
        (0.2, 20_000), (21.2, 10_000)]


def test_sound_that_comes_after_its_time_has_passed_is_still_heard_whole() -> None:
    pole = ready(start_late_s=4.0)
    short = broadcast("s", SOON, OTHER, NEWS)
    pole.receive(by_server(order(short, lengths=LENGTHS | {OTHER: 10_000})))
    pole.run_for(32)
    pole.start_late_s = 0.0
    pole.run_for(80)
    assert [((one.at - SOON).total_seconds(), one.to_ms - one.from_ms) for one in pole.heard] == [
        (4.0, 10_000), (14.0, 20_000)]
    assert pole.ends("s")[0].data["state"] == "played"


def test_an_order_past_its_expiry_still_airs_and_alarms() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS), lengths=LENGTHS,
                                 expires=NOON + timedelta(seconds=10))))
    pole.run_for(200)
    assert pole.ends("b1")[0].data["state"] == "played"
    assert [one.data["what"] for one in pole.entries("fault")] == ["order_expired"]


def test_a_new_machine_learns_the_time_from_ntp_alone() -> None:
    pole = Pole(Commune(), clock_error_s=None)
    before = pole.state.time_state
    pole.clock_error_s = 0.02
    pole.run_for(2)
    assert (before, pole.state.time_state) == (TimeState.UNTRUSTED, TimeState.TRUSTED)
    assert pole.entries("clock")[-1].data["source"] == "system"


def test_what_a_suspended_program_slept_over_is_not_said_to_have_been_heard() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("a", SOON, NEWS, latest_s=10), broadcast(
        "b", SOON + timedelta(seconds=60), NEWS, latest_s=120), lengths=LENGTHS)))
    pole.run_for(5)
    pole.pass_time(100)
    pole.run_for(60)
    assert [one.data.get("reason") for one in pole.ends("a")] == ["late"]
    (one,) = pole.heard
    assert abs(one.from_ms - 15_000) <= 20
    assert pole.ends("b")[0].data["state"] == "partial"


def test_a_program_that_slept_within_a_broadcast_joins_it() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("a", SOON, NEWS, latest_s=120), lengths=LENGTHS)))
    pole.run_for(5)
    pole.pass_time(35)
    pole.run_for(60)
    (one,) = pole.heard
    assert abs(one.from_ms - 10_000) <= 20
    assert one.to_ms == 20_000


def test_a_server_that_is_gone_for_seven_days_costs_no_broadcast() -> None:
    """By one signed answer at the beginning and the crystal alone, with a kill every day."""
    pole = Pole(clock_error_s=None, nap_s=3600)
    pole.connect()
    asked = TimeRequest.from_bytes(pole.said("time-request")[-1])
    pole.receive(by_server(TimeAnswer(site=SITE, node=NODE, nonce=asked.nonce, received=NOON, sent=NOON)), Down.TIME)
    pole.receive(pole.commune.bundle(), Down.TRUST)
    for one, length in LENGTHS.items():
        pole.store(one, approved(one, duration_ms=length, air_class=AirClass.EMERGENCY))
    week = [broadcast(f"b{number}", NOON + timedelta(hours=number, minutes=5), NEWS, latest_s=10)
            for number in range(7 * 24)]
    pole.receive(by_server(order(*week, lengths=LENGTHS)))
    pole.take(Disconnected())
    for day in range(1, 8):
        pole.run_until(NOON + timedelta(days=day))
        pole.kill(2)
    assert {one.data.get("state") for each in week for one in pole.ends(each.id)} == {"played"}
    assert len(pole.heard) == len(week)
    assert pole.state.time_state is TimeState.HOLDOVER


def test_a_new_order_in_the_last_second_before_a_broadcast_takes_nothing_from_it() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("a", SOON, NEWS), lengths=LENGTHS)))
    pole.run_for(29)
    pole.receive(by_server(order(broadcast("a", SOON, NEWS), lengths=LENGTHS, version=2)))
    pole.run_for(60)
    assert [one.data["state"] for one in pole.ends("a")] == ["played"]
    assert [one.at for one in pole.heard] == [SOON]


def test_a_broadcast_withdrawn_in_the_last_second_ends_as_cancelled_and_is_not_heard() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("a", SOON, NEWS), lengths=LENGTHS)))
    pole.run_for(29)
    pole.receive(by_server(order(lengths=LENGTHS, version=2)))
    pole.run_for(60)
    assert [one.data["reason"] for one in pole.ends("a")] == ["cancelled"]
    assert not pole.heard
    assert not pole.state.takes


def test_time_that_becomes_unknown_in_the_last_second_ends_what_was_to_begin() -> None:
    pole = ready()
    pole.receive(by_server(order(broadcast("a", SOON, NEWS), lengths=LENGTHS)))
    pole.run_for(29)
    pole.clock_error_s = None
    pole.run_for(60)
    assert [one.data["reason"] for one in pole.ends("a")] == ["clock"]
    assert not pole.heard


@given(st.lists(st.tuples(st.integers(1, 110_000), st.sampled_from(("all", "without a", "kill"))), min_size=1,
                max_size=8))
@settings(max_examples=40, deadline=None)
def test_however_orders_and_kills_fall_every_broadcast_ends_once(events: list[tuple[int, str]]) -> None:
    pole = ready()
    pole.receive(by_server(order(*MORNING, lengths=LENGTHS)))
    for version, (at_ms, what) in enumerate(sorted(events), start=2):
        pole.run_until(NOON + timedelta(milliseconds=at_ms))
        if what == "kill":
            pole.kill(1)
        else:
            listed = MORNING if what == "all" else MORNING[1:]
            pole.receive(by_server(order(*listed, lengths=LENGTHS, version=version)))
    pole.run_until(NOON + timedelta(minutes=12))
    assert [len(pole.ends(one.id)) for one in MORNING] == [1, 1, 1]
    assert not pole.state.takes


def test_a_clock_set_back_a_little_while_a_recording_sounds_does_not_let_it_sound_again() -> None:
    pole, jingle = ready(), sha("jingle")
    pole.store(jingle, approved(jingle, duration_ms=5000))
    pole.receive(by_server(order(broadcast("a", SOON, jingle), lengths={jingle: 5000})))
    pole.run_for(32)
    pole.now -= timedelta(milliseconds=400)
    pole.run_for(60)
    assert [(one.from_ms, one.to_ms) for one in pole.heard] == [(0, 5000)]
    assert pole.ends("a")[0].data["state"] == "played"
