"""The desk: a thread that writes a sink's samples up to the present moment, each recording at its exact sample.

Sample *n* of the sink belongs to the instant `origin + n / rate`. Sound that is ready in time lands at the sample of
its instant, however late the thread itself gets to run; sound that is not ready lands where it really came.
"""

import math
import threading
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from operator import mul
from pathlib import Path
from typing import Protocol

from firmware_bridge.node.clocks import monotonic, wall
from firmware_bridge.node.effects import Cue
from firmware_bridge.node.inputs import CueEnded, CueStarted
from firmware_bridge.node.players.decoder import Decoder
from firmware_bridge.node.players.sinks import Sink

BLOCK_S = 0.02
PATIENCE_S = 0.25
"""How long the desk holds its place for a decoder before silence takes it: a sound card's buffer."""
REST_AFTER_S = 10.0
WHOLE_WITHIN_S = 0.5
"""A recording that ends this little before its approved length has ended by itself."""
FULL_SCALE = 32768.0

Report = Callable[[CueStarted | CueEnded], None]


class Player(Protocol):
    """Makes the sound of cues at their instants, one voice at a time. Instants are of the monotonic clock."""

    def start(self, report: Report) -> None:
        """Begin to live; `report` is called from the player's own thread."""

    def prepare(self, cue: Cue, path: Path) -> None:
        """Open the decoder."""

    def is_ready(self, cue: int) -> bool:
        """Whether a prepared cue has its first samples."""

    def play(self, cue: Cue, path: Path, at: float) -> None:
        """Let it sound at `at`, cutting what sounds then."""

    def silence(self, cue: int, at: float) -> None:
        """End it at `at`, at once when that is past."""

    def set_volume(self, cue: int, percent: int) -> None:
        """Change the loudness of a cue."""

    def close(self) -> None:
        """Fall silent and end."""


@dataclass
class _Voice:
    cue: Cue
    decoder: Decoder
    frames: int
    gain: float
    starts: int | None = None
    stops: int | None = None
    out: int = 0
    first: int | None = None
    peak: int = 0
    energy: float = 0.0


