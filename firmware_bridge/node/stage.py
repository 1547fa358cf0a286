"""What is heard: effects on the player and the amplifier, and what they report when they fail."""

from collections.abc import Callable

import structlog

from firmware_bridge.node.amplifier import Amplifier
from firmware_bridge.node.clocks import monotonic
from firmware_bridge.node.crashpoints import Point, Reach
from firmware_bridge.node.effects import Cue, Play, Prepare, SetVolume, Silence, SwitchAmplifier
from firmware_bridge.node.inputs import CueEnded, Input, Spoiled
from firmware_bridge.node.players import Player
from firmware_bridge.node.players.decoder import NoDecoder
from firmware_bridge.node.store import Store

Sound = Prepare | Play | Silence | SetVolume | SwitchAmplifier


class Stage:
    """The player, the amplifier and the recordings that they let be heard."""

    def __init__(
        self, player: Player, amplifier: Amplifier, store: Store, report: Callable[[Input], None], reach: Reach
    ) -> None:
        self.player, self._amplifier, self._store, self._report, self._reach = player, amplifier, store, report, reach
        self._log = structlog.get_logger("node.stage")

    def perform(self, effect: Sound) -> None:
        """Carry out one effect. What fails is reported, not raised."""
        self._log.info("sound", effect=repr(effect))
        match effect:
            case Prepare(cue):
                self._cue(cue, None)
            case Play(cue, at):
                self._cue(cue, at)
            case Silence(cue_id, at):
                self.player.silence(cue_id, at)
            case SetVolume(cue_id, percent):
                self.player.set_volume(cue_id, percent)
            case SwitchAmplifier(on, at):
                self._amplifier.switch(on, at)

    def close(self) -> None:
        """Silence: the player ends, the amplifier is off."""
        self.player.close()
        try:
            self._amplifier.close()
        except OSError as error:
            self._log.warning("amplifier", error=str(error))

    def _cue(self, cue: Cue, at: float | None) -> None:
        """Prepare, or play at `at`. The bytes are hashed once more before their decoder is opened."""
        path = self._store.path(cue.recording)
        try:
            if at is not None:
                self._reach(Point.BEFORE_SOUND)
                self.player.play(cue, path, at)
                self._reach(Point.SOUND_GIVEN)
                if (late_s := monotonic() - at) > 0:
                    self._log.warning("late_cue", broadcast=cue.broadcast, late_ms=round(late_s * 1000))
            elif self._store.is_whole(cue.recording):
                self.player.prepare(cue, path)
            else:
                self._report(Spoiled(cue.recording, "found before playing"))
        except (OSError, NoDecoder) as error:
            self._report(CueEnded(cue.id, None, 0, 0.0, 0.0, False, f"{type(error).__name__}: {error}"))
