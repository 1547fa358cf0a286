"""When to try again: exponential with full jitter, so that a fleet does not return as one wave."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """The longest wait doubles from `base_s` up to `cap_s`; the wait itself is drawn evenly below it."""

    base_s: float = 1.0
    cap_s: float = 30.0

    def delay_s(self, failures: int, addresses: int, draw: float) -> float:
        """Seconds to wait after `failures` failures in a row. The wait grows once per round over all addresses.

        `draw` is a random number in [0, 1).
        """
        rounds = max(failures - 1, 0) // addresses
        return draw * min(self.cap_s, self.base_s * 2.0 ** min(rounds, 32))
