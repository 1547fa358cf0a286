"""All parts of one pole together, as they are wired."""

import os
from dataclasses import dataclass, field

from firmware_bridge.node.hardware.microphone import ArecordMicrophone, Microphone, NullMicrophone
from firmware_bridge.node.hardware.mixer import AmixerMixer, Mixer, NullMixer
from firmware_bridge.node.hardware.modem import Modem, NullModem, SystemModem
from firmware_bridge.node.hardware.relay import GpioRelay, NullRelay, Relay
from firmware_bridge.node.hardware.sensors import NullSensors, Sensors, SystemSensors
from firmware_bridge.node.hardware.watchdog import DeviceWatchdog, NullWatchdog, SystemdWatchdog, Watchdog, Watchdogs
from firmware_bridge.node.hardware.wiring import AmplifierLine, Wiring


@dataclass(frozen=True)
class Parts:
    """The parts; null twins where nothing is connected."""

    wiring: Wiring = field(default_factory=Wiring)
    relay: Relay = field(default_factory=NullRelay)
    mixer: Mixer = field(default_factory=NullMixer)
    microphone: Microphone = field(default_factory=NullMicrophone)
    sensors: Sensors = field(default_factory=NullSensors)
    modem: Modem = field(default_factory=NullModem)
    watchdog: Watchdog = field(default_factory=NullWatchdog)
    troubles: tuple[str, ...] = ()
    """What is wired and could not be had."""


def connect(wiring: Wiring) -> Parts:
    """The real parts of `wiring`. One that cannot be had is replaced by its null twin and named in `troubles`."""
    line, mixer = wiring.amplifier, wiring.mixer
    relay, troubles = _relay(line)
    watchdog, unwatched = watchdogs(wiring.watchdog)
    return Parts(
        wiring, relay,
        NullMixer() if mixer is None else AmixerMixer(mixer.card, mixer.control),
        NullMicrophone() if wiring.microphone is None else ArecordMicrophone(wiring.microphone),
        SystemSensors(), SystemModem(wiring.modem, wiring.interface), watchdog, (*troubles, *unwatched))


def watchdogs(device: str | None) -> tuple[Watchdog, tuple[str, ...]]:
    """The machine's, systemd's, both or none; and what is wrong with the machine's."""
    found: list[Watchdog] = []
    troubles: tuple[str, ...] = ()
    if address := os.environ.get("NOTIFY_SOCKET"):
        found.append(SystemdWatchdog(address))
    try:
        if device is not None:
            found.append(DeviceWatchdog(device))
    except OSError as error:
        troubles = (f"watchdog: {error}",)
    return Watchdogs(found), troubles


def _relay(line: AmplifierLine | None) -> tuple[Relay, tuple[str, ...]]:
    if line is None:
        return NullRelay(), ()
    try:
        return GpioRelay(line.chip, line.line, line.active_low), ()
    except OSError as error:
        return NullRelay(), (f"amplifier: {error}",)
