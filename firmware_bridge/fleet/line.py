"""What lies between a pole and its broker: how long a message takes, and when the line is cut."""

from dataclasses import dataclass

RETRY_S = 1.0
"""A lost segment comes again this much later, and holds up what follows it, as TCP does."""


@dataclass(frozen=True)
class Line:
    """A kind of line. All random draws are numbers in [0, 1).

    `latency_s` and `jitter_s` (added, evenly drawn) are for each way; `loss` is the share of messages that must be
    sent twice; `bytes_s` the rate of each way, 0 for no limit. On average the line is cut after `cut_every_s`
    (0: never) and is away for `away_s`.
    """

    latency_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    bytes_s: float = 0.0
    cut_every_s: float = 0.0
    away_s: float = 30.0

    @property
    def is_plain(self) -> bool:
        """Nothing is held up."""
        return not (self.latency_s or self.jitter_s or self.loss or self.bytes_s)

    def next_cut_s(self, draw: float) -> float | None:
        """Seconds until the next cut; None when there is none."""
        return self.cut_every_s * 2 * draw if self.cut_every_s else None

    def back_s(self, draw: float) -> float:
        """Seconds until a line that was cut is there again."""
        return self.away_s * 2 * draw


class Way:
    """One direction of a line: messages arrive in their order."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._sent = self._arrived = 0.0

    def arrival(self, now: float, size: int, draws: tuple[float, float]) -> float:
        """When `size` bytes that are given to the line at `now` have arrived, on the same clock."""
        line = self._line
        self._sent = max(now, self._sent) + (size / line.bytes_s if line.bytes_s else 0.0)
        late = line.latency_s + line.jitter_s * draws[0] + (RETRY_S if draws[1] < line.loss else 0.0)
        self._arrived = max(self._arrived, self._sent + late)
        return self._arrived
