"""The amplifier: off unless a verified order opens it; on a little before the first sample and after the last."""

import math
import threading
from collections.abc import Callable
from typing import Protocol

from firmware_bridge.node.clocks import monotonic
from firmware_bridge.node.hardware.mixer import Mixer, NullMixer
from firmware_bridge.node.hardware.relay import Relay

AIR = "air"
"""The user that airs broadcasts."""
LONGEST_WAIT_S = 60.0


class Amplifier(Protocol):
    """Is told from when on sound will come, and when it has ended. Instants are of the monotonic clock."""

    def switch(self, on: bool, at: float, user: str = AIR) -> None:
        """Sound of `user` begins, or has ended, at `at`. It is open while anybody uses it."""

    def close(self) -> None:
        """Off at once, for good."""


class NullAmplifier:
    """No amplifier to switch; remembers what it was told."""

    def __init__(self) -> None:
        self.on = False

    def switch(self, on: bool, at: float, user: str = AIR) -> None:
        """Remember."""
        del at, user
        self.on = on

    def close(self) -> None:
        """Off."""
        self.on = False


class TimedAmplifier:
    """Opens the relay `lead_s` before sound begins and closes it `lag_s` after it has ended, from a thread of its own.

    The mixer is set to `percent` each time, in case somebody has moved it. What fails is given to `report`.
    """

    def __init__(
        self, relay: Relay, lead_s: float = 0.5, lag_s: float = 0.5, mixer: Mixer | None = None,
        percent: int | None = None, report: Callable[[str], None] = lambda trouble: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._relay, self._lead_s, self._lag_s, self._clock = relay, lead_s, lag_s, clock
        self._mixer, self._percent, self._report = mixer or NullMixer(), percent, report
        self._due: dict[str, tuple[float, bool]] = {}
        self._users: set[str] = set()
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="amplifier", daemon=True)
        self._thread.start()

    def switch(self, on: bool, at: float, user: str = AIR) -> None:
        """Due at `at`, less the lead or plus the lag. What the user said before and is not yet due counts no more."""
        with self._changed:
            self._due[user] = (at - self._lead_s if on else at + self._lag_s, on)
            self._changed.notify()

    def close(self) -> None:
        """Off at once, and let the relay go."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._changed.notify()
        self._thread.join(1.0)
        self._relay.close()

    def _run(self) -> None:
        while (on := self._next()) is not None:
            try:
                self._relay.switch(on)
                if on and self._percent is not None:
                    self._mixer.set_percent(self._percent)
            except OSError as error:
                self._report(str(error))

    def _next(self) -> bool | None:
        """Wait until the relay is to be switched; None at the end."""
        with self._changed:
            while not self._is_closed:
                user, (due, on) = min(self._due.items(), key=lambda one: one[1], default=("", (math.inf, False)))
                if (wait_s := due - self._clock()) > 0:
                    self._changed.wait(min(wait_s, LONGEST_WAIT_S))
                    continue
                del self._due[user]
                was_on = bool(self._users)
                self._users = self._users | {user} if on else self._users - {user}
                if bool(self._users) != was_on:
                    return not was_on
        return None
