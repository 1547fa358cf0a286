"""What the pole can tell about itself: measurements, and whether its parts work."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from pydantic import JsonValue

from firmware_bridge.node.hardware.parts import Parts
from firmware_bridge.node.players.decoder import NoDecoder, find_ffmpeg

LEAST_FREE_BYTES = 50 * 1024 * 1024


def measure(data: Path, parts: Parts) -> dict[str, JsonValue]:
    """Telemetry values by name; what the machine does not tell is left out."""
    values: dict[str, JsonValue] = {"disk_free_mb": shutil.disk_usage(data).free // 1024**2}
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        values["memory_mb"] = pages * os.sysconf("SC_PAGE_SIZE") // 1024**2
    counters = parts.modem.counters()
    told: dict[str, JsonValue] = {
        "cpu_c": parts.sensors.temperature_c(), "power": parts.sensors.power(), "signal_dbm": parts.modem.signal_dbm(),
        "received_mb": counters.received // 1024**2 if counters else None,
        "sent_mb": counters.sent // 1024**2 if counters else None}
    return values | {name: value for name, value in told.items() if value is not None}


def self_test(data: Path) -> dict[str, bool]:
    """Checks by name: `disk` can be written, `space` is there, `decoder` decodes."""
    return {"disk": _can_write(data), "space": shutil.disk_usage(data).free > LEAST_FREE_BYTES,
            "decoder": _can_decode()}


def _can_write(data: Path) -> bool:
    try:
        with tempfile.NamedTemporaryFile(dir=data) as file:
            file.write(b"test")
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    return True


def _can_decode() -> bool:
    """Silence through the Opus encoder and back would need an encoder; that ffmpeg knows Opus in Ogg is enough."""
    try:
        told = subprocess.run([find_ffmpeg(), "-hide_banner", "-decoders"], capture_output=True, timeout=10, check=True)
    except (NoDecoder, OSError, subprocess.SubprocessError):
        return False
    return b"opus" in told.stdout
