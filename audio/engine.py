"""The one door to ffmpeg and pydub."""

import re
import shutil
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Final

import imageio_ffmpeg

from audio.errors import AudioError, Code
from audio.formats import Format
from audio.limits import Limits
from audio.process import run_shut_in

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pydub looks for ffmpeg and audioop as it loads, and complains
    from pydub import AudioSegment

SAMPLE_RATE: Final = 48_000
SAMPLE_BYTES: Final = 2
RAW: Final = ("-f", "s16le", "-ar", str(SAMPLE_RATE), "-ac", "1")
INSTALL_FFMPEG: Final = "apt-get install ffmpeg, or pip install imageio-ffmpeg"
KNOWN_FAILURES: Final[tuple[tuple[Code, re.Pattern[str]], ...]] = (
    ("not_audio", re.compile(r"matches no streams")),
    ("disk_full", re.compile(r"No space left on device|Disk quota exceeded")),
    ("too_long", re.compile(r"File too large")),
    ("unsupported", re.compile(r"not on whitelist|Decoder .* not found|could not find codec param", re.I)),
    ("truncated", re.compile(r"moov atom not found|File ended prematurely|Truncat|partial file", re.I)),
    ("zero_length", re.compile(r"does not contain any stream", re.I)),
)
KEPT_LINES: Final = 200
# anchored: what a file says about itself is in the log too, and may pose as a complaint
COMPLAINT: Final = re.compile(r"(\[[^][]+ @ \w+\] )?\[(warning|error|fatal|panic)\] ")
OUT_TIME: Final = re.compile(r"out_time_us=(\d+)")
PROGRESS_LINE: Final = re.compile(r"[a-z0-9_]+=\s*\S*$")

Progress = Callable[[float], None]
"""Called with 0.0 to 1.0, never going back."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A given ffmpeg (5.1 or later), only ever run shut in, under `limits`."""

    ffmpeg: Path
    limits: Limits = field(default_factory=Limits)

    def decode(
        self,
        source: Path,
        form: Format,
        raw: Path,
        *,
        expected_seconds: float = 0.0,
        channel_map: str = "-ac 1",
        progress: Progress | None = None,
        cancelled: Event | None = None,
    ) -> tuple[str, ...]:
        """Decode foreign `source` to headerless 16-bit mono at 48 kHz in `raw`; return ffmpeg's log.

        At most one second more than `limits.max_seconds` is written. Raises any code of `run`.
        """
        output = [*channel_map.split(), "-ar", str(SAMPLE_RATE), "-c:a", "pcm_s16le", "-f", "s16le", file_address(raw)]
        return self.run(
            [*guarded_input(source, form, self.limits.max_seconds + 1), *output],
            reads=[source],
            writes=[raw.parent],
            expected_seconds=expected_seconds,
            progress=progress,
            cancelled=cancelled,
        )

    def run(
        self,
        arguments: Sequence[str],
        *,
        reads: Sequence[Path],
        writes: Sequence[Path] = (),
        expected_seconds: float = 0.0,
        progress: Progress | None = None,
        cancelled: Event | None = None,
    ) -> tuple[str, ...]:
        """Run ffmpeg with `arguments`, able to open `reads` and what is in the folders `writes`; return its log.

        Of the log, at most the first and the last 200 lines. Raises `timed_out`, `cancelled`, `disk_full`, `truncated`,
        `unsupported`, `not_audio`, `zero_length`, `too_long`, `engine_missing`, `engine_stopped` or `decode_failed`.
        """
        command = [
            str(self.ffmpeg), "-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info", "-y",
            "-progress", "pipe:1", "-stats_period", "0.25", *arguments,
        ]  # fmt: skip
        first: list[str] = []
        last: deque[str] = deque(maxlen=KEPT_LINES)

        def hear(line: str) -> None:
            if (match := OUT_TIME.match(line)) and progress is not None and expected_seconds > 0:
                progress(min(1.0, int(match[1]) / 1e6 / expected_seconds))
            if not PROGRESS_LINE.match(line):
                (first if len(first) < KEPT_LINES else last).append(line)

        finished = run_shut_in(
            command,
            self.limits,
            file_bytes=(self.limits.max_seconds + 60) * SAMPLE_RATE * SAMPLE_BYTES,
            reads=reads,
            writes=writes,
            on_line=hear,
            cancelled=cancelled,
        )
        log = (*first, *last)
        if finished.status != 0:
            raise _failure(finished.status, log)
        if progress is not None:
            progress(1.0)
        return log


def find_ffmpeg() -> Path:
    """Return the ffmpeg of the PATH, else the one that imageio-ffmpeg brings. Raises `engine_missing`."""
    if found := shutil.which("ffmpeg"):
        return Path(found).resolve()
    try:
        return Path(imageio_ffmpeg.get_ffmpeg_exe()).resolve()
    except RuntimeError:
        raise AudioError("engine_missing", engine="ffmpeg", install=INSTALL_FFMPEG) from None


def guarded_input(source: Path, form: Format, seconds: int) -> list[str]:
    """Arguments that open foreign `source` as exactly `form`: no other format, decoder, protocol or stream."""
    return [
        "-f", form.demuxer,
        "-format_whitelist", form.demuxer,
        "-codec_whitelist", ",".join(form.decoders),
        "-protocol_whitelist", "file",
        "-max_streams", "16",
        "-threads", "1",
        "-t", str(seconds),
        "-i", file_address(source),
        "-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1",
    ]  # fmt: skip


def file_address(path: Path) -> str:
    """Name a file so that no part of its name can be read as a protocol or an option."""
    return f"file:{path.absolute()}"


def raw_segment(data: bytes) -> AudioSegment:
    """Short headerless 16-bit mono sound at 48 kHz as a pydub segment; everything in it is in memory."""
    return AudioSegment(data=data, sample_width=SAMPLE_BYTES, frame_rate=SAMPLE_RATE, channels=1)


def _failure(status: int, log: Sequence[str]) -> AudioError:
    if status < 0:
        return AudioError("engine_stopped", signal=-status)
    complaints = [line for line in log if COMPLAINT.match(line)]
    for code, pattern in KNOWN_FAILURES:
        if any(pattern.search(line) for line in complaints):
            return AudioError(code)
    return AudioError("decode_failed", status=status, detail=complaints[-1][-200:] if complaints else "")
