"""Words for bulletins, recordings and programmes, as English message ids."""

from typing import Literal

from loudspeaker.bulletins.models import BulletinKind, RecordingState
from loudspeaker.web.i18n import Translator, marked

Tone = Literal["good", "warn", "fault", "idle"]

KIND_WORDS: dict[str, str] = {
    BulletinKind.NEWS: marked("News"),
    BulletinKind.NOTICE: marked("Notice"),
    BulletinKind.VILLAGE_NOTICE: marked("Village notice"),
    BulletinKind.ANSWER: marked("Answer to people's feedback"),
    BulletinKind.VOTING_INFORMATION: marked("Voting information"),
    BulletinKind.CANDIDATE_LIST: marked("List of candidates"),
    BulletinKind.ELECTIONEERING: marked("Electioneering"),
    BulletinKind.ENCOURAGEMENT: marked("Encouragement"),
    BulletinKind.RESULT: marked("Result"),
    BulletinKind.EMERGENCY: marked("Emergency"),
    BulletinKind.MUSIC: marked("Music"),
}
CLASS_WORDS: dict[int, str] = {0: marked("ordinary"), 1: marked("priority"), 2: marked("emergency")}
STATE_WORDS: dict[str, tuple[Tone, str]] = {
    RecordingState.PROCESSING: ("idle", marked("being prepared")),
    RecordingState.FAILED: ("fault", marked("could not be prepared")),
    RecordingState.READY: ("warn", marked("waits for approval")),
    RecordingState.APPROVED: ("good", marked("approved")),
    RecordingState.RETURNED: ("warn", marked("sent back")),
    RecordingState.REVOKED: ("fault", marked("revoked")),
}
NO_RECORDING: tuple[Tone, str] = ("idle", marked("no recording yet"))
STEP_WORDS: dict[str, str] = {
    "queued": marked("waiting for its turn"),
    "speak": marked("the machine is speaking the text"),
    "probe": marked("checking the file"),
    "decode": marked("reading the sound"),
    "level": marked("levelling loudness"),
    "store": marked("storing the recording"),
}
DECISION_WORDS: dict[str, str] = {
    "added": marked("added a recording"),
    "failed": marked("could not be prepared"),
    "heard": marked("heard it to the end"),
    "confirmed": marked("confirmed what it says"),
    "signed": marked("signed the approval"),
    "sent_back": marked("sent it back"),
    "revoked": marked("revoked it"),
}
LANGUAGE_WORDS: dict[str, str] = {
    "vi": marked("Vietnamese"), "hmn": marked("Hmong"), "tai": marked("Thai (Tai)"), "ium": marked("Dao"),
    "tyz": marked("Tay"), "nut": marked("Nung"), "mtq": marked("Muong"), "khm": marked("Khmer"),
    "en": marked("English language"),
}
VOICE_WORDS: dict[str, str] = {
    "vi": marked("Vietnamese, northern voice"), "vi-central": marked("Vietnamese, central voice"),
    "vi-south": marked("Vietnamese, southern voice"),
}


def language_of(t: Translator, code: str) -> str:
    """The name of a language, else its code."""
    return t.gettext(LANGUAGE_WORDS[code]) if code in LANGUAGE_WORDS else code
