"""From parts to the one rendition that is approved, fetched and aired."""

import hashlib
import math
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Event
from typing import Final

from audio import mastering, pcm
from audio.engine import SAMPLE_RATE, Engine, Progress
from audio.errors import AudioError
from audio.probe import Probe, probe

SCRATCH_PREFIX: Final = "render-"
LEAD_MS: Final = 100
TAIL_MS: Final = 300
GAP_MS: Final = 400
CHIME_FADE_MS: Final = 30
LEAST_MS: Final = 1000
MISSING_SECONDS: Final = 0.5
RAW_COPIES: Final = 4
SILENT_DBFS: Final = -55.0
BELOW_LOUDEST_DB: Final = 45.0
GATE_DB: Final = 25.0
PART_DBFS: Final = -23.0
MAX_PART_GAIN_DB: Final = 40.0


class Role(StrEnum):
    """What a part is for: bodies are trimmed and must sound, chimes are taken as they are."""

    CHIME = "chime"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Part:
    """One foreign file in a recording."""

    path: Path
    role: Role = Role.BODY


@dataclass(frozen=True, slots=True)
class Recipe:
    """Parts in the order in which they are heard; at least one body."""

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not any(part.role is Role.BODY for part in self.parts):
            raise ValueError("a recipe needs a body")


@dataclass(frozen=True, slots=True)
class Rendition:
    """A finished recording: mono Opus in Ogg at `path`, named by `sha256` for ever.

    `duration_ms` is the exact decoded length; loudness and peak are measured on the encoded file; `waveform` has one
    value of 0–255 per 50 ms, or fewer so that there are at most 2,000.
    """

    path: Path
    sha256: str
    size_bytes: int
    duration_ms: int
    integrated_lufs: float
    true_peak_dbtp: float
    sample_rate: int
    waveform: bytes


@dataclass(frozen=True, slots=True)
class _Decoded:
    part: Part
    raw: Path
    from_ms: int
    to_ms: int
    gain_db: float


def render(
    engine: Engine,
    recipe: Recipe,
    workdir: Path,
    progress: Progress | None = None,
    cancelled: Event | None = None,
) -> Rendition:
    """Make the rendition of `recipe` as `workdir/<sha256>.ogg`; the same parts give the same bytes.

    All else that is written goes to a folder inside `workdir` that is gone on return, whatever happens.
    Raises the codes of `probe` and `Engine.run`; `silent`, `zero_length`, `too_long`, `disk_full`, `storage_failed`;
    `params["part"]` is the number of the part, from 0, where one part is at fault.
    """
    report = progress or (lambda _: None)
    try:
        with tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=workdir) as scratch:
            return _render(engine, recipe, workdir, Path(scratch), report, cancelled)
    except OSError as failure:
        raise AudioError.from_os(failure) from failure


