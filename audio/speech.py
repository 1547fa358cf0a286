"""Text to spoken sound by espeak-ng: the program of the system, else its library from a wheel."""

import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol

from audio.engine import SAMPLE_BYTES, SAMPLE_RATE
from audio.errors import AudioError
from audio.limits import Limits
from audio.process import Finished, run_shut_in

VOICES: Final = {"vi": "vi", "vi-north": "vi", "vi-central": "vi-vn-x-central", "vi-south": "vi-vn-x-south", "en": "en"}
MAX_CHARACTERS: Final = 60_000
WORDS_PER_MINUTE: Final = range(80, 401)
SPOKEN_SECOND_BYTES: Final = 22_050 * SAMPLE_BYTES
INSTALL_SPEECH: Final = "apt-get install espeak-ng, or pip install espeakng-loader"
LIBRARY_CHILD: Final = Path(__file__).with_name("espeak_child.py")
VERSION: Final = re.compile(r"(\d+\.\d+(?:\.\d+)?\S*)")


@dataclass(frozen=True, slots=True)
class Voice:
    """Who spoke: named wherever the recording is shown or signed."""

    engine: str
    voice: str
    version: str


class Speaker(Protocol):
    """Speaks text into a wav file."""

    def speak(self, text: str, language: str, out_path: Path, words_per_minute: int = 150) -> Voice:
        """Speak `text` (to 60,000 characters) in `language` (a key of `VOICES`) into the mono wav `out_path`.

        Speed is 80–400 words a minute. Raises `unsupported` (language), `too_long`, `zero_length` (nothing to say),
        `speech_failed`, `timed_out`, `disk_full`; then `out_path` does not exist.
        """
        ...


@dataclass(frozen=True, slots=True)
class ProgramSpeaker:
    """The `espeak-ng` program."""

    program: Path
    version: str
    limits: Limits = field(default_factory=Limits)

    def speak(self, text: str, language: str, out_path: Path, words_per_minute: int = 150) -> Voice:
        """See `Speaker.speak`."""
        voice, spoken = _checked(text, language, words_per_minute)
        _check_room(out_path.parent, len(text), words_per_minute, self.limits)
        speed, wav = str(words_per_minute), os.fspath(out_path.absolute())
        command = [str(self.program), "--stdin", "-b", "1", "-v", voice, "-s", speed, "-w", wav]
        _say(command, spoken, out_path, self.limits)
        return Voice("espeak-ng", voice, self.version)


@dataclass(frozen=True, slots=True)
class LibrarySpeaker:
    """The espeak-ng library, loaded in a child so that a crash there stays there."""

    library: Path
    data: Path
    version: str
    limits: Limits = field(default_factory=Limits)

    def speak(self, text: str, language: str, out_path: Path, words_per_minute: int = 150) -> Voice:
        """See `Speaker.speak`."""
        voice, spoken = _checked(text, language, words_per_minute)
        _check_room(out_path.parent, len(text), words_per_minute, self.limits)
        command = library_command(self.library, self.data, voice, str(words_per_minute), os.fspath(out_path.absolute()))
        _say(command, spoken, out_path, self.limits)
        return Voice("espeak-ng", voice, self.version)


def find_speaker(limits: Limits | None = None) -> Speaker:
    """Return the program of the PATH, else the library of espeakng-loader. Raises `engine_missing`."""
    limits = limits or Limits()
    if found := shutil.which("espeak-ng"):
        program = Path(found).resolve()
        return ProgramSpeaker(program, _version(run_shut_in([str(program), "--version"], limits, file_bytes=0)), limits)
    return find_library_speaker(limits)


def find_library_speaker(limits: Limits | None = None) -> LibrarySpeaker:
    """Return the library of espeakng-loader. Raises `engine_missing`."""
    limits = limits or Limits()
    try:
        loader = import_module("espeakng_loader")
    except ModuleNotFoundError:
        raise AudioError("engine_missing", engine="espeak-ng", install=INSTALL_SPEECH) from None
    library, data = Path(loader.get_library_path()), Path(loader.get_data_path())
    told = run_shut_in(library_command(library, data, "--version"), limits, file_bytes=0)
    if told.status != 0:
        raise AudioError("engine_missing", engine="espeak-ng", install=INSTALL_SPEECH)
    return LibrarySpeaker(library, data, _version(told), limits)


def library_command(library: Path, data: Path, *arguments: str) -> list[str]:
    """Command line of the child that loads the library."""
    return [sys.executable, "-I", "-S", str(LIBRARY_CHILD), str(library), str(data), *arguments]


def _checked(text: str, language: str, words_per_minute: int) -> tuple[str, bytes]:
    if language not in VOICES:
        raise AudioError("unsupported", kind="language", language=language)
    if words_per_minute not in WORDS_PER_MINUTE:
        raise ValueError(f"words per minute: 80 to 400, not {words_per_minute}")
    if not any(letter.isalnum() for letter in text):
        raise AudioError("zero_length")
    if len(text) > MAX_CHARACTERS:
        raise AudioError("too_long", characters=len(text), limit_characters=MAX_CHARACTERS)
    return VOICES[language], text.replace("\0", " ").encode()


def _check_room(folder: Path, characters: int, words_per_minute: int, limits: Limits) -> None:
    """espeak-ng does not notice a full disk: see to the room before, for words of three letters."""
    needed = characters * 60 * SPOKEN_SECOND_BYTES // (3 * words_per_minute) + limits.free_bytes
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise AudioError("disk_full", free_bytes=free, needed_bytes=needed)


def _say(command: list[str], text: bytes, out_path: Path, limits: Limits) -> None:
    try:
        ended = run_shut_in(
            command, limits, file_bytes=(limits.max_seconds + 60) * SAMPLE_RATE * SAMPLE_BYTES, stdin=text
        )
        if "No space left" in "\n".join(ended.log):
            raise AudioError("disk_full")
        if ended.status != 0 or not out_path.exists() or out_path.stat().st_size <= 44:
            raise AudioError("speech_failed", status=ended.status, detail="".join(ended.log[-1:])[-200:])
    except OSError as failure:
        raise AudioError.from_os(failure) from failure
    except AudioError:
        out_path.unlink(missing_ok=True)
        raise


def _version(told: Finished) -> str:
    found = VERSION.search("\n".join(told.log))
    return found[1] if found else "unknown"
