"""The amplifier is open from a little before the first sample until a little after the last, and never else."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_bridge.node.amplifier import TimedAmplifier
from firmware_bridge.node.clocks import monotonic
from firmware_bridge.node.hardware import NullMixer, NullRelay
from tests.firmware_bridge.builders import NOON, approved, broadcast, by_server, order, play_now, sha, stop
from tests.firmware_bridge.node.hardware.chip import chip, stand_in_path
from tests.firmware_bridge.node.pole import Pole

LEAD_S, LAG_S = 0.1, 0.15


class NotedRelay(NullRelay):
    """Knows when it was switched."""

    def __init__(self) -> None:
        super().__init__()
        self.switched: list[tuple[float, bool]] = []

    def switch(self, on: bool) -> None:
        super().switch(on)
        self.switched.append((monotonic(), on))

    def wait(self, on: bool) -> float:
        deadline = monotonic() + 10
        while self.on is not on:
            assert monotonic() < deadline
            time.sleep(0.005)
        return self.switched[-1][0]


@pytest.fixture
def relay() -> NotedRelay:
    return NotedRelay()


@pytest.fixture
def amplifier(relay: NotedRelay) -> Iterator[TimedAmplifier]:
    held = TimedAmplifier(relay, LEAD_S, LAG_S)
    yield held
    held.close()


def test_it_opens_the_lead_before_the_sound_and_closes_the_lag_after_it(
        relay: NotedRelay, amplifier: TimedAmplifier) -> None:
    begins = monotonic() + 0.3
    amplifier.switch(True, begins)
    assert not relay.on
    assert relay.wait(on=True) >= begins - LEAD_S
    ended = monotonic()
    amplifier.switch(False, ended)
    assert relay.wait(on=False) >= ended + LAG_S


def test_sound_that_begins_at_once_opens_it_at_once(relay: NotedRelay, amplifier: TimedAmplifier) -> None:
    amplifier.switch(True, monotonic())
    assert relay.wait(on=True) < monotonic() + LEAD_S


def test_what_was_taken_back_before_its_instant_never_opens_it(relay: NotedRelay, amplifier: TimedAmplifier) -> None:
    amplifier.switch(True, monotonic() + LEAD_S + 0.2)
    amplifier.switch(False, monotonic())
    time.sleep(0.4)
    assert relay.switched == []


def test_a_test_that_ends_does_not_close_it_for_a_broadcast(relay: NotedRelay, amplifier: TimedAmplifier) -> None:
    amplifier.switch(True, monotonic(), "self-test")
    relay.wait(on=True)
    amplifier.switch(True, monotonic())
    amplifier.switch(False, monotonic() - LAG_S, "self-test")
    time.sleep(0.2)
    assert relay.on


def test_the_end_of_the_node_closes_it_at_once(relay: NotedRelay) -> None:
    held = TimedAmplifier(relay, LEAD_S, 60.0)
    held.switch(True, monotonic())
    relay.wait(on=True)
    held.close()
    assert not relay.on


def test_the_mixer_is_set_each_time_and_what_fails_is_reported() -> None:
    mixer = NullMixer()
    told: list[str] = []

    class Stuck(NullRelay):
        def switch(self, on: bool) -> None:
            raise OSError("stuck")

        def close(self) -> None:
            self.switch(False)

    good, bad = TimedAmplifier(NullRelay(), 0, 0, mixer, 70), TimedAmplifier(Stuck(), 0, 0, report=told.append)
    good.switch(True, monotonic())
    bad.switch(True, monotonic())
    deadline = monotonic() + 10
    while mixer.percent() != 70 or told != ["stuck"]:
        assert monotonic() < deadline
        time.sleep(0.005)
    good.close()
    with pytest.raises(OSError, match="stuck"):
        bad.close()


PROCESS = """
import subprocess, sys, time
from firmware_bridge.node.amplifier import TimedAmplifier
from firmware_bridge.node.clocks import monotonic
from firmware_bridge.node.hardware import GpioRelay
amplifier = TimedAmplifier(GpioRelay(sys.argv[1], 17))
amplifier.switch(True, monotonic())
decoder = subprocess.Popen(["sleep", "30"])
print(decoder.pid, flush=True)
time.sleep(30)
"""


def test_a_node_that_is_killed_lets_go_of_the_line_though_its_children_live_on(tmp_path: Path) -> None:
    with chip(tmp_path) as line:
        process = subprocess.Popen([sys.executable, "-c", PROCESS, str(line.path)], stdout=subprocess.PIPE, text=True,
                                   env=os.environ | stand_in_path())
        assert process.stdout is not None
        child = int(process.stdout.readline())
        line.wait(high=True)
        process.kill()
        killed = time.monotonic()
        assert line.wait(high=False) - killed < 2.0
        os.kill(child, 9)
        process.communicate()


def test_nothing_opens_it_but_a_verified_broadcast() -> None:
    pole = Pole().ready()
    pole.receive(by_server(order(broadcast("b", NOON.replace(minute=1), sha("x")), lengths={sha("x"): 5000})))
    pole.store(sha("x"), approved(sha("x"), "mallory", duration_ms=5000))
    pole.run_for(90)
    assert pole.opened == []


def test_the_agent_opens_it_at_the_first_sample_and_closes_it_behind_the_last() -> None:
    pole = Pole().ready()
    start = NOON.replace(minute=1)
    pole.receive(by_server(order(broadcast("b", start, sha("x")), lengths={sha("x"): 5000})))
    pole.store(sha("x"), approved(sha("x"), duration_ms=5000))
    begun = pole.mono + (start - pole.now).total_seconds()
    pole.run_for(90)
    (opened, first), (closed, last) = pole.opened
    assert (opened, closed) == (True, False)
    assert first == pytest.approx(begun, abs=0.01)
    assert begun + 5 <= last < begun + 9


def is_open(pole: Pole) -> bool:
    return pole.opened[-1][0]


def test_a_stop_closes_it() -> None:
    pole = Pole().ready()
    pole.receive(by_server(order(broadcast("b", NOON.replace(minute=1), sha("x")))))
    pole.store(sha("x"), approved(sha("x")))
    pole.run_for(70)
    assert is_open(pole)
    pole.receive_group(by_server(stop(1, issued=pole.now)))
    pole.run_for(5)
    assert not is_open(pole)
    pole.receive_group(by_server(play_now("n", sha("x"), issued=pole.now)))
    pole.run_for(5)
    assert not is_open(pole)
