"""The sound card's mixer: the loudness that was set at installation, and stays."""

import re
import subprocess
from typing import Protocol

_PERCENT = re.compile(r"\[(\d{1,3})%\]")
TIMEOUT_S = 5.0


class Mixer(Protocol):
    """One playback control of a sound card."""

    def set_percent(self, percent: int) -> None:
        """Set the loudness, 0 to 100, and unmute. Raises OSError."""

    def percent(self) -> int | None:
        """The loudness now; None when it cannot be told. Raises OSError."""


class NullMixer:
    """No mixer; remembers what it was told."""

    def __init__(self) -> None:
        self._percent: int | None = None

    def set_percent(self, percent: int) -> None:
        """Remember."""
        self._percent = percent

    def percent(self) -> int | None:
        """What it was told."""
        return self._percent


class AmixerMixer:
    """An ALSA control, by amixer (alsa-utils)."""

    def __init__(self, card: str, control: str) -> None:
        self._card, self._control = card, control

    def set_percent(self, percent: int) -> None:
        """Set and unmute."""
        self._amixer("sset", f"{percent}%", "unmute")

    def percent(self) -> int | None:
        """As amixer shows it."""
        found = _PERCENT.search(self._amixer("sget"))
        return int(found[1]) if found else None

    def _amixer(self, verb: str, *more: str) -> str:
        command = ["amixer", "-M", "-D", self._card, verb, self._control, *more]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
        except subprocess.CalledProcessError as error:
            raise OSError(f"amixer: {error.stderr.strip()[:200]}") from error
        except subprocess.TimeoutExpired as error:
            raise OSError("amixer does not answer") from error
        return done.stdout
