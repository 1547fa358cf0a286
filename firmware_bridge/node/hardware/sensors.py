"""Power and temperature, as the kernel shows them under /sys."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

Power = Literal["mains", "battery"]


class Sensors(Protocol):
    """What the board measures; None where it cannot."""

    def power(self) -> Power | None:
        """Where the power comes from."""

    def temperature_c(self) -> float | None:
        """The hottest zone, in °C."""


class NullSensors:
    """Measures nothing."""

    def power(self) -> Power | None:
        """None."""
        return None

    def temperature_c(self) -> float | None:
        """None."""
        return None


class SystemSensors:
    """sysfs: `class/power_supply` (a UPS hat, a charge controller) and `class/thermal`."""

    def __init__(self, sysfs: Path = Path("/sys")) -> None:
        self._sysfs = sysfs

    def power(self) -> Power | None:
        """`mains` while any supply from outside is on line, or nothing discharges."""
        outside, discharging = False, False
        known = False
        for supply in _children(self._sysfs / "class/power_supply"):
            kind = _read(supply / "type")
            if kind in ("Mains", "USB"):
                known, outside = True, outside or _read(supply / "online") == "1"
            elif kind in ("Battery", "UPS"):
                known, discharging = True, discharging or _read(supply / "status") == "Discharging"
        if not known:
            return None
        return "battery" if discharging or not (outside or self._has_no_outside()) else "mains"

    def temperature_c(self) -> float | None:
        """The hottest of the zones that tell."""
        found = []
        for zone in _children(self._sysfs / "class/thermal"):
            with contextlib.suppress(OSError, ValueError):
                found.append(int((zone / "temp").read_text()) / 1000)
        return max(found, default=None)

    def _has_no_outside(self) -> bool:
        kinds = (_read(supply / "type") for supply in _children(self._sysfs / "class/power_supply"))
        return not any(kind in ("Mains", "USB") for kind in kinds)


def _children(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from sorted(folder.iterdir())


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
