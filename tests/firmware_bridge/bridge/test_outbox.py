"""What is due to go out, and when: pure, on a clock and dice of the test's own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.bridge.outbox import Due, Outbox, Wanted, What
from firmware_bridge.contract.messages import HEARTBEAT_SECONDS, Held, LogHead

NOON = datetime(2026, 3, 15, 5, 0, tzinfo=UTC)
WANTED = Wanted("n1", order=(1, 5), root=2, approvers=3, policies="0badcafe", stop=4, log=7)
HELD = Held(order=(1, 5), root=2, approvers=3, policies="0badcafe", stop=4)
ORDER, TRUST, RECEIPT = Due("n1", What.ORDER), Due("n1", What.TRUST), Due("n1", What.RECEIPT)
LOG = Due("n1", What.LOG)


def head(size: int) -> LogHead:
    return LogHead(size=size, root="00" * 32)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def outbox(*wanted: Wanted, draw: float = 0.5) -> Outbox:
    made = Outbox(lambda: draw)
    for one in wanted or (WANTED,):
        made.want(one)
    return made


@pytest.mark.parametrize(("held", "missing"), [
    (HELD, ()),
    (Held(), (What.TRUST, What.ORDER)),
    (HELD.model_copy(update={"order": (1, 4)}), (What.ORDER,)),
    (HELD.model_copy(update={"order": (0, 9)}), (What.ORDER,)),
    (HELD.model_copy(update={"stop": 3}), (What.ORDER,)),
    (HELD.model_copy(update={"root": 1}), (What.TRUST,)),
    (HELD.model_copy(update={"approvers": 2}), (What.TRUST,)),
    (HELD.model_copy(update={"policies": ""}), (What.TRUST,)),
    (HELD.model_copy(update={"log": head(6)}), (What.LOG,)),
    (HELD.model_copy(update={"log": head(6), "root": 1}), (What.TRUST, What.LOG)),
    (HELD.model_copy(update={"log": head(8)}), ()),
    (HELD.model_copy(update={"order": (1, 6), "stop": 5, "root": 3, "approvers": 4}), ()),
])
def test_what_is_older_at_the_node_is_missing(held: Held, missing: tuple[What, ...]) -> None:
    assert WANTED.missing(held) == missing


def test_nothing_is_sent_to_a_node_that_never_spoke() -> None:
    assert outbox().due(NOON) == []


def test_a_node_that_lags_is_sent_trust_before_the_order_that_is_judged_by_it() -> None:
    box = outbox()
    box.heard("n1", Held(), NOON)
    assert box.due(NOON) == [TRUST, ORDER]


def test_an_order_is_repeated_after_five_seconds_doubling_to_a_minute_until_it_is_held() -> None:
    box = outbox()
    older = HELD.model_copy(update={"order": (1, 4)})
    sent = []
    for second in range(300):
        box.heard("n1", older, at(second))
        if box.due(at(second)):
            sent.append(second)
    assert sent == [0, 5, 15, 35, 75, 135, 195, 255]
    box.heard("n1", HELD, at(300))
    assert box.due(at(1000)) == []


@pytest.mark.parametrize(("draw", "second"), [(0.0, 3.75), (0.999999, 6.25)])
def test_repetitions_are_spread_by_a_quarter_to_each_side(draw: float, second: float) -> None:
    box = outbox(draw=draw)
    box.heard("n1", Held(), NOON)
    box.due(NOON)
    assert not box.due(at(second - 0.01))
    assert box.due(at(second + 0.01))


def test_a_hello_is_answered_at_once_whatever_the_pace() -> None:
    box = outbox()
    box.heard("n1", Held(), NOON)
    box.due(NOON)
    box.heard("n1", Held(), at(1), hello=True)
    assert box.due(at(1)) == [TRUST, ORDER]


def test_a_hello_of_a_node_that_holds_everything_is_answered_once_with_a_receipt() -> None:
    box = outbox()
    box.heard("n1", HELD, NOON, hello=True)
    assert box.due(NOON) == [RECEIPT]
    assert box.due(at(60)) == []


def test_a_hello_is_answered_even_when_nothing_was_ever_planned_for_the_node() -> None:
    box = Outbox(lambda: 0.5)
    box.heard("n9", Held(), NOON, hello=True)
    assert box.due(NOON) == [Due("n9", What.RECEIPT)]


def test_an_idle_node_that_holds_everything_is_sent_nothing_for_an_hour() -> None:
    box, sent = outbox(), []
    box.heard("n1", HELD.model_copy(update={"log": head(7)}), NOON, hello=True)
    for second in range(3600):
        if second % HEARTBEAT_SECONDS == 0 and second:
            box.heard("n1", HELD, at(second))
        if second % 60 == 0:
            box.want(replace(WANTED))  # a rebuild that changes nothing
        sent += box.due(at(second))
    assert sent == [RECEIPT]


def test_a_new_head_of_the_log_goes_alone_and_once_to_a_node_that_says_so_within_half_a_minute() -> None:
    box, sent = outbox(), []
    box.heard("n1", HELD.model_copy(update={"log": head(7)}), NOON, hello=True)
    box.due(NOON)
    box.want(replace(WANTED, log=9))
    for second in range(1, 3600):
        if second % HEARTBEAT_SECONDS == 0:
            box.heard("n1", HELD, at(second))
        if second == 31:
            box.heard("n1", HELD.model_copy(update={"log": head(9)}), at(second), hello=True)
        sent += box.due(at(second))
    assert sent == [LOG, RECEIPT]


def test_a_node_that_never_says_it_carries_the_head_is_sent_it_ever_more_seldom() -> None:
    box, sent = outbox(), []
    box.heard("n1", HELD.model_copy(update={"log": head(6)}), NOON, hello=True)
    for second in range(24 * 3600):
        if second % HEARTBEAT_SECONDS == 0:
            box.heard("n1", HELD, at(second))
        sent += box.due(at(second))
    assert set(sent) == {LOG}
    assert len(sent) < 32


def test_what_trust_carries_along_does_not_follow_alone() -> None:
    box = outbox()
    box.heard("n1", HELD.model_copy(update={"root": 1, "log": head(6)}), NOON, hello=True)
    assert box.due(NOON) == [TRUST]
    box.heard("n1", HELD, at(2))
    assert box.due(at(2)) == []


def test_a_silent_node_is_left_alone_and_served_as_soon_as_it_speaks() -> None:
    box = outbox()
    box.heard("n1", Held(), NOON)
    assert box.due(NOON)
    assert box.due(at(91)) == []
    box.heard("n1", Held(), at(500))
    assert box.due(at(500)) == [TRUST, ORDER]


def test_something_newly_wanted_goes_out_at_once() -> None:
    box = outbox()
    box.heard("n1", HELD, NOON)
    assert box.due(NOON) == []
    box.want(replace(WANTED, order=(1, 6)))
    assert box.due(at(1)) == [ORDER]
    box.want(replace(WANTED, order=(1, 7)))
    assert box.due(at(2)) == [ORDER]


def test_wanting_the_same_again_does_not_hasten_anything() -> None:
    box = outbox()
    box.heard("n1", Held(), NOON)
    box.due(NOON)
    box.want(replace(WANTED))
    assert box.due(at(1)) == []


def test_a_retired_node_gets_nothing_more() -> None:
    box = outbox()
    box.commanded("c1", ["n1"], at(600), NOON)
    box.heard("n1", Held(), NOON, hello=True)
    box.forget("n1")
    assert box.due(at(10)) == []
    assert box.unanswered("c1") == ()


def test_a_node_with_a_newer_order_than_wanted_shows_that_the_server_is_older() -> None:
    box = outbox()
    box.heard("n1", HELD.model_copy(update={"order": (1, 6)}), NOON)
    assert box.ahead() == ("n1",)
    assert box.due(NOON) == []


def test_a_command_is_repeated_only_to_those_that_did_not_answer_and_until_it_expires() -> None:
    box = outbox(Wanted("n1"), Wanted("n2"), Wanted("n3"))
    for node in ("n1", "n2", "n3"):
        box.heard(node, Held(), NOON)
    box.commanded("c1", ["n1", "n2", "n3"], at(40), NOON)
    box.answered("n2", "c1")
    assert box.due(at(1)) == []
    assert box.due(at(5)) == [Due("n1", What.COMMAND, "c1"), Due("n3", What.COMMAND, "c1")]
    box.answered("n1", "c1")
    assert box.unanswered("c1") == ("n3",)
    assert box.due(at(15)) == [Due("n3", What.COMMAND, "c1")]
    assert box.due(at(41)) == []
    assert box.unanswered("c1") == ()


def test_a_node_that_returns_is_told_the_command_it_missed_at_once() -> None:
    box = outbox(Wanted("n1"))
    box.commanded("c1", ["n1"], at(600), NOON)
    assert box.due(at(300)) == []
    box.heard("n1", Held(), at(301), hello=True)
    assert Due("n1", What.COMMAND, "c1") in box.due(at(301))


def test_an_answer_to_an_unknown_command_means_nothing() -> None:
    box = outbox()
    box.answered("n1", "never sent")
    assert box.unanswered("never sent") == ()


VERSIONS = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("want"), VERSIONS, VERSIONS),
    st.tuples(st.just("lose"), VERSIONS, VERSIONS),
    st.tuples(st.just("deliver"), VERSIONS, VERSIONS),
    st.tuples(st.just("restart node"), VERSIONS, VERSIONS),
)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=30), st.floats(0, 0.999))
def test_whatever_was_lost_a_node_that_listens_two_minutes_holds_what_is_wanted(
        steps: list[tuple[str, int, int]], draw: float) -> None:
    box = Outbox(lambda: draw)
    wanted, held, now = Wanted("n1"), Held(), NOON
    order = 0

    def exchange(lost: bool) -> None:
        nonlocal held
        box.heard("n1", held, now)
        for due in box.due(now):
            if not lost and due.what is What.ORDER:
                held = held.model_copy(update={"order": wanted.order, "stop": wanted.stop})
            if not lost and due.what is What.TRUST:
                held = held.model_copy(update={"root": wanted.root, "approvers": wanted.approvers})

    for kind, first, second in steps:
        now += timedelta(seconds=10 * first + 1)
        if kind == "want":
            order += 1
            wanted = Wanted("n1", (1, order), max(wanted.root, first), max(wanted.approvers, second), stop=order)
            box.want(wanted)
        elif kind == "restart node":
            box.heard("n1", held, now, hello=True)
        else:
            exchange(lost=kind == "lose")
    for _ in range(4):
        now += timedelta(seconds=40)
        exchange(lost=False)
    assert wanted.missing(held) == ()
    box.heard("n1", held, now)
    assert [due for due in box.due(now + timedelta(seconds=1)) if due.what is not What.RECEIPT] == []