class Desk:
    """A player over a sink."""

    def __init__(
        self, sink: Sink, clock: Callable[[], float] = monotonic,
        open_decoder: Callable[[Path, int, int, int], Decoder] = Decoder,
    ) -> None:
        self._sink, self._clock, self._open_decoder = sink, clock, open_decoder
        self._rate = sink.rate
        self._voices: dict[int, _Voice] = {}
        self._current: _Voice | None = None
        self._written = 0
        self._busy_at = 0
        self._origin = 0.0
        self._fault: OSError | None = None
        self._report: Report = lambda report: None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)

    def start(self, report: Report) -> None:
        """Open the sink and begin to write. Raises OSError."""
        self._report = report
        now = self._clock()
        self._written = self._sink.open(wall())
        self._origin = now - self._written / self._rate
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether samples are still written."""
        return self._thread.is_alive()

    def prepare(self, cue: Cue, path: Path) -> None:
        """Open the decoder."""
        self._open(cue, path)

    def is_ready(self, cue: int) -> bool:
        """Whether a prepared cue has its first samples."""
        with self._lock:
            return cue in self._voices and self._voices[cue].decoder.ready > 0

    def play(self, cue: Cue, path: Path, at: float) -> None:
        """Let it sound at `at`, cutting what sounds then."""
        voice = self._open(cue, path)
        with self._lock:
            if voice.first is None:
                voice.starts = max(self._frame(at), 0)

    def silence(self, cue: int, at: float) -> None:
        """End it at `at`."""
        with self._lock:
            voice = self._voices.get(cue)
            if voice is not None and voice.starts is None:
                self._drop(voice)
            elif voice is not None:
                voice.stops = max(self._frame(at), self._written)

    def set_volume(self, cue: int, percent: int) -> None:
        """Change the loudness of a cue."""
        with self._lock:
            if cue in self._voices:
                self._voices[cue].gain = percent / 100

    def close(self) -> None:
        """Fall silent and end."""
        if self._closing.is_set():
            return
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(1.0)
        with self._lock:
            for voice in list(self._voices.values()):
                self._drop(voice)
            self._sink.close()

    def _open(self, cue: Cue, path: Path) -> _Voice:
        """The cue's voice. Its decoder is started without the lock: a busy machine may take long to start a program."""
        with self._lock:
            voice = self._voices.get(cue.id)
            if voice is not None:
                return voice
            self._sink.ready()
        decoder = self._open_decoder(path, cue.from_ms, cue.to_ms, self._rate)
        frames = round((cue.to_ms - cue.from_ms) * self._rate / 1000)
        voice = _Voice(cue, decoder, frames, cue.volume / 100)
        with self._lock:
            self._voices[cue.id] = voice
        return voice

    def _frame(self, at: float) -> int:
        return round((at - self._origin) * self._rate)

    def _run(self) -> None:
        while not self._closing.is_set():
            with self._lock:
                reports = self._write_up_to(self._frame(self._clock()))
                self._mind_rest()
            for one in reports:
                self._report(one)
            self._closing.wait(BLOCK_S)

    def _mind_rest(self) -> None:
        if self._voices:
            self._busy_at = self._written
        elif self._written - self._busy_at > REST_AFTER_S * self._rate:
            self._busy_at = self._written
            self._sink.rest()

    def _write_up_to(self, target: int) -> list[CueStarted | CueEnded]:
        """Write every sample before `target`, and tell what began and ended in them."""
        reports: list[CueStarted | CueEnded] = []
        while self._written < target:
            self._change_voice(reports)
            edge = min([target, *(one for one in self._edges() if one > self._written)])
            voice = self._current
            if voice is None:
                self._put(bytes(2 * (edge - self._written)))
                continue
            if not self._sound(voice, edge, reports) and not self._wait_or_fill(voice, edge, target, reports):
                break
        return reports

    def _edges(self) -> list[int]:
        return [edge for voice in self._voices.values() for edge in (voice.starts, voice.stops) if edge is not None]

    def _change_voice(self, reports: list[CueStarted | CueEnded]) -> None:
        """End what is to stop here, and give the desk to the latest cue whose instant has come.

        A cue that is no broadcast's (a number below 1) never takes the desk from one that is.
        """
        for voice in list(self._voices.values()):
            if voice.stops is not None and voice.stops <= self._written:
                self._end(voice, reports)
        due = [one for one in self._voices.values() if one.starts is not None and one.starts <= self._written]
        if not due:
            return
        latest = max(due, key=lambda one: (one.cue.id > 0, one.starts or 0, one.cue.id))
        if latest is not self._current:
            for voice in due:
                if voice is not latest:
                    self._end(voice, reports)
            self._current = latest

    def _sound(self, voice: _Voice, edge: int, reports: list[CueStarted | CueEnded]) -> bool:
        """Write what the decoder has ready up to `edge`. False when there is nothing."""
        wanted = min(edge - self._written, voice.frames - voice.out)
        if wanted <= 0:
            self._end(voice, reports)
            return True
        raw = voice.decoder.read(2 * wanted)
        if not raw:
            return False
        if voice.first is None:
            voice.first = self._written
            reports.append(CueStarted(voice.cue.id, self._origin + self._written / self._rate))
        samples = array("h", raw)
        if voice.gain != 1.0:
            samples = array("h", [int(one * voice.gain) for one in samples])
        voice.peak = max(voice.peak, max(samples), -min(samples))
        voice.energy += sum(map(mul, samples, samples))
        voice.out += len(samples)
        self._put(samples.tobytes())
        if self._fault is not None:
            voice.out -= len(samples)
            self._end(voice, reports, f"sound output: {self._fault}")
        elif voice.out >= voice.frames:
            self._end(voice, reports)
        return True

    def _wait_or_fill(self, voice: _Voice, edge: int, target: int, reports: list[CueStarted | CueEnded]) -> bool:
        """The decoder has nothing ready: end it, hold the place a moment, or let silence in. False to hold."""
        if voice.decoder.finished:
            self._end(voice, reports)
            return True
        if target - self._written < PATIENCE_S * self._rate:
            return False
        self._put(bytes(2 * (edge - self._written)))
        return True

    def _put(self, samples: bytes) -> None:
        """Hand over to the sink. One that has failed is opened anew with the next cue."""
        try:
            self._sink.write(samples)
            self._fault = None
        except OSError as error:
            self._fault = error
        self._written += len(samples) // 2

    def _end(self, voice: _Voice, reports: list[CueStarted | CueEnded], fault: str | None = None) -> None:
        started = None if voice.first is None else self._origin + voice.first / self._rate
        rms = math.sqrt(voice.energy / voice.out) / FULL_SCALE if voice.out else 0.0
        slack = WHOLE_WITHIN_S if voice.decoder.finished else BLOCK_S
        whole = voice.out > 0 and voice.out >= voice.frames - slack * self._rate
        error = fault or (None if voice.out or voice.stops is not None else "the decoder gave no sound")
        reports.append(CueEnded(voice.cue.id, started, voice.out * 1000 // self._rate, voice.peak / FULL_SCALE, rms,
                                whole, error))
        self._drop(voice)

    def _drop(self, voice: _Voice) -> None:
        self._voices.pop(voice.cue.id, None)
        if self._current is voice:
            self._current = None
        voice.decoder.close()


