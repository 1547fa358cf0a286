"""The machine's clocks: the one door through which time comes in."""

import ctypes
import time
from datetime import UTC, datetime
from pathlib import Path

from firmware_bridge.node.timekeeping import Moment

_STA_UNSYNC = 0x40
_TIMEX_LONGS = 64
_MAXERROR, _STATUS = 3, 5


def monotonic() -> float:
    """Seconds since power-on, suspended time included where the system counts it."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def wall() -> datetime:
    """What the system clock shows, right or wrong."""
    return datetime.now(UTC)


def moment() -> Moment:
    """What the clocks show now."""
    return Moment(wall(), monotonic(), wall_error_s())


def wall_error_s() -> float | None:
    """The kernel's own bound of the system clock's error in seconds; None when nothing keeps it synchronised."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        timex = (ctypes.c_long * _TIMEX_LONGS)()
        state = libc.adjtimex(timex)
    except (OSError, AttributeError):
        return None
    status = int(timex[_STATUS]) & 0xFFFFFFFF
    if state < 0 or status & _STA_UNSYNC:
        return None
    return int(timex[_MAXERROR]) / 1e6


def machine_boot() -> str:
    """Changes with every start of the machine; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
