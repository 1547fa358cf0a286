"""The pole's hardware: each part behind a small interface, with a real twin and one that does nothing."""

from firmware_bridge.node.hardware.microphone import ArecordMicrophone, Microphone, NoMicrophone, NullMicrophone
from firmware_bridge.node.hardware.mixer import AmixerMixer, Mixer, NullMixer
from firmware_bridge.node.hardware.modem import Modem, NullModem, SystemModem
from firmware_bridge.node.hardware.parts import Parts, connect
from firmware_bridge.node.hardware.relay import GpioRelay, NullRelay, Relay
from firmware_bridge.node.hardware.sensors import NullSensors, Sensors, SystemSensors
from firmware_bridge.node.hardware.watchdog import DeviceWatchdog, NullWatchdog, SystemdWatchdog, Watchdog
from firmware_bridge.node.hardware.wiring import AmplifierLine, MixerControl, Wiring, read_wiring

__all__ = [
    "AmixerMixer", "AmplifierLine", "ArecordMicrophone", "DeviceWatchdog", "GpioRelay", "Microphone", "Mixer",
    "MixerControl", "Modem", "NoMicrophone", "NullMicrophone", "NullMixer", "NullModem", "NullRelay", "NullSensors",
    "NullWatchdog", "Parts", "Relay", "Sensors", "SystemModem", "SystemSensors", "SystemdWatchdog", "Watchdog",
    "Wiring", "connect", "read_wiring",
]
