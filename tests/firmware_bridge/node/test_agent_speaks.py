"""Hello, heartbeat, journal upload, roll-call and the question of the time."""

from datetime import timedelta

from firmware_bridge.contract.documents import RollCall, TimeAnswer
from firmware_bridge.contract.messages import Presence, TimeRequest, TimeState
from firmware_bridge.contract.topics import ALL, Down, ToGroup, of_group
from firmware_bridge.node import link
from firmware_bridge.node.effects import Publish, Subscribe, Sync
from firmware_bridge.node.inputs import Connected, Disconnected, Measured, Message, Trouble
from tests.firmware_bridge.builders import (
    COMMUNE,
    NODE,
    NOON,
    SITE,
    approved,
    broadcast,
    by,
    by_server,
    order,
    receipt,
    sha,
)
from tests.firmware_bridge.node.pole import Pole

NEWS = sha("news")


def connected() -> Pole:
    pole = Pole()
    pole.connect()
    return pole


def answer(pole: Pole, ahead_s: float = 0.0, trip_s: float = 0.0) -> None:
    """The server answers the last time request; its clock is ahead by so much, the way takes so long."""
    asked = TimeRequest.from_bytes(pole.said("time-request")[-1])
    pole.pass_time(trip_s / 2)
    there = pole.now + timedelta(seconds=ahead_s)
    pole.pass_time(trip_s / 2)
    pole.receive(by_server(TimeAnswer(site=SITE, node=NODE, nonce=asked.nonce, received=there, sent=there)), Down.TIME)


def test_hello_is_repeated_ever_more_slowly_until_it_is_answered() -> None:
    pole = connected()
    pole.run_for(300)
    said = len(pole.said("hello"))
    assert 6 <= said <= 16
    pole.receive(by_server(receipt(pole.journal_id, 1)), Down.RECEIPT)
    pole.run_for(300)
    assert len(pole.said("hello")) == said


def test_hello_says_what_is_held() -> None:
    pole = connected()
    pole.receive(pole.commune.bundle(), Down.TRUST)
    pole.receive(by_server(order(version=7)))
    pole.take(Disconnected())
    pole.connect()
    hello = pole.hello()
    assert hello.held.order == (1, 7)
    assert (hello.held.root, hello.held.approvers) == (1, 1)
    assert len(hello.held.policies) == 8
    assert (hello.journal, hello.last_seq) == (pole.journal_id, pole.journal[-1].seq)


def test_a_heartbeat_fits_into_a_hundred_bytes() -> None:
    pole = connected()
    pole.receive(pole.commune.bundle(), Down.TRUST)
    pole.store(NEWS, approved(NEWS))
    pole.receive(by_server(order(broadcast("abcdefghij234567", NOON + timedelta(seconds=30), NEWS), version=12_345)))
    pole.state = pole.state.__class__(**{**pole.state.__dict__, "stop": pole.state.stop.model_copy(
        update={"generation": 1_795_171_939_916})})
    pole.run_for(80)
    beats = [one for one in pole.said("heartbeat") if b'"m":' not in one]
    assert any(b'"p":"abcdefghij234567"' in one for one in beats)
    assert max(len(one) for one in beats) <= 100


def test_it_beats_every_forty_seconds_and_measures_every_five_minutes() -> None:
    pole = connected()
    pole.receive(by_server(receipt(pole.journal_id, 1)), Down.RECEIPT)
    pole.take(Measured({"disk_free_mb": 1000, "memory_mb": 40}))
    pole.run_for(100)
    before = len(pole.said("heartbeat"))
    pole.run_for(1200)
    beats = pole.said("heartbeat")[before:]
    assert 30 <= len(beats) <= 35
    assert len([one for one in beats if b'"m":' in one]) == 4
    assert b'"disk_free_mb":1000' in b"".join(beats)


