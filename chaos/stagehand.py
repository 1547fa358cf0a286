"""A player on a virtual clock: what it is told sounds at its instant, and is reported as a real one would."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firmware_bridge.node.effects import Cue
from firmware_bridge.node.inputs import CueEnded, CueStarted
from firmware_bridge.node.players import Report

Heard = Callable[[Cue], None]
"""Told at the first sample of a cue."""


@dataclass
class _Voice:
    cue: Cue
    at: float
    ends: float
    started: bool = False


class VirtualPlayer:
    """One voice at a time. `mono` is its clock; `sound` reports everything up to it."""

    def __init__(self, heard: Heard = lambda cue: None) -> None:
        self.mono = 0.0
        self.take: Report = lambda report: None
        self._heard = heard
        self._voices: dict[int, _Voice] = {}

    def start(self, report: Report) -> None:
        """Report there."""
        self.take = report

    def prepare(self, cue: Cue, path: Path) -> None:
        """Nothing to open. Raises OSError when the recording is not there."""
        path.stat()

    def is_ready(self, cue: int) -> bool:
        """Always."""
        return True

    def play(self, cue: Cue, path: Path, at: float) -> None:
        """Let it sound at `at`."""
        begins = max(at, self.mono)
        self._voices[cue.id] = _Voice(cue, begins, begins + (cue.to_ms - cue.from_ms) / 1000)

    def silence(self, cue: int, at: float) -> None:
        """End it."""
        voice = self._voices.get(cue)
        if voice is not None and max(at, self.mono) < voice.ends:
            self._end(voice, max(at, self.mono), whole=False)

    def set_volume(self, cue: int, percent: int) -> None:
        """Nobody listens."""

    def close(self) -> None:
        """Fall silent."""
        self._voices.clear()

    def next_instant(self) -> float | None:
        """When something begins or ends to sound."""
        return min((one.ends if one.started else one.at for one in self._voices.values()), default=None)

    def sound(self, mono: float) -> None:
        """Everything up to `mono`, in its order."""
        self.mono = mono
        for voice in sorted(self._voices.values(), key=lambda one: one.at):
            if not voice.started and voice.at <= mono:
                for other in [one for one in self._voices.values() if one.started]:
                    self._end(other, voice.at, whole=voice.at >= other.ends)
                voice.started = True
                self._heard(voice.cue)
                self.take(CueStarted(voice.cue.id, voice.at))
        for voice in [one for one in self._voices.values() if one.started and one.ends <= mono]:
            self._end(voice, voice.ends, whole=True)

    def _end(self, voice: _Voice, at: float, whole: bool) -> None:
        if self._voices.pop(voice.cue.id, None) is None:
            return
        heard = max(0, round((min(at, voice.ends) - voice.at) * 1000)) if voice.started else 0
        self.take(CueEnded(voice.cue.id, voice.at if heard else None, heard, 0.5, 0.1, whole))