def _render(
    engine: Engine, recipe: Recipe, workdir: Path, scratch: Path, report: Progress, cancelled: Event | None
) -> Rendition:
    decoded = []
    share = 0.4 / len(recipe.parts)
    for number, part in enumerate(recipe.parts):
        try:
            decoded.append(
                _decode(engine, part, scratch / f"{number}.raw", within(report, number * share, share), cancelled)
            )
        except AudioError as failure:
            raise AudioError(failure.code, **{"part": number, **failure.params}) from failure
    joined = scratch / "joined.raw"
    _join(decoded, joined)
    total_ms = pcm.duration_ms(joined)
    if total_ms > engine.limits.max_seconds * 1000:
        raise AudioError("too_long", seconds=total_ms // 1000, limit_seconds=engine.limits.max_seconds)
    for one in decoded:
        one.raw.unlink()
    master = mastering.master(engine, joined, scratch, within(report, 0.4, 0.6), cancelled)
    with master.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    final = master.path.rename(workdir / f"{digest}.ogg")
    return Rendition(
        path=final,
        sha256=digest,
        size_bytes=final.stat().st_size,
        duration_ms=pcm.duration_ms(master.heard),
        integrated_lufs=master.loudness.integrated_lufs,
        true_peak_dbtp=master.loudness.true_peak_dbtp,
        sample_rate=SAMPLE_RATE,
        waveform=pcm.peaks(master.heard),
    )


def _decode(engine: Engine, part: Part, raw: Path, report: Progress, cancelled: Event | None) -> _Decoded:
    found = probe(engine, part.path, cancelled=cancelled)
    _check_room(engine, raw.parent, found.seconds)
    _decode_checked(engine, part, found, raw, "-ac 1", report, cancelled)
    levels = pcm.levels(raw)
    if max(levels) < SILENT_DBFS and found.channels == 2:
        # two channels of opposite polarity cancel each other out: a microphone cable soldered the wrong way round
        _decode_checked(engine, part, found, raw, "-af pan=mono|c0=c0", report, cancelled)
        levels = pcm.levels(raw)
    if max(levels) < SILENT_DBFS:
        raise AudioError("silent")
    first, last = (0, len(levels) - 1) if part.role is Role.CHIME else sounding(levels)
    return _Decoded(
        part,
        raw,
        from_ms=max(0, first * pcm.BLOCK_MS - LEAD_MS),
        to_ms=min(pcm.duration_ms(raw), (last + 1) * pcm.BLOCK_MS + TAIL_MS),
        gain_db=max(-MAX_PART_GAIN_DB, min(MAX_PART_GAIN_DB, PART_DBFS - gated_level(levels))),
    )


def _decode_checked(
    engine: Engine, part: Part, found: Probe, raw: Path, channels: str, report: Progress, cancelled: Event | None
) -> None:
    engine.decode(
        part.path,
        found.format,
        raw,
        expected_seconds=found.seconds,
        channel_map=channels,
        progress=report,
        cancelled=cancelled,
    )
    decoded = pcm.duration_ms(raw) / 1000
    if decoded == 0:
        raise AudioError("zero_length")
    if decoded > engine.limits.max_seconds:
        raise AudioError("too_long", seconds=int(decoded), limit_seconds=engine.limits.max_seconds)
    if found.format.exact_length and decoded < found.seconds - MISSING_SECONDS:
        raise AudioError("truncated", seconds=round(decoded, 1), declared_seconds=round(found.seconds, 1))


def _check_room(engine: Engine, folder: Path, seconds: float) -> None:
    needed = int(seconds * pcm.SECOND_BYTES * RAW_COPIES) + engine.limits.free_bytes
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise AudioError("disk_full", free_bytes=free, needed_bytes=needed)


def sounding(levels: Sequence[float]) -> tuple[int, int]:
    """First and last block that count as sound: within 45 dB of the loudest, and above −55 dBFS."""
    threshold = max(SILENT_DBFS, max(levels) - BELOW_LOUDEST_DB)
    heard = [number for number, level in enumerate(levels) if level >= threshold]
    return heard[0], heard[-1]


def gated_level(levels: Sequence[float]) -> float:
    """Mean power in dBFS of the blocks within 25 dB of the loudest: how loud the talk is, pauses left out."""
    gate = max(levels) - GATE_DB
    powers = [10 ** (level / 10) for level in levels if level >= gate]
    return 10 * math.log10(sum(powers) / len(powers))


def _join(parts: Sequence[_Decoded], joined: Path) -> None:
    with joined.open("wb") as target:
        for number, one in enumerate(parts):
            if number:
                pcm.append_silence(target, GAP_MS)
            fade = CHIME_FADE_MS if one.part.role is Role.CHIME else 0
            pcm.append(target, one.raw, one.from_ms, one.to_ms, one.gain_db, fade)
        pcm.append_silence(target, max(0, LEAST_MS - target.tell() // pcm.MS_BYTES))
        target.write(bytes(-target.tell() % pcm.MS_BYTES))


def within(report: Progress, start: float, share: float) -> Callable[[float], None]:
    """Map 0–1 of one step to its share of the whole."""
    return lambda done: report(min(1.0, start + share * done))


def sweep(workdir: Path) -> int:
    """Remove what a killed server left half-made; call when nothing is being rendered. Return how many folders went."""
    left = list(workdir.glob(f"{SCRATCH_PREFIX}*"))
    for folder in left:
        shutil.rmtree(folder)
    return len(left)
