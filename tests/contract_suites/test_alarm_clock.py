"""One suite over both alarm clocks: the one by real time and the one that tests move by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from schedules import NaiveInstant
from schedules.clock import AlarmClock, ManualClock, WallAlarmClock

TICK = 0.05


class Bench:
    """An alarm clock with a way to let time pass, and a log of what rang."""

    def __init__(self, clock: AlarmClock, now: Callable[[], datetime], let_pass: Callable[[float], None]) -> None:
        self.clock, self.now, self.let_pass = clock, now, let_pass
        self.rang: list[str] = []

    def job(self, name: str) -> Callable[[], None]:
        return lambda: self.rang.append(name)


def by_hand() -> Bench:
    clock = ManualClock(datetime(2026, 3, 15, tzinfo=UTC))
    return Bench(clock, clock, lambda seconds: clock.advance(timedelta(seconds=seconds)))


def by_the_wall() -> Bench:
    return Bench(WallAlarmClock(), lambda: datetime.now(UTC), time.sleep)


@pytest.fixture(params=[by_hand, by_the_wall])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench: Bench = request.param()
    yield bench
    bench.clock.shutdown()


def test_a_job_rings_again_and_again_but_not_at_once(bench: Bench) -> None:
    bench.clock.start()
    bench.clock.every(TICK, "sweep", bench.job("sweep"))
    assert bench.rang == []
    bench.let_pass(TICK * 6)
    assert 3 <= len(bench.rang) <= 6


def test_a_job_rings_once_at_its_instant(bench: Bench) -> None:
    bench.clock.start()
    bench.clock.at(bench.now() + timedelta(seconds=TICK * 4), "once", bench.job("once"))
    bench.let_pass(TICK)
    assert bench.rang == []
    bench.let_pass(TICK * 10)
    assert bench.rang == ["once"]


def test_an_instant_that_has_passed_rings_at_once(bench: Bench) -> None:
    bench.clock.start()
    bench.clock.at(bench.now() - timedelta(days=1), "late", bench.job("late"))
    bench.let_pass(TICK * 6)
    assert bench.rang == ["late"]


def test_nothing_rings_before_the_start(bench: Bench) -> None:
    bench.clock.at(bench.now(), "early", bench.job("early"))
    bench.let_pass(TICK * 2)
    assert bench.rang == []
    bench.clock.start()
    bench.let_pass(TICK * 6)
    assert bench.rang == ["early"]


def test_a_name_that_is_set_again_replaces_what_it_had(bench: Bench) -> None:
    soon = bench.now() + timedelta(seconds=TICK * 3)
    bench.clock.at(soon, "job", bench.job("old"))
    bench.clock.start()
    bench.clock.at(soon, "job", bench.job("new"))
    bench.let_pass(TICK * 10)
    assert bench.rang == ["new"]


def test_a_name_that_is_set_twice_before_the_start_rings_once(bench: Bench) -> None:
    bench.clock.at(bench.now(), "job", bench.job("old"))
    bench.clock.at(bench.now(), "job", bench.job("new"))
    bench.clock.start()
    bench.let_pass(TICK * 6)
    assert bench.rang == ["new"]


def test_a_cancelled_job_is_silent_and_cancelling_nothing_is_no_error(bench: Bench) -> None:
    bench.clock.start()
    bench.clock.every(TICK, "sweep", bench.job("sweep"))
    bench.clock.cancel("sweep")
    bench.clock.cancel("sweep")
    bench.let_pass(TICK * 4)
    assert bench.rang == []


def test_nothing_rings_after_shutdown_and_a_second_shutdown_is_no_error(bench: Bench) -> None:
    bench.clock.start()
    bench.clock.every(TICK, "sweep", bench.job("sweep"))
    bench.clock.shutdown()
    bench.clock.shutdown(wait=False)
    bench.let_pass(TICK * 4)
    assert bench.rang == []


def test_a_job_may_set_the_next_one(bench: Bench) -> None:
    bench.clock.start()
    bench.clock.at(bench.now(), "first", lambda: bench.clock.at(bench.now(), "second", bench.job("second")))
    bench.let_pass(TICK * 10)
    assert bench.rang == ["second"]


def test_naive_instants_and_intervals_of_nothing_are_refused(bench: Bench) -> None:
    with pytest.raises(NaiveInstant):
        bench.clock.at(datetime(2026, 3, 15), "naive", bench.job("naive"))  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match="seconds > 0"):
        bench.clock.every(0, "flood", bench.job("flood"))


def test_a_slow_job_never_runs_twice_at_once() -> None:
    clock, lock, overlaps = WallAlarmClock(), threading.Lock(), []

    def slow() -> None:
        overlaps.append(not lock.acquire(blocking=False))
        time.sleep(TICK * 3)
        lock.release()

    clock.every(TICK, "slow", slow)
    clock.start()
    time.sleep(TICK * 10)
    clock.shutdown(wait=True)
    assert not any(overlaps)
    assert not lock.locked()


def test_what_was_slept_through_rings_once() -> None:
    clock, rang = ManualClock(datetime(2026, 3, 15, tzinfo=UTC)), []
    clock.every(60, "sweep", lambda: rang.append(clock.now))
    clock.start()
    clock.sleep(timedelta(hours=1))
    assert rang == [datetime(2026, 3, 15, 1, tzinfo=UTC)]
    clock.advance(timedelta(seconds=60))
    assert len(rang) == 2
