"""One suite over every part's twins: the real one (the kernel's files, real programs or a stand-in) and null."""

import importlib
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware_bridge.node.hardware import (
    AmixerMixer,
    AmplifierLine,
    ArecordMicrophone,
    DeviceWatchdog,
    Microphone,
    Mixer,
    NoMicrophone,
    NullMicrophone,
    NullMixer,
    NullModem,
    NullRelay,
    NullSensors,
    NullWatchdog,
    Relay,
    SystemdWatchdog,
    SystemModem,
    SystemSensors,
    Watchdog,
    Wiring,
    connect,
    read_wiring,
    relay,
)
from firmware_bridge.node.hardware.modem import Counters, strength
from firmware_bridge.node.hardware.wiring import BadWiring
from tests.firmware_bridge.node.hardware.chip import STAND_INS, Chip, chip


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chip]:
    """A GPIO chip: this machine has none, so the library under the relay is a stand-in."""
    held = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "gpiod"}
    with monkeypatch.context() as during:
        during.syspath_prepend(str(STAND_INS))
        stand_in, names = importlib.import_module("gpiod"), importlib.import_module("gpiod.line")
    sys.modules.update(held)
    monkeypatch.setattr(relay, "gpiod", stand_in)
    monkeypatch.setattr(relay, "Direction", names.Direction)
    monkeypatch.setattr(relay, "Value", names.Value)
    with chip(tmp_path) as made:
        yield made


@pytest.fixture(params=["null", "gpio"])
def any_relay(request: pytest.FixtureRequest, line: Chip) -> Relay:
    return NullRelay() if request.param == "null" else relay.GpioRelay(str(line.path), 17)


def test_a_relay_is_switched_and_closed(any_relay: Relay) -> None:
    any_relay.switch(True)
    any_relay.switch(False)
    any_relay.close()


def test_a_line_follows_its_relay_and_is_low_after_it(line: Chip) -> None:
    real = relay.GpioRelay(str(line.path), 17)
    assert not line.is_high
    real.switch(True)
    line.wait(high=True)
    real.close()
    line.wait(high=False)


def test_a_relay_that_closes_on_low_is_off_from_the_start(line: Chip) -> None:
    real = relay.GpioRelay(str(line.path), "AMP", active_low=True)
    line.wait(high=True)
    real.switch(True)
    line.wait(high=False)
    real.close()


def test_a_chip_that_is_not_there_is_an_oserror_and_a_trouble_not_an_end() -> None:
    with pytest.raises(OSError, match="gpiochip77"):
        relay.GpioRelay("/dev/gpiochip77", 1)
    parts = connect(Wiring(amplifier=AmplifierLine(chip="/dev/gpiochip77", line=1), watchdog="/dev/no-watchdog"))
    assert isinstance(parts.relay, relay.NullRelay)
    assert [one.split(":")[0] for one in parts.troubles] == ["amplifier", "watchdog"]


AMIXER = """#!/bin/sh
# stands for alsa-utils' amixer on a machine without a sound card
case "$4" in
    sset) echo "${6%\\%}" > "$0.level" ;;
esac
echo "  Mono: Playback 51 [$(cat "$0.level")%] [on]"
"""


@pytest.fixture(params=["null", "amixer"])
def mixer(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mixer:
    program = tmp_path / "amixer"
    program.write_text(AMIXER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return NullMixer() if request.param == "null" else AmixerMixer("default", "Master")


@pytest.mark.parametrize("percent", [0, 80, 100])
def test_a_mixer_holds_what_it_was_set_to(mixer: Mixer, percent: int) -> None:
    mixer.set_percent(percent)
    assert mixer.percent() == percent


def test_the_real_amixer_without_the_card_is_an_oserror() -> None:
    with pytest.raises(OSError, match="amixer"):
        AmixerMixer("hw:77", "Master").set_percent(50)


def test_a_microphone_hears_what_the_sound_system_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real arecord, from ALSA's file plug-in."""
    (tmp_path / "room.raw").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "asound.conf").write_text(
        "</usr/share/alsa/alsa.conf>\npcm.room { type file slave.pcm null file /dev/null "
        f'infile "{tmp_path}/room.raw" format raw }}\n')
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "asound.conf"))
    microphone: Microphone = ArecordMicrophone("room")
    assert microphone.record(0.5, 16_000).tobytes() == (bytes(range(256)) * 100)[:16_000]


def test_without_a_microphone_that_is_said() -> None:
    with pytest.raises(NoMicrophone):
        NullMicrophone().record(1, 16_000)
    with pytest.raises(OSError, match="arecord"):
        ArecordMicrophone("hw:77").record(0.1, 16_000)


