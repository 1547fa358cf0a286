"""Make speech even and loud enough for a horn on a pole, and encode it; measured on what was encoded."""

from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

from audio import pcm
from audio.engine import RAW, Engine, Progress, file_address
from audio.loudness import METER, NOTHING_LUFS, PEAK_METER, Loudness, read_summary

TARGET_LUFS: Final = -16.0
TOLERANCE_LU: Final = 0.7
PEAK_DBTP: Final = -1.0
FIRST_CEILING_DBFS: Final = -2.5
# the speech model of Opus can overshoot by 6 dB on a low pure tone, whatever the limiter left; without it, it does not
TUNINGS: Final = ("voip", "voip", "lowdelay", "lowdelay")
MEASURINGS: Final = 4
SETTLED_LU: Final = 0.3
TAKEN_BY_OPUS_LU: Final = 0.2
MAX_GAIN_DB: Final = 50.0
SHAPE: Final = "highpass=f=120,acompressor=threshold=0.1:ratio=2.5:attack=8:release=200:makeup=1:knee=4"
OPUS: Final = ("-c:a", "libopus", "-b:a", "32k", "-vbr", "on", "-frame_duration", "20")


@dataclass(frozen=True, slots=True)
class Master:
    """An encoded file, what is heard when it is decoded (raw), and how loud that is."""

    path: Path
    heard: Path
    loudness: Loudness


def master(engine: Engine, joined: Path, scratch: Path, progress: Progress, cancelled: Event | None) -> Master:
    """Shape, level, limit and encode the raw sound `joined` inside `scratch`.

    The result is −16 LUFS ±1 LU with a true peak of at most −1 dBTP, wherever four encodings can bring it there.
    """
    bench = _Bench(engine, scratch, pcm.duration_ms(joined) / 1000, cancelled)
    gain, shaped = bench.shape(joined)
    progress(0.25)
    settled = bench.settle(shaped, gain, FIRST_CEILING_DBFS)
    progress(0.4)
    best: Master | None = None
    for attempt, tuning in enumerate(TUNINGS):
        if attempt == 0 or tuning != TUNINGS[attempt - 1]:
            gain, ceiling = settled, FIRST_CEILING_DBFS
        made = bench.encode(shaped, gain, ceiling, tuning, scratch / f"{attempt}.ogg")
        best = made if best is None else better(best, made)
        if good(best.loudness):
            break
        progress(0.7 + 0.07 * attempt)
        ceiling -= max(0.0, made.loudness.true_peak_dbtp - PEAK_DBTP + 0.2)
        gain = bounded(gain + TARGET_LUFS - made.loudness.integrated_lufs)
    assert best is not None  # noqa: S101 (the loop runs at least once)
    progress(1.0)
    return best


def better(one: Master, other: Master) -> Master:
    """The less faulty of two; the files of the other one are removed."""
    kept, gone = sorted((one, other), key=lambda made: fault(made.loudness))
    gone.path.unlink()
    gone.heard.unlink()
    return kept


def good(loudness: Loudness) -> bool:
    """Whether a measured rendition may leave: loud as asked and below the peak."""
    return abs(loudness.integrated_lufs - TARGET_LUFS) <= TOLERANCE_LU and loudness.true_peak_dbtp <= PEAK_DBTP


def fault(loudness: Loudness) -> float:
    """How far a rendition is from what is asked, in dB; too high a peak weighs more."""
    return abs(loudness.integrated_lufs - TARGET_LUFS) + 4 * max(0.0, loudness.true_peak_dbtp - PEAK_DBTP)


@dataclass(frozen=True, slots=True)
class _Bench:
    engine: Engine
    scratch: Path
    seconds: float
    cancelled: Event | None

    def shape(self, joined: Path) -> tuple[float, Path]:
        """High-pass and compress into a new file; return the gain that its loudness asks for, and the file."""
        shaped = self.scratch / "shaped.raw"
        chain = f"{SHAPE},{METER},aresample=48000"
        log = self._run([*RAW, "-i", file_address(joined), "-af", chain, *RAW, file_address(shaped)])
        joined.unlink()
        measured = read_summary(log).integrated_lufs
        return (bounded(TARGET_LUFS - measured) if measured > NOTHING_LUFS else 0.0), shaped

    def settle(self, shaped: Path, gain: float, ceiling: float) -> float:
        """Return the gain that leaves the asked loudness *behind* the limiter, which takes more the more it gets."""
        for _ in range(MEASURINGS):
            missing = TARGET_LUFS + TAKEN_BY_OPUS_LU - self.behind_limiter(shaped, gain, ceiling)
            gain = bounded(gain + missing)
            if abs(missing) <= SETTLED_LU:
                break
        return gain

    def behind_limiter(self, shaped: Path, gain: float, ceiling: float) -> float:
        """Loudness in LUFS that is left after the limiter."""
        chain = f"{levelled(gain, ceiling)},{METER}"
        log = self._run([*RAW, "-i", file_address(shaped), "-af", chain, "-f", "null", "-"])
        return read_summary(log).integrated_lufs

    def encode(self, shaped: Path, gain: float, ceiling: float, tuning: str, path: Path) -> Master:
        """Encode, decode what was encoded, and measure that."""
        self._run([
            *RAW, "-i", file_address(shaped), "-af", f"{levelled(gain, ceiling)},aresample=48000",
            "-map_metadata", "-1", "-ac", "1", *OPUS, "-application", tuning,
            "-fflags", "+bitexact", "-flags:a", "+bitexact", "-f", "ogg", file_address(path),
        ])  # fmt: skip
        heard = path.with_suffix(".heard")
        log = self._run([
            "-f", "ogg", "-protocol_whitelist", "file", "-i", file_address(path),
            "-af", f"{PEAK_METER},aresample=48000", *RAW, file_address(heard),
        ])  # fmt: skip
        return Master(path, heard, read_summary(log))

    def _run(self, arguments: list[str]) -> tuple[str, ...]:
        return self.engine.run(
            arguments,
            reads=[],
            writes=[self.scratch],
            expected_seconds=self.seconds,
            cancelled=self.cancelled,
        )


def bounded(gain_db: float) -> float:
    """Keep a gain where filters take it and noise is not blown up without end."""
    return max(-MAX_GAIN_DB, min(MAX_GAIN_DB, gain_db))


def levelled(gain_db: float, ceiling_dbfs: float) -> str:
    """Filters that raise by `gain_db` and let no sample above `ceiling_dbfs`."""
    limit = max(0.0625, 10 ** (ceiling_dbfs / 20))
    return f"volume={gain_db:.3f}dB,alimiter=limit={limit:.5f}:attack=5:release=60:level=disabled"
