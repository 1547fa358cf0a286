"""A recording spoken by the machine: the text is kept beside the uploads until a worker speaks it."""

import os
from datetime import datetime

from sqlmodel import Session

from audio.speech import MAX_CHARACTERS, VOICES
from loudspeaker.bulletins import recordings
from loudspeaker.bulletins.models import Recording
from loudspeaker.bulletins.service import editable_bulletin
from loudspeaker.bulletins.uploads import PART_FOLDER
from loudspeaker.conductor.house import House
from loudspeaker.database import after_commit, new_id
from loudspeaker.errors import InvalidError
from loudspeaker.users.access import Actor


def speak_bulletin(session: Session, house: House, actor: Actor, now: datetime, bulletin_id: str, *, text: str = "",
                   voice: str = "vi", with_chime: bool = True) -> Recording:
    """A recording of a bulletin's script (or of `text`) by the machine's `voice`: a key of `audio.speech.VOICES`."""
    bulletin = editable_bulletin(session, actor, bulletin_id)
    words = text.strip() or bulletin.script
    if voice not in VOICES:
        raise InvalidError("The machine does not speak this language.", field="voice",
                           advice="Record a person who speaks it, and upload that.")
    if not any(letter.isalnum() for letter in words):
        raise InvalidError("There is nothing to speak in this text.", field="text", advice="Write the script first.")
    if len(words) > MAX_CHARACTERS:
        raise InvalidError("The text is too long to be spoken.", field="text", advice="Cut it into shorter parts.")
    house.uploads.must_have_room(len(words) * 4)
    path = f"{PART_FOLDER}/{new_id()}{recordings.SPOKEN_SUFFIX}"
    _write(house, path, words)
    recording = recordings.add_recording(
        session, actor, now, bulletin.id, language=voice.split("-")[0], source_name="", source_path=path,
        with_chime=with_chime, seconds=house.settings.processing_seconds, voice=voice)
    after_commit(session, lambda: house.processing.take(recording.id))
    after_commit(session, lambda: house.hub.announce("recordings"))
    return recording


def _write(house: House, path: str, words: str) -> None:
    target = house.settings.data / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8") as file:
        file.write(words)
        file.flush()
        os.fsync(file.fileno())