def sysfs(folder: Path, **files: str) -> Path:
    """A tree as under /sys; `__` in a name is a slash."""
    for name, text in files.items():
        path = folder / "class" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return folder


@pytest.mark.parametrize(("files", "power"), [
    ({}, None),
    ({"power_supply__ac__type": "Mains", "power_supply__ac__online": "1"}, "mains"),
    ({"power_supply__ac__type": "Mains", "power_supply__ac__online": "0"}, "battery"),
    ({"power_supply__ups__type": "Battery", "power_supply__ups__status": "Discharging"}, "battery"),
    ({"power_supply__ups__type": "Battery", "power_supply__ups__status": "Charging"}, "mains"),
    ({"power_supply__ac__type": "Mains", "power_supply__ac__online": "1", "power_supply__ups__type": "Battery",
      "power_supply__ups__status": "Full"}, "mains"),
])
def test_power_is_told_from_what_the_kernel_shows(tmp_path: Path, files: dict[str, str], power: str | None) -> None:
    assert SystemSensors(sysfs(tmp_path, **files)).power() == power


def test_the_hottest_zone_counts_and_a_broken_one_does_not(tmp_path: Path) -> None:
    tree = sysfs(tmp_path, thermal__thermal_zone0__temp="45123", thermal__thermal_zone1__temp="61500",
                 thermal__thermal_zone2__temp="")
    assert SystemSensors(tree).temperature_c() == 61.5
    assert SystemSensors(tmp_path / "none").temperature_c() is None
    assert NullSensors().temperature_c() is None
    assert NullSensors().power() is None


MMCLI = {"modem": {"signal": {
    "5g": {"rsrp": "--"}, "lte": {"rsrp": "-98.00", "rssi": "-70.00"}, "gsm": {"rssi": "--"}}}}


def test_the_signal_comes_from_modemmanager_and_the_bytes_from_the_kernel(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mmcli"
    program.write_text(f"#!/bin/sh\necho '{json.dumps(MMCLI)}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    tree = sysfs(tmp_path, net__wwan0__statistics__rx_bytes="123456", net__wwan0__statistics__tx_bytes="789")
    modem = SystemModem("any", "wwan0", tree)
    assert modem.signal_dbm() == -98
    assert modem.counters() == Counters(123456, 789)


@pytest.mark.parametrize("told", [
    None, [], {}, {"modem": None}, {"modem": {"signal": []}}, {"modem": {"signal": {"lte": {"rsrp": "nan"}}}},
    {"modem": {"signal": {"lte": None}}}])
def test_nonsense_of_a_modem_is_no_signal(told: object) -> None:
    assert strength(told) is None


def test_without_a_modem_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for modem in (NullModem(), SystemModem(None, None), SystemModem("any", "wwan9", tmp_path)):
        assert modem.signal_dbm() is None
        assert modem.counters() is None


def device(folder: Path) -> tuple[Watchdog, Callable[[], str]]:
    (folder / "watchdog").touch()
    return DeviceWatchdog(str(folder / "watchdog")), (folder / "watchdog").read_text


def systemd(folder: Path) -> tuple[Watchdog, Callable[[], str]]:
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(folder / "notify"))
    told.setblocking(False)
    return SystemdWatchdog(str(folder / "notify")), lambda: "|".join(_all(told))


def _all(told: socket.socket) -> Iterator[str]:
    with told:
        while True:
            try:
                yield told.recv(100).decode()
            except BlockingIOError:
                return


def null(folder: Path) -> tuple[Watchdog, Callable[[], str]]:
    del folder
    watchdog = NullWatchdog()
    return watchdog, lambda: str(watchdog.pats)


@pytest.mark.parametrize(("make", "expected"), [
    (device, "11V"), (systemd, "READY=1\nWATCHDOG=1|WATCHDOG=1|STOPPING=1"), (null, "2")])
def test_a_watchdog_is_patted_and_told_of_the_end(
        tmp_path: Path, make: Callable[[Path], tuple[Watchdog, Callable[[], str]]], expected: str) -> None:
    watchdog, told = make(tmp_path)
    watchdog.pat()
    watchdog.pat()
    watchdog.close()
    assert told() == expected


def test_the_wiring_is_read_and_a_mistake_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hardware.json"
    assert read_wiring(path) == Wiring()
    path.write_text('{"amplifier": {"line": 17, "lead_ms": 300}, "microphone": "plughw:1,0"}')
    assert read_wiring(path).amplifier == AmplifierLine(line=17, lead_ms=300)
    path.write_text('{"amplifier": {"lead_ms": 300}}')
    with pytest.raises(BadWiring, match=r"amplifier\.line"):
        read_wiring(path)
