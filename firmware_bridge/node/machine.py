"""The machine around the agent: what it measures, whether it is well, and who is told so."""

from collections.abc import Callable
from pathlib import Path

import structlog
from pydantic import JsonValue

from firmware_bridge.node.clocks import monotonic
from firmware_bridge.node.effects import Confirm, Install, Restart
from firmware_bridge.node.hardware.microphone import NoMicrophone
from firmware_bridge.node.hardware.parts import Parts
from firmware_bridge.node.hearing import Heard, Verdict
from firmware_bridge.node.inputs import SelfTested, SoftwareInput
from firmware_bridge.node.selftest import measure, self_test
from firmware_bridge.node.soundcheck import SoundCheck
from firmware_bridge.node.update import Updates

PAT_EVERY_S = 5.0
ON_AIR = "on_air"
"""Why no tones were played: something airs, or is about to."""


class Machine:
    """One pole's parts at work. `is_well` tells whether the sound still runs; without it no watchdog is patted."""

    def __init__(
        self, data: Path, parts: Parts, sound: SoundCheck | None = None, is_well: Callable[[], bool] = lambda: True,
        updates: Updates | None = None,
    ) -> None:
        self._data, self._parts, self._sound, self._is_well, self._updates = data, parts, sound, is_well, updates
        self._log = structlog.get_logger("node.machine")
        self._patted = -PAT_EVERY_S

    def begin(self, report: Callable[[SoftwareInput], None], stop: Callable[[], None]) -> None:
        """The node has started; `stop` ends it when a release wants a restart."""
        if self._updates is not None:
            self._updates.begin(report, stop)

    def perform(self, effect: Install | Restart | Confirm) -> None:
        """Carry out a step of an update, where the program lies in slots."""
        if self._updates is not None:
            self._updates.perform(effect)

    def look_for_software(self) -> None:
        """Ask the server for a release now."""
        if self._updates is not None:
            self._updates.look()

    def measure(self) -> dict[str, JsonValue]:
        """Telemetry values by name."""
        return measure(self._data, self._parts)

    def test(self, command: str, aloud: bool) -> SelfTested:
        """The self-test that `command` asked for; with tones when `aloud`, a microphone and a reference are there."""
        checks = self_test(self._data)
        heard, trouble = self._hear() if aloud else (None, ON_AIR)
        if heard is None and trouble:
            return SelfTested(command, checks | ({} if trouble == ON_AIR else {"sound": False}), {"why": trouble})
        if heard is None:
            return SelfTested(command, checks)
        told: dict[str, JsonValue] = {"verdict": str(heard.verdict)}
        told["bands"] = {str(band): lost for band, lost in heard.bands.items()}
        return SelfTested(command, checks | {"sound": heard.verdict is Verdict.GOOD}, told)

    def pat(self) -> None:
        """Tell the watchdogs that all is well, if it is. Called at every turn of the main loop."""
        if self._updates is not None:
            self._updates.look_if_due()
        now = monotonic()
        if now - self._patted < PAT_EVERY_S or not self._is_well():
            return
        self._patted = now
        try:
            self._parts.watchdog.pat()
        except OSError as error:
            self._log.warning("watchdog", error=str(error))

    def close(self) -> None:
        """The node ends on purpose."""
        try:
            self._parts.watchdog.close()
        except OSError as error:
            self._log.warning("watchdog", error=str(error))

    def _hear(self) -> tuple[Heard | None, str]:
        """What was heard, or why nothing was; neither where there is no ear or no reference."""
        if self._sound is None:
            return None, ""
        try:
            return self._sound.test(), ""
        except NoMicrophone:
            return None, ""
        except (OSError, ValueError, RuntimeError) as error:
            self._log.warning("self_test", error=str(error))
            return None, str(error)[:200]
