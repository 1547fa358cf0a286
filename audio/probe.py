"""What a foreign file is, found by content and by ffmpeg alone."""

import re
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

from audio.completeness import check_complete
from audio.engine import COMPLAINT, Engine, guarded_input
from audio.errors import AudioError
from audio.formats import Format, detect

# anchored at their indent: what a file says about itself is in the log too, four spaces deep
STREAM: Final = re.compile(r"^\[info\]   Stream #0:\d+.*: Audio: (\w+).*?, (\d+) Hz, ([^,]+)", re.MULTILINE)
DURATION: Final = re.compile(r"^\[info\]   Duration: (\d+):(\d\d):(\d\d\.\d+)", re.MULTILINE)
SIZE: Final = re.compile(r"^\[info\] size=.*time=(-?\d+):(\d\d):(\d\d\.\d+)", re.MULTILINE)
CHANNELS: Final = {"mono": 1, "stereo": 2, "2.1": 3, "quad": 4, "4.0": 4, "5.0": 5, "5.1": 6, "7.1": 8}


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file declares: `seconds` as the container says or, if it says nothing, as its packets add up.

    For formats without `exact_length` they are a guess, good for showing progress.
    """

    format: Format
    codec: str
    seconds: float
    sample_rate: int
    channels: int


def probe(engine: Engine, path: Path, *, cancelled: Event | None = None) -> Probe:
    """Look at foreign `path` without decoding it.

    Raises `empty_file`, `too_large`, `playlist`, `not_audio`, `unsupported`, `truncated`, `zero_length`, `too_long` and
    the codes of `Engine.run`.
    """
    size = path.stat().st_size
    if size > engine.limits.max_input_bytes:
        raise AudioError("too_large", bytes=size, limit_bytes=engine.limits.max_input_bytes)
    form = detect(path)
    check_complete(path, form)
    limit = engine.limits.max_seconds
    look = [*guarded_input(path, form, limit + 1), "-c", "copy", "-f", "null", "-"]
    log = engine.run(look, reads=[path], cancelled=cancelled)
    text = "\n".join(log)
    stream = STREAM.search(text)
    if stream is None:
        raise AudioError("not_audio", kind="no_sound")
    if any("File ended prematurely" in line for line in log if COMPLAINT.match(line)):
        raise AudioError("truncated")
    seconds = _seconds(DURATION, text) or _seconds(SIZE, text)
    if form.exact_length and seconds > limit:
        raise AudioError("too_long", seconds=int(seconds), limit_seconds=limit)
    return Probe(form, stream[1], seconds, int(stream[2]), _channels(stream[3]))


def _seconds(pattern: re.Pattern[str], text: str) -> float:
    found = pattern.search(text)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else 0.0


def _channels(layout: str) -> int:
    name = layout.split("(")[0].strip()
    counted = re.match(r"(\d+) channels", name)
    return int(counted[1]) if counted else CHANNELS.get(name, 2)
