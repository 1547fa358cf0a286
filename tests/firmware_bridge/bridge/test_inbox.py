"""The inbox between the wire and the one writer."""

import threading
import time
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.bridge.decode import Malformed, Why
from firmware_bridge.bridge.inbox import Alarm, AlarmReason, Complaints, Inbox
from firmware_bridge.contract import keys, topics
from firmware_bridge.contract.envelope import encode
from firmware_bridge.contract.messages import FIRST_HASH, Heartbeat, JournalBatch
from firmware_bridge.contract.topics import Up

NOW = datetime(2026, 3, 15, 5, 30, tzinfo=UTC)
GOOD = Heartbeat(o=(0, 0), t=(0, 0, "")).to_bytes()


def inbox(waiting: int = 100) -> Inbox:
    return Inbox("demo", lambda _node: None, lambda: NOW, waiting)


def beat(into: Inbox, node: str = "n1", payload: bytes = GOOD, retained: bool = False) -> None:
    into.put(topics.of_node("demo", node, Up.HEARTBEAT), payload, retained)


def test_messages_come_out_in_the_order_they_came_in() -> None:
    full = inbox()
    for at in range(10):
        beat(full, f"n{at}")
    assert [one.node for one in full.drain().received] == [f"n{at}" for at in range(10)]


def test_a_batch_ends_when_it_is_full() -> None:
    full = inbox()
    for _ in range(10):
        beat(full)
    assert len(full.drain(max_messages=7).received) == 7
    assert len(full.drain(max_messages=7, wait_s=0).received) == 3


def test_an_empty_inbox_gives_an_empty_batch_after_its_wait() -> None:
    assert inbox().drain(idle_s=0.01).received == ()


def test_a_message_is_handed_over_soon_after_it_came_however_long_the_wait_may_be() -> None:
    empty = inbox()
    threading.Timer(0.05, beat, (empty,)).start()
    began = time.monotonic()
    assert len(empty.drain(wait_s=0.01, idle_s=10).received) == 1
    assert time.monotonic() - began < 2


def test_closing_wakes_the_writer() -> None:
    empty = inbox()
    threading.Timer(0.05, empty.close).start()
    began = time.monotonic()
    assert empty.drain(idle_s=10).received == ()
    assert time.monotonic() - began < 2


def test_what_came_before_closing_is_still_handed_over() -> None:
    closing = inbox()
    for _ in range(7):
        beat(closing)
    closing.close()
    assert [len(closing.drain(max_messages=5).received) for _ in range(3)] == [5, 2, 0]


def test_nothing_is_lost_between_a_thread_that_puts_and_one_that_drains() -> None:
    busy = inbox(waiting=10**6)

    def put_all() -> None:
        for at in range(20_000):
            beat(busy, f"n{at}")

    putting = threading.Thread(target=put_all)
    putting.start()
    drained: list[str] = []
    while len(drained) < 20_000 and (batch := busy.drain(wait_s=0.001, idle_s=5)).received:
        drained += [one.node for one in batch.received]
    putting.join()
    assert drained == [f"n{at}" for at in range(20_000)]


def test_what_does_not_fit_is_dropped_and_counted_once() -> None:
    small = inbox(waiting=3)
    for _ in range(5):
        beat(small)
    batch = small.drain(wait_s=0)
    assert (len(batch.received), batch.dropped) == (3, 2)
    assert small.drain(idle_s=0).dropped == 0


def test_malformed_messages_stand_beside_the_good_ones_and_are_counted_per_reason() -> None:
    mixed = inbox()
    beat(mixed)
    beat(mixed, payload=b"{")
    mixed.put("nonsense", GOOD)
    beat(mixed, "n2")
    batch = mixed.drain(wait_s=0)
    assert [one.node for one in batch.received] == ["n1", "n2"]
    assert [one.why for one in batch.malformed] == [Why.NOT_JSON, Why.TOPIC]
    assert mixed.complaints.counts == {Why.NOT_JSON: 1, Why.TOPIC: 1}


def test_a_retained_message_is_ignored() -> None:
    stale = inbox()
    beat(stale, retained=True)
    (ignored,) = stale.drain(wait_s=0).malformed
    assert (ignored.node, ignored.why) == ("n1", Why.RETAINED)


def test_a_node_is_complained_about_once_a_minute_and_each_node_for_itself() -> None:
    complaints = Complaints()
    said = [complaints.worth_saying(Malformed(node, "t", Why.FIELDS, ""), NOW + timedelta(seconds=at))
            for at, node in ((0, "n1"), (1, "n1"), (2, "n2"), (59, "n1"), (60, "n1"), (61, "n1"))]
    assert said == [True, False, True, False, True, False]
    assert complaints.counts[Why.FIELDS] == 6


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def test_a_flooding_node_loses_its_own_messages_and_nobody_elses() -> None:
    fair = Inbox("demo", lambda _node: None, lambda: NOW, waiting=1000, share=20)
    for at in range(5000):
        beat(fair, "flood")
        if at % 500 == 0:
            beat(fair, f"n{at // 500}")
    batch = fair.drain(wait_s=0)
    assert [one.node for one in batch.received].count("flood") == 20
    assert {one.node for one in batch.received} == {"flood", *(f"n{at}" for at in range(10))}
    assert batch.alarms == (Alarm("flood", AlarmReason.FLOODING, 4980),)
    assert (batch.dropped, fair.lost) == (0, 4980)


def test_a_node_that_calmed_down_is_heard_again() -> None:
    clock = Clock()
    fair = Inbox("demo", lambda _node: None, clock, share=5)
    for _ in range(50):
        beat(fair)
    clock.now += timedelta(seconds=10)
    beat(fair)
    assert len(fair.drain(wait_s=0).received) == 6


def test_a_flood_is_told_once_a_minute_with_all_that_was_dropped() -> None:
    clock = Clock()
    fair = Inbox("demo", lambda _node: None, clock, share=1)
    told: list[Alarm] = []
    for at in range(0, 130, 10):
        clock.now = NOW + timedelta(seconds=at)
        for _ in range(3):
            beat(fair)
        told += fair.drain(wait_s=0).alarms
    assert [one.count for one in told] == [2, 12, 12]


def test_messages_that_together_are_too_large_are_dropped_and_counted() -> None:
    full = Inbox("demo", lambda _node: None, lambda: NOW, waiting_bytes=3 * len(GOOD))
    for at in range(5):
        beat(full, f"n{at}")
    assert full.drain(wait_s=0).dropped == 2
    beat(full)
    assert len(full.drain(wait_s=0).received) == 1


def test_a_forged_journal_is_an_alarm() -> None:
    signed = Inbox("demo", lambda _node: keys.public_to_base64(keys.new_key()), lambda: NOW)
    batch = JournalBatch(node="n1", journal="j", first_seq=1, previous=FIRST_HASH, entries=())
    for _ in range(3):
        signed.put(topics.of_node("demo", "n1", Up.JOURNAL), encode(batch.sign(keys.new_key())))
    assert signed.drain(wait_s=0).alarms == (Alarm("n1", AlarmReason.FORGED_JOURNAL, 3),)


@given(st.lists(st.tuples(st.text(max_size=300), st.binary(max_size=300), st.booleans()), max_size=20))
def test_nothing_that_comes_in_stops_the_inbox(messages: list[tuple[str, bytes, bool]]) -> None:
    strange = inbox()
    for topic, payload, retained in messages:
        strange.put(topic, payload, retained)
    batch = strange.drain(wait_s=0, idle_s=0)
    assert len(batch.received) + len(batch.malformed) == len(messages)
    assert sum(strange.complaints.counts.values()) == len(batch.malformed)
