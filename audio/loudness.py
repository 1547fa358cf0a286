"""Loudness and true peak by EBU R 128 (ITU-R BS.1770-4)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audio.engine import Engine, guarded_input
from audio.errors import AudioError
from audio.formats import detect

# `framelog=quiet` of ffmpeg 5.1 reports 0.0 LUFS; `verbose` hides the same lines and measures
METER: Final = "ebur128=framelog=verbose"
PEAK_METER: Final = "ebur128=peak=true:framelog=verbose"
NOTHING_LUFS: Final = -70.0
INTEGRATED: Final = re.compile(r"^\s+I:\s+(\S+) LUFS")
RANGE: Final = re.compile(r"^\s+LRA:\s+(\S+) LU$")
PEAK: Final = re.compile(r"^\s+Peak:\s+(\S+) dBFS")


@dataclass(frozen=True, slots=True)
class Loudness:
    """Integrated loudness in LUFS (−70: nothing above the gate), loudness range in LU, true peak in dBTP."""

    integrated_lufs: float
    range_lu: float
    true_peak_dbtp: float


def measure(engine: Engine, path: Path) -> Loudness:
    """Measure foreign `path` as it stands. Raises the codes of `detect` and `Engine.run`."""
    form = detect(path)
    look = [*guarded_input(path, form, engine.limits.max_seconds), "-af", PEAK_METER, "-f", "null", "-"]
    return read_summary(engine.run(look, reads=[path]))


def read_summary(log: Sequence[str]) -> Loudness:
    """Read the last summary of an ebur128 filter in ffmpeg's log; the peak is −inf if it was not measured."""
    integrated = _last(INTEGRATED, log)
    if integrated is None:
        raise AudioError("decode_failed", detail="no loudness summary")
    peak = _last(PEAK, log)
    return Loudness(integrated, _last(RANGE, log) or 0.0, float("-inf") if peak is None else peak)


def _last(pattern: re.Pattern[str], log: Sequence[str]) -> float | None:
    for line in reversed(log):
        if found := pattern.match(line):
            return float(found[1])
    return None
