"""The machine around the agent: self-tests that disturb nothing, measurements, watchdogs patted only when well."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from firmware_bridge.contract.documents import CommandKind
from firmware_bridge.node.effects import Effect, SelfTest
from firmware_bridge.node.hardware import NullModem, NullSensors, NullWatchdog, Parts
from firmware_bridge.node.hardware.microphone import NoMicrophone
from firmware_bridge.node.hardware.modem import Counters
from firmware_bridge.node.hearing import Heard, Verdict
from firmware_bridge.node.inputs import SelfTested
from firmware_bridge.node.machine import Machine
from firmware_bridge.node.soundcheck import SoundCheck
from tests.firmware_bridge.builders import NOON, approved, broadcast, by_server, command, order, sha, stop
from tests.firmware_bridge.node.pole import Pole


class Ear(SoundCheck):
    """A sound check that hears what it is told."""

    def __init__(self, told: Callable[[], Heard | None]) -> None:
        self._told = told

    def test(self) -> Heard | None:
        return self._told()


def deaf() -> Heard | None:
    raise NoMicrophone


def broken() -> Heard | None:
    raise OSError("the card is gone")


class Listening(Pole):
    """Remembers the effects."""

    def __post_init__(self) -> None:
        self.take_effects: list[Effect] = []
        super().__post_init__()

    def _perform(self, effect: Effect) -> None:
        self.take_effects.append(effect)
        super()._perform(effect)


def asked(pole: Listening) -> bool:
    pole.take_effects.clear()
    pole.receive_group(by_server(command(f"t{pole.mono}", CommandKind.SELF_TEST, issued=pole.now)))
    (effect,) = (one for one in pole.take_effects if isinstance(one, SelfTest))
    return effect.aloud


@pytest.fixture
def pole() -> Listening:
    made = Listening()
    made.ready()
    return made


def test_tones_are_played_only_while_nothing_airs_or_is_about_to(pole: Listening) -> None:
    assert asked(pole)
    pole.receive(by_server(order(broadcast("b", NOON.replace(minute=3), sha("x")))))
    pole.store(sha("x"), approved(sha("x")))
    pole.run_for(60)
    assert asked(pole)
    pole.run_for(90)
    assert not asked(pole), "in half a minute it begins"
    pole.run_for(60)
    assert not asked(pole), "it airs"
    pole.run_for(120)
    assert asked(pole)


def test_no_tones_while_a_stop_stands(pole: Listening) -> None:
    pole.receive_group(by_server(stop(1, issued=pole.now)))
    assert not asked(pole)


def test_what_was_heard_is_in_the_journal(pole: Listening) -> None:
    pole.take(SelfTested("c1", {"disk": True, "sound": False}, {"verdict": "weak", "bands": {"500": -12.0}}))
    (entry,) = pole.entries("command")
    assert entry.data["result"] == "failed"
    assert entry.data["sound"] == {"verdict": "weak", "bands": {"500": -12.0}}


@pytest.mark.parametrize(("told", "passed", "sound"), [
    (lambda: Heard(Verdict.GOOD, {500: -0.2}), True, {"verdict": "good", "bands": {"500": -0.2}}),
    (lambda: Heard(Verdict.SILENT, {500: None}), False, {"verdict": "silent", "bands": {"500": None}}),
    (broken, False, {"why": "the card is gone"}),
])
def test_a_self_test_says_what_it_heard(
        tmp_path: Path, told: Callable[[], Heard | None], passed: bool, sound: Mapping[str, object]) -> None:
    result = Machine(tmp_path, Parts(), Ear(told)).test("c1", aloud=True)
    assert result.checks["sound"] is passed
    assert result.sound == sound


@pytest.mark.parametrize("told", [deaf, lambda: None])
def test_without_an_ear_or_a_reference_nothing_is_said_of_sound(
        tmp_path: Path, told: Callable[[], Heard | None]) -> None:
    result = Machine(tmp_path, Parts(), Ear(told)).test("c1", aloud=True)
    assert "sound" not in result.checks
    assert result.sound is None


def test_a_test_that_may_not_be_aloud_plays_nothing(tmp_path: Path) -> None:
    result = Machine(tmp_path, Parts(), Ear(broken)).test("c1", aloud=False)
    assert "sound" not in result.checks
    assert result.sound == {"why": "on_air"}


def test_the_watchdog_is_patted_only_while_the_sound_runs(tmp_path: Path) -> None:
    well, watchdog = [True], NullWatchdog()
    machine = Machine(tmp_path, Parts(watchdog=watchdog), is_well=lambda: well[0])
    machine.pat()
    machine.pat()
    assert watchdog.pats == 1, "not at every turn"
    machine._patted -= 100
    well[0] = False
    machine.pat()
    assert watchdog.pats == 1


def test_what_cannot_be_measured_is_left_out(tmp_path: Path) -> None:
    class Modem(NullModem):
        def signal_dbm(self) -> int | None:
            return -98

        def counters(self) -> Counters | None:
            return Counters(3 * 1024**2, 0)

    class Sensors(NullSensors):
        def temperature_c(self) -> float | None:
            return 51.5

    values = Machine(tmp_path, Parts(modem=Modem(), sensors=Sensors())).measure()
    assert (values["signal_dbm"], values["received_mb"], values["sent_mb"], values["cpu_c"]) == (-98, 3, 0, 51.5)
    assert "power" not in values
