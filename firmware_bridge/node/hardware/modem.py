"""The 4G modem: how strong its signal is, and how many bytes have gone over it."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

TIMEOUT_S = 5.0
STRENGTHS = (("lte", "rsrp"), ("5g", "rsrp"), ("umts", "rscp"), ("gsm", "rssi"), ("umts", "rssi"), ("lte", "rssi"))
"""Where ModemManager tells the strength, the best measure first."""


@dataclass(frozen=True)
class Counters:
    """Bytes since the interface came up."""

    received: int
    sent: int


class Modem(Protocol):
    """The radio link; None where it cannot tell."""

    def signal_dbm(self) -> int | None:
        """Strength of the signal, in dBm: −75 is good, −110 is poor."""

    def counters(self) -> Counters | None:
        """Bytes that went over the interface."""


class NullModem:
    """No modem."""

    def signal_dbm(self) -> int | None:
        """None."""
        return None

    def counters(self) -> Counters | None:
        """None."""
        return None


class SystemModem:
    """ModemManager by mmcli for the signal, sysfs for the counters."""

    def __init__(self, modem: str | None, interface: str | None, sysfs: Path = Path("/sys")) -> None:
        self._modem, self._interface, self._sysfs = modem, interface, sysfs

    def signal_dbm(self) -> int | None:
        """The first measure that the modem tells."""
        if self._modem is None:
            return None
        command = ["mmcli", "-J", "-m", self._modem, "--signal-get"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=True)
            return strength(json.loads(done.stdout))
        except (OSError, subprocess.SubprocessError, ValueError):
            return None

    def counters(self) -> Counters | None:
        """As the kernel counts."""
        if self._interface is None:
            return None
        folder = self._sysfs / "class/net" / self._interface / "statistics"
        try:
            return Counters(int((folder / "rx_bytes").read_text()), int((folder / "tx_bytes").read_text()))
        except (OSError, ValueError):
            return None


def strength(told: Any) -> int | None:
    """The strength in what `mmcli -J --signal-get` prints: texts by technology, `--` where there is nothing."""
    for technology, measure in STRENGTHS:
        found = told
        for step in ("modem", "signal", technology, measure):
            found = found.get(step) if isinstance(found, dict) else None
        try:
            return round(float(found or "--"))
        except (TypeError, ValueError, OverflowError):
            continue
    return None
