"""The inbox between the wire and the one writer."""

import threading
import time
from datetime import UTC, datetime, timedelta

from firmware_bridge.bridge.decode import Malformed, Why
from firmware_bridge.bridge.inbox import Complaints, Inbox
from firmware_bridge.contract import topics
from firmware_bridge.contract.messages import Heartbeat
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
