"""Where sound goes: nowhere, into one wav file, or to the machine's sound card."""

import json
import shutil
import struct
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

_HEADER = 44


class Sink(Protocol):
    """Takes mono 16-bit samples, in real time and without a gap from `open` on."""

    rate: int

    def open(self, now: datetime) -> int:
        """Begin; `now` is the instant of the next sample. Returns the samples it holds already from before."""

    def ready(self) -> None:
        """Sound is coming within seconds. Raises OSError."""

    def rest(self) -> None:
        """Only silence is to be expected."""

    def write(self, samples: bytes) -> None:
        """Take samples (a whole number, 2 bytes each). Raises OSError."""

    def close(self) -> None:
        """End."""


class NullSink:
    """Takes everything, keeps nothing."""

    def __init__(self, rate: int = 16_000) -> None:
        self.rate = rate

    def open(self, now: datetime) -> int:
        """Nothing is held."""
        del now
        return 0

    def ready(self) -> None:
        """Always ready."""

    def rest(self) -> None:
        """Always resting."""

    def write(self, samples: bytes) -> None:
        """Forget them."""

    def close(self) -> None:
        """Nothing to close."""


class WavSink:
    """One wav file, valid at any moment, with `first_sample_utc` and `sample_rate` in a `.json` beside it.

    A file that is there is continued: what the node did not live through is silence.
    """

    def __init__(self, path: Path, rate: int = 16_000) -> None:
        self.path, self.rate = path, rate
        self._written = self._promised = 0

    def open(self, now: datetime) -> int:
        """Make the file, or go on with it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        note = self.path.with_suffix(".json")
        first = self._first_sample(note)
        self._file = self.path.open("r+b" if first and self.path.exists() else "w+b")
        if first is None:
            note.write_text(json.dumps({"first_sample_utc": now.isoformat(), "sample_rate": self.rate}) + "\n")
        self._written = max(0, (self.path.stat().st_size - _HEADER) // 2)
        missing = int((now - first) / timedelta(seconds=1) * self.rate) - self._written if first else 0
        self._written += max(0, missing)
        self._file.truncate(_HEADER + 2 * self._written)
        self._promise()
        self._file.seek(_HEADER + 2 * self._written)
        return self._written

    def ready(self) -> None:
        """Silence is written as well: always ready."""

    def rest(self) -> None:
        """Keep the header true."""
        self._promise()
        self._file.seek(0, 2)

    def write(self, samples: bytes) -> None:
        """Append, and keep the header true once a second."""
        self._file.write(samples)
        self._written += len(samples) // 2
        if self._written - self._promised >= self.rate:
            self._promise()
            self._file.seek(0, 2)

    def close(self) -> None:
        """Leave a whole file."""
        self._promise()
        self._file.close()

    def _promise(self) -> None:
        size = 2 * self._written
        self._file.seek(0)
        self._file.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack(
            "<IHHIIHH", 16, 1, 1, self.rate, self.rate * 2, 2, 16) + b"data" + struct.pack("<I", size))
        self._file.flush()
        self._promised = self._written

    def _first_sample(self, note: Path) -> datetime | None:
        try:
            told = json.loads(note.read_text())
            same = told["sample_rate"] == self.rate
            return datetime.fromisoformat(told["first_sample_utc"]).astimezone(UTC) if same else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


class SystemSink:
    """The machine's sound card, by whichever program is there.

    The pipe is open from `ready` to `rest`: before the first sample, but not for days, in which the card's clock would
    run away from ours and the pipe would fill with delay.
    """

    def __init__(self, rate: int = 48_000, command: list[str] | None = None) -> None:
        self.rate = rate
        self._command = command or find_output(rate)
        self._child: subprocess.Popen[bytes] | None = None

    def open(self, now: datetime) -> int:
        """Nothing is held."""
        del now
        return 0

    def ready(self) -> None:
        """Start the program, if it does not run. Raises OSError."""
        if self._child is not None and self._child.poll() is not None:
            self.rest()
        if self._child is None:
            self._child = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL, bufsize=0)

    def rest(self) -> None:
        """End the program."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            if self._child.stdin is not None:
                self._child.stdin.close()
            self._child = None

    def write(self, samples: bytes) -> None:
        """Hand over; without a program it is silence to nobody. Raises OSError."""
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.write(samples)

    def close(self) -> None:
        """End the program."""
        self.rest()


class NoSoundOutput(RuntimeError):
    """No program that can play is installed."""


def find_output(rate: int) -> list[str]:
    """The command that plays raw samples from its input. Raises NoSoundOutput."""
    commands = {
        "aplay": ["aplay", "-q", "-t", "raw", "-f", "S16_LE", "-r", str(rate), "-c", "1", "--buffer-time=200000", "-"],
        "mpv": ["mpv", "--no-terminal", "--no-video", "--demuxer=rawaudio", f"--demuxer-rawaudio-rate={rate}",
                "--demuxer-rawaudio-channels=1", "--demuxer-rawaudio-format=s16le", "--cache=no", "-"],
        "ffplay": ["ffplay", "-nodisp", "-loglevel", "error", "-fflags", "nobuffer", "-f", "s16le", "-ar", str(rate),
                   "-i", "pipe:0"],
    }
    for name, command in commands.items():
        if shutil.which(name):
            return command
    raise NoSoundOutput("install one of: alsa-utils (aplay), mpv, ffmpeg (ffplay)")