def test_what_is_held_and_what_plays_is_told_at_once() -> None:
    pole = connected()
    pole.receive(pole.commune.bundle(), Down.TRUST)
    pole.store(NEWS, approved(NEWS))
    pole.receive(by_server(order(broadcast("b1", NOON + timedelta(seconds=30), NEWS), version=3)))
    assert pole.heartbeat().o == (1, 3)
    pole.run_for(31)
    assert pole.heartbeat().p == "b1"
    pole.run_for(65)
    assert pole.heartbeat().p is None


def test_a_day_of_idling_costs_less_than_a_megabyte() -> None:
    pole = connected()
    pole.receive(by_server(receipt(pole.journal_id, 1)), Down.RECEIPT)
    idle(pole, 600)
    pole.published.clear()
    answers = idle(pole, 3600)
    framing = 40 + 29 + 4
    sent = sum(len(one.payload) + len(one.topic) + framing for one in pole.published)
    received = answers * (700 + framing)
    assert (sent + received) * 24 < 1_000_000


def idle(pole: Pole, seconds: int) -> int:
    """Seconds of nothing but answered questions; returns how many."""
    answers, asked = 0, len(pole.said("time-request"))
    for _ in range(seconds):
        pole.run_for(1)
        if len(pole.said("time-request")) > asked:
            asked, answers = len(pole.said("time-request")), answers + 1
            answer(pole, trip_s=0.1)
            pole.receive(by_server(receipt(pole.journal_id, pole.journal[-1].seq, pole.now)), Down.RECEIPT)
    return answers


def test_the_last_will_names_the_connection_that_is_about_to_be_made() -> None:
    pole = Pole()
    will = link.next_will(pole.state)
    pole.connect()
    online = Presence.from_bytes(pole.said("presence")[-1])
    assert (will.boot, will.connection, will.online) == (online.boot, online.connection, False)
    assert online.online


def test_the_journal_goes_up_until_it_is_receipted() -> None:
    pole = connected()
    assert pole.uploads == [0]
    pole.run_for(200)
    assert 3 <= len(pole.uploads) <= 14
    assert set(pole.uploads) == {0}
    last = pole.journal[-1].seq
    pole.receive(by_server(receipt(pole.journal_id, last)), Down.RECEIPT)
    sent = len(pole.uploads)
    pole.run_for(200)
    assert len(pole.uploads) == sent


def test_what_comes_after_a_receipt_goes_up_from_there() -> None:
    pole = connected()
    last = pole.journal[-1].seq
    pole.receive(by_server(receipt(pole.journal_id, last)), Down.RECEIPT)
    pole.receive(pole.commune.bundle(), Down.TRUST)
    assert pole.uploads[-1] == last


def test_a_restored_server_can_ask_from_its_own_mark() -> None:
    pole = connected()
    pole.receive(pole.commune.bundle(), Down.TRUST)
    pole.receive(by_server(receipt(pole.journal_id, 3, NOON)), Down.RECEIPT)
    pole.receive(by_server(receipt(pole.journal_id, 1, NOON + timedelta(seconds=9))), Down.RECEIPT)
    assert pole.uploads[-1] == 1
    pole.receive(by_server(receipt(pole.journal_id, 3, NOON)), Down.RECEIPT)
    assert pole.state.link.receipted == 1


def test_a_roll_call_is_answered_within_its_window() -> None:
    pole = connected()
    pole.receive(by_server(receipt(pole.journal_id, 1)), Down.RECEIPT)
    pole.run_for(10)
    before = len(pole.said("hello"))
    call = by_server(RollCall(site=SITE, issued=pole.now, window_s=30))
    pole.take(Message(of_group(SITE, ALL, ToGroup.ROLL_CALL), call))
    assert len(pole.said("hello")) == before
    pole.run_for(31)
    assert len(pole.said("hello")) > before


