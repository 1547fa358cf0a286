"""How this pole is wired: `hardware.json`, written by the technician beside the configuration file.

It is apart from the configuration, so that enrolling anew or exchanging the machine's identity leaves the wiring alone.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from firmware_bridge.contract.base import MalformedPayload, Payload

MAX_WIRING_BYTES = 64 * 1024
FILE = "hardware.json"


class BadWiring(ValueError):
    """The wiring file cannot be used."""


class AmplifierLine(Payload):
    """The GPIO line of the amplifier's relay."""

    chip: str = "/dev/gpiochip0"
    line: int | str
    """Offset on the chip, or the line's name, as `gpioinfo` shows them."""
    active_low: bool = False
    """The relay closes when the line is low."""
    lead_ms: Annotated[int, Field(ge=0, le=2000)] = 500
    """How long before the first sample it opens: as long as the amplifier takes to wake up."""
    lag_ms: Annotated[int, Field(ge=0, le=10_000)] = 500
    """How long it stays open after the last one."""


class MixerControl(Payload):
    """The loudness that the technician found right for this place; broadcasts are scaled below it."""

    card: str = "default"
    control: str = "Master"
    percent: Annotated[int, Field(ge=0, le=100)] = 80


class Wiring(Payload):
    """What is connected. What is absent is not there."""

    amplifier: AmplifierLine | None = None
    mixer: MixerControl | None = None
    microphone: str | None = None
    """ALSA name of the input (`plughw:1,0`) that hears the loudspeaker or the amplifier's line."""
    modem: str | None = None
    """`any`, or the modem's number, as `mmcli --list-modems` shows it."""
    interface: str | None = None
    """Network interface whose bytes are counted: `wwan0`."""
    watchdog: str | None = None
    """Device of the hardware watchdog: `/dev/watchdog`. None where systemd minds it (RuntimeWatchdogSec)."""


def read_wiring(path: Path) -> Wiring:
    """The wiring in `path`; nothing is connected when there is no such file. Raises BadWiring."""
    try:
        return Wiring.from_bytes(path.read_bytes(), MAX_WIRING_BYTES)
    except FileNotFoundError:
        return Wiring()
    except (OSError, MalformedPayload) as error:
        raise BadWiring(f"{path}: {error}") from error
