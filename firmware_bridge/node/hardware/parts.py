"""All parts of one pole together, as they are wired."""

import os
from dataclasses import dataclass, field

from firmware_bridge.node.hardware.microphone import ArecordMicrophone, Microphone, NullMicrophone
from firmware_bridge.node.hardware.mixer import AmixerMixer, Mixer, NullMixer
from firmware_bridge.node.hardware.modem import Modem, NullModem, SystemModem
from firmware_bridge.node.hardware.relay import GpioRelay, NullRelay, Relay
from firmware_bridge.node.hardware.sensors import NullSensors, Sensors, SystemSensors
from firmware_bridge.node.hardware.watchdog import DeviceWatchdog, NullWatchdog, SystemdWatchdog, Watchdog, Watchdogs
from firmware_bridge.node.hardware.wiring import Wiring


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


def connect(wiring: Wiring) -> Parts:
    """The real parts of `wiring`. Raises OSError when one that is wired cannot be had."""
    line, mixer = wiring.amplifier, wiring.mixer
    return Parts(
        wiring,
        NullRelay() if line is None else GpioRelay(line.chip, line.line, line.active_low),
        NullMixer() if mixer is None else AmixerMixer(mixer.card, mixer.control),
        NullMicrophone() if wiring.microphone is None else ArecordMicrophone(wiring.microphone),
        SystemSensors(),
        SystemModem(wiring.modem, wiring.interface),
        watchdogs(wiring.watchdog))


def watchdogs(device: str | None) -> Watchdog:
    """The machine's, systemd's, both or none. Raises OSError."""
    found: list[Watchdog] = []
    if device is not None:
        found.append(DeviceWatchdog(device))
    if address := os.environ.get("NOTIFY_SOCKET"):
        found.append(SystemdWatchdog(address))
    return Watchdogs(found) if found else NullWatchdog()
