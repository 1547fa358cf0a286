"""Which way recordings come: HTTPS, and by the broker where HTTPS has not been reached for a while."""

from collections.abc import Callable

from firmware_bridge.node.clocks import monotonic
from firmware_bridge.node.fetching import Source

PATIENCE_S = 60.0
"""How long HTTPS may fail before the broker is asked."""
SOON_PATIENCE_S = 10.0
SOON_S = 600.0
"""What is needed within this gets the shorter patience."""
LOOK_AGAIN_S = 600.0
"""How often HTTPS is tried again meanwhile."""


class Routes:
    """Chooses between two sources. `connected` tells whether there is a broker; `clock` is monotonic."""

    def __init__(self, https: Source, broker: Source | None = None, connected: Callable[[], bool] = lambda: True,
                 clock: Callable[[], float] = monotonic, patience_s: float = PATIENCE_S) -> None:
        self._https, self._broker, self._connected, self._clock = https, broker, connected, clock
        self._patience_s = patience_s
        self._failing_since: float | None = None
        self._look_again = 0.0
        self._not_by_broker_until = 0.0

    def choose(self, left_s: float) -> Source:
        """The way for a recording that is needed in `left_s` seconds."""
        now, since = self._clock(), self._failing_since
        patience = min(SOON_PATIENCE_S, self._patience_s) if left_s < SOON_S else self._patience_s
        if self._broker is None or since is None or now - since < patience or not self._connected():
            return self._https
        if now >= self._look_again or now < self._not_by_broker_until:
            self._look_again = now + LOOK_AGAIN_S
            return self._https
        return self._broker

    def worked(self, way: Source) -> None:
        """Something came by this way."""
        if way is self._https:
            self._failing_since = None

    def failed(self, way: Source) -> None:
        """Nothing came by this way: it was not reached, or fell silent."""
        if way is not self._https:
            self._not_by_broker_until = self._clock() + PATIENCE_S
        elif self._failing_since is None:
            self._failing_since = self._clock()
            self._look_again = self._failing_since + LOOK_AGAIN_S
