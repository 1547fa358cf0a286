"""A player that makes no sound: it keeps the instants and reports as a real one does."""

from collections import deque
from dataclasses import dataclass

from firmware_bridge.node.effects import Cue, Play, Silence
from firmware_bridge.node.inputs import CueEnded, CueStarted

PEAK, RMS = 0.5, 0.1
"""What every cue measures, of full scale."""


@dataclass(frozen=True)
class Heard:
    """Sound that went out, from monotonic `at` on."""

    broadcast: str
    recording: str
    at: float
    from_ms: int
    to_ms: int

    @property
    def ends(self) -> float:
        """When it fell silent."""
        return self.at + (self.to_ms - self.from_ms) / 1000


@dataclass
class _Sounding:
    cue: Cue
    at: float
    ends: float
    started: bool = False
    whole: bool = True

    @property
    def next(self) -> float:
        return self.ends if self.started else self.at


class VirtualPlayer:
    """The cues of one pole. `late_s` is how late every sound begins. All instants are monotonic seconds."""

    def __init__(self, late_s: float = 0.0) -> None:
        self.heard: list[Heard] = []
        self._late_s = late_s
        self._cues: dict[int, _Sounding] = {}
        self._reports: deque[CueStarted | CueEnded] = deque()

    @property
    def sounds(self) -> bool:
        """Whether something has begun whose end was not reported yet."""
        return any(one.started for one in self._cues.values())

    def play(self, effect: Play, mono: float) -> None:
        """Let a cue sound; one that is armed and does not sound yet is moved."""
        at = max(effect.at, mono) + self._late_s
        length = (effect.cue.to_ms - effect.cue.from_ms) / 1000
        self._cues[effect.cue.id] = _Sounding(effect.cue, at, at + length)

    def silence(self, effect: Silence, mono: float) -> None:
        """End a cue at an instant; one that is not armed is only forgotten."""
        one = self._cues.get(effect.cue)
        at = max(effect.at, mono)
        if one is None or at >= one.ends:
            return
        if one.started or at > one.at:
            one.ends, one.whole = at, False
        else:
            self._end(one, one.at, whole=False)

    def next_due(self) -> float | None:
        """When there is something to report."""
        if self._reports:
            return 0.0
        return min((one.next for one in self._cues.values()), default=None)

    def report(self, mono: float) -> CueStarted | CueEnded | None:
        """The next thing to tell by `mono`; None when all is told."""
        if not self._reports and self._cues:
            first = min(self._cues.values(), key=lambda one: (one.next, not one.started))
            if first.next <= mono:
                self._happen(first)
        return self._reports.popleft() if self._reports else None

    def stop(self, mono: float) -> None:
        """The power is gone: what sounds has sounded until now, and nothing is reported."""
        for one in self._cues.values():
            if one.started:
                self._note(one, min(mono, one.ends))
        self._cues.clear()
        self._reports.clear()

    def _happen(self, one: _Sounding) -> None:
        if one.started:
            self._end(one, one.ends, one.whole)
            return
        for other in [other for other in self._cues.values() if other.started]:
            self._end(other, one.at, whole=False)
        one.started = True
        self._reports.append(CueStarted(one.cue.id, one.at))

    def _end(self, one: _Sounding, at: float, whole: bool) -> None:
        del self._cues[one.cue.id]
        heard_ms = self._note(one, at) if one.started else 0
        self._reports.append(CueEnded(one.cue.id, one.at if heard_ms else None, heard_ms, PEAK, RMS, whole))

    def _note(self, one: _Sounding, until: float) -> int:
        heard_ms = max(0, round((until - one.at) * 1000))
        if heard_ms:
            begun = one.cue.from_ms
            self.heard.append(Heard(one.cue.broadcast, one.cue.recording, one.at, begun, begun + heard_ms))
        return heard_ms