def test_signed_answers_make_the_time_trusted_and_right() -> None:
    pole = Pole(clock_error_s=None)
    pole.connect()
    answer(pole, ahead_s=7.0, trip_s=0.05)
    assert pole.state.time_state is TimeState.TRUSTED
    reading = pole.state.time.read(pole.moment())
    assert abs(reading.offset_s - 7.0) < 0.03
    assert reading.error_s is not None
    assert reading.error_s < 0.03


def test_the_system_clock_is_used_where_it_is_better() -> None:
    pole = Pole(clock_error_s=0.001)
    pole.connect()
    answer(pole, ahead_s=0.5, trip_s=1.0)
    assert pole.state.time.read(pole.moment()).source == "system"


def test_forged_and_replayed_times_are_refused() -> None:
    pole = Pole(clock_error_s=None)
    pole.connect()
    asked = TimeRequest.from_bytes(pole.said("time-request")[-1])
    lie = TimeAnswer(site=SITE, node=NODE, nonce=asked.nonce, received=NOON, sent=NOON)
    pole.receive(by("stranger", lie), Down.TIME)
    assert pole.state.time_state is TimeState.UNTRUSTED
    pole.receive(by_server(lie), Down.TIME)
    before = pole.state.time
    pole.receive(by_server(lie), Down.TIME)
    assert pole.state.time.samples == before.samples


def test_without_answers_the_time_ages_to_holdover_and_is_lost_at_last() -> None:
    pole = Pole(clock_error_s=None)
    pole.connect()
    answer(pole, trip_s=0.02)
    pole.take(Disconnected())
    states = []
    for away_s in (4 * 3600, 7 * 86_400, 10 * 86_400):
        pole.pass_time(away_s)
        pole.run_for(1)
        states.append(pole.state.time_state)
    assert states == [TimeState.HOLDOVER, TimeState.HOLDOVER, TimeState.UNTRUSTED]
    assert [one.data["state"] for one in pole.entries("clock")] == ["trusted", "holdover", "untrusted"]


def test_without_a_broker_the_server_is_asked_by_https_now_and_then() -> None:
    pole = Pole()
    asked = []
    for _ in range(1200):
        pole.pass_time(1)
        asked += [one for one in pole.take(Measured({})) if isinstance(one, Sync)]
    assert 3 <= len(asked) <= 7


def test_new_groups_are_subscribed_to() -> None:
    pole = connected()
    pole.receive(pole.commune.bundle(), Down.TRUST)
    effects = pole.receive(by_server(order(groups=(COMMUNE, "nhom-loa-1"))))
    (held,) = [one for one in effects if isinstance(one, Subscribe)]
    assert any("nhom-loa-1" in one for one in held.topics)


def test_nothing_is_said_without_a_connection() -> None:
    pole = Pole()
    pole.run_for(120)
    assert not pole.published
    pole.take(Connected())
    pole.take(Disconnected())
    said = len(pole.published)
    pole.run_for(120)
    assert len(pole.published) == said
    assert all(isinstance(one, Publish) for one in pole.published)


def test_what_is_new_is_sent_at_once_however_long_the_rest_has_to_wait_for_its_receipt() -> None:
    pole = Pole().ready()
    pole.run_for(300)
    sent, before = len(pole.uploads), pole.state.journal.last
    pole.take(Trouble("player", "the sound card is gone"))
    assert pole.uploads[sent:] == [before]
    pole.run_for(1)
    assert len(pole.uploads) == sent + 1


def test_a_connection_that_returns_soon_after_a_whole_burst_asks_the_time_once() -> None:
    pole = Pole(clock_error_s=None)
    pole.connect()
    for asked in range(1, link.TIME_BURST + 1):
        while len(pole.said("time-request")) < asked:
            pole.run_for(0.5)
        answer(pole, trip_s=0.2)
    pole.take(Disconnected())
    pole.connect()
    answer(pole, trip_s=0.2)
    pole.run_for(60)
    assert len(pole.said("time-request")) == link.TIME_BURST + 1
