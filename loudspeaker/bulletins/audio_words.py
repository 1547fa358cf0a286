"""Why a file could not be made into a recording: code → (what is wrong, what to do), as catalogue sentences.

The one table for `audio.errors` and for the codes that processing adds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from loudspeaker.errors import marked

_ANOTHER = marked("Choose another file, or record it once more.")
_AS_MP3 = marked("Save the sound as MP3 or WAV and upload that file.")
_TECHNICIAN = marked("Press Try again; if it happens again, tell the technician.")
_PLAYLIST = marked("Upload the sound file itself, saved as MP3 or WAV, not a list or a link.")

AUDIO_WORDS: Final[dict[str, tuple[str, str]]] = {
    "cancelled": (marked("Processing was cancelled."), marked("Press Try again, or upload another file.")),
    "decode_failed": (marked("The sound in this file is damaged and cannot be read."), _ANOTHER),
    "disk_full": (marked("The server's disk is full, so the recording could not be stored."),
                  marked("Tell the technician to free some space; then press Try again.")),
    "empty_file": (marked("The file is empty."), _ANOTHER),
    "engine_missing": (marked("A program that the server needs for sound is missing."),
                       marked("Tell the technician to install it; then press Try again.")),
    "engine_stopped": (marked("The program that reads the sound was stopped before it had finished."), _TECHNICIAN),
    "not_audio": (marked("This file is not a sound recording."), _AS_MP3),
    "original_gone": (marked("The uploaded file is no longer there."), marked("Upload the file once more.")),
    "playlist": (marked("This file is only a list of other files, it holds no sound of its own."), _PLAYLIST),
    "revoked_before": (marked("Exactly this sound was revoked before, so it cannot be used again."),
                       marked("Record it anew, without what was wrong.")),
    "silent": (marked("Nothing can be heard in this file: it is silent from beginning to end."),
               marked("Check the microphone and record it once more.")),
    "speech_failed": (marked("The text could not be spoken."), _TECHNICIAN),
    "storage_failed": (marked("The recording could not be stored."), _TECHNICIAN),
    "timed_out": (marked("Processing took too long and was stopped."), _TECHNICIAN),
    "too_large": (marked("The file is too large."),
                  marked("Save the sound as MP3 and upload that; an hour of speech then fits in 60 MB.")),
    "too_long": (marked("The sound is too long: at most %(limit)s minutes are taken."),
                 marked("Cut it into shorter parts and upload them one by one.")),
    "truncated": (marked("The file breaks off before its end: part of the sound is missing."),
                  marked("Copy or record the file again, check that it plays to the end, and upload it once more.")),
    "unknown_recording": (marked("The stored sound is no longer there."), marked("Upload the file once more.")),
    "unsupported": (marked("This kind of sound file cannot be used."), _AS_MP3),
    "zero_length": (marked("There is no sound in this file: it is 0 seconds long."), _ANOTHER),
}
TEXT_TOO_LONG: Final = (marked("The text is too long to be spoken."), marked("Cut it into shorter parts."))
NOTHING_TO_SAY: Final = (marked("There is nothing to speak in this text."), marked("Write the script first."))
LANGUAGE_NOT_SPOKEN: Final = (marked("The machine does not speak this language."),
                              marked("Record a person who speaks it, and upload that."))


@dataclass(frozen=True)
class Words:
    """Two sentences for a person, with the values that fill them."""

    title: str
    advice: str
    params: Mapping[str, Any]


def words_for(code: str, params: Mapping[str, Any], *, spoken: bool = False) -> Words:
    """What to tell a person about a failure; `spoken` where a machine was to speak a text."""
    title, advice = AUDIO_WORDS.get(code, AUDIO_WORDS["decode_failed"])
    if spoken and code == "too_long" and "limit_characters" in params:
        title, advice = TEXT_TOO_LONG
    elif spoken and code == "zero_length":
        title, advice = NOTHING_TO_SAY
    elif code == "unsupported" and params.get("kind") == "language":
        title, advice = LANGUAGE_NOT_SPOKEN
    return Words(title, advice, {"limit": int(params.get("limit_seconds", 7200)) // 60})
