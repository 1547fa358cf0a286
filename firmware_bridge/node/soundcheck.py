"""The self-test that is heard: tones go out by the loudspeaker and come back by the microphone."""

import os
import subprocess
import sys
from array import array
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from firmware_bridge.node.amplifier import Amplifier
from firmware_bridge.node.clocks import monotonic
from firmware_bridge.node.effects import Cue
from firmware_bridge.node.hardware.microphone import Microphone
from firmware_bridge.node.hearing import (
    RATE,
    SECONDS,
    Heard,
    Levels,
    Reference,
    Verdict,
    compare,
    listen,
    reference_of,
    tones,
)
from firmware_bridge.node.players import Player
from firmware_bridge.node.players.decoder import find_ffmpeg

CUE = Cue(-1, "self-test", 0, "", 0, round(SECONDS * 1000), 100)
"""Not a broadcast's: it gives way to every cue of one."""
USER = "self-test"
AHEAD_S = 1.0
"""From the beginning of the recording to the first tone: programs and amplifier wake up meanwhile."""
AFTER_S = 1.0
"""For the delay of the sound card, both ways."""
TRIES = 3
ENCODE_WITHIN_S = 20.0


class SoundCheck:
    """Plays, records and compares; keeps the reference and the tones in `data`."""

    def __init__(self, player: Player, amplifier: Amplifier, microphone: Microphone, data: Path,
                 clock: Callable[[], float] = monotonic) -> None:
        self._player, self._amplifier, self._microphone, self._clock = player, amplifier, microphone, clock
        self._sound, self._reference = data / "self-test.ogg", data / "reference.json"

    def test(self) -> Heard | None:
        """What is heard against the reference; None without one. Noise is outwaited twice.

        Raises OSError (NoMicrophone, no sound output) and ValueError (too little was recorded).
        """
        reference = self.reference()
        if reference is None:
            return None
        for _ in range(TRIES):
            heard = compare(reference.tones, self.hear())
            if heard.verdict is not Verdict.UNCLEAR:
                break
        return heard

    def take_reference(self, now: datetime) -> Reference:
        """Keep what is heard now as what is right. Raises OSError, and ValueError when it is too little."""
        taken = Reference(taken=now, tones=reference_of(self.hear()))
        part = self._reference.with_suffix(".part")
        with part.open("wb") as file:
            file.write(taken.to_bytes())
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._reference)
        return taken

    def reference(self) -> Reference | None:
        """What was heard at installation. Raises ValueError when the file is damaged, OSError."""
        return Reference.from_bytes(self._reference.read_bytes()) if self._reference.exists() else None

    def hear(self) -> Levels:
        """Play the tones and listen. Raises OSError, ValueError."""
        if not self._sound.exists():
            encode(tones(), self._sound)
        self._player.prepare(CUE, self._sound)
        begin = self._clock() + AHEAD_S
        self._amplifier.switch(True, begin, USER)
        self._player.play(CUE, self._sound, begin)
        try:
            return listen(self._microphone.record(AHEAD_S + SECONDS + AFTER_S, RATE))
        finally:
            self._player.silence(CUE.id, self._clock())
            self._amplifier.switch(False, self._clock(), USER)


def encode(samples: "array[int]", path: Path) -> None:
    """Write samples as Ogg, without loss: what the player reads. Raises OSError (also when there is no ffmpeg)."""
    raw = array("h", samples)
    if sys.byteorder == "big":
        raw.byteswap()
    command = [find_ffmpeg(), "-hide_banner", "-loglevel", "error", "-y", "-f", "s16le", "-ar", str(RATE), "-ac", "1",
               "-i", "pipe:0", "-c:a", "flac", "-f", "ogg", f"file:{path}"]
    try:
        subprocess.run(command, input=raw.tobytes(), capture_output=True, timeout=ENCODE_WITHIN_S, check=True)
    except subprocess.SubprocessError as error:
        path.unlink(missing_ok=True)
        raise OSError(f"ffmpeg: {error}") from error
