"""Words for nodes, what is asked of them, and what their journals say, as English message ids."""

import json
from collections.abc import Mapping
from typing import Any

from firmware_bridge.contract.messages import EntryKind
from loudspeaker.conductor.node_pages import Condition
from loudspeaker.playbacks.models import JournalEntry, PlaybackState
from loudspeaker.playbacks.reason_words import REASONS, STATES
from loudspeaker.web.content_words import Tone
from loudspeaker.web.i18n import Translator, marked
from loudspeaker.web.trust_words import CONCERN_WORDS

CONDITIONS: dict[str, tuple[Tone, str]] = {
    Condition.WORKING: ("good", marked("working")),
    Condition.BEHIND: ("warn", marked("waits for its order")),
    Condition.CLOCK: ("warn", marked("does not know the time")),
    Condition.OFFLINE: ("fault", marked("no connection")),
    Condition.NEW: ("idle", marked("never heard of yet")),
    Condition.RETIRED: ("idle", marked("taken down")),
}
TIME_STATES: dict[str, tuple[Tone, str]] = {
    "trusted": ("good", marked("right")),
    "holdover": ("warn", marked("kept by itself for a while")),
    "untrusted": ("fault", marked("not known")),
}
COMMANDS: dict[str, str] = {
    "stop": marked("Stop"), "volume": marked("Volume"), "self_test": marked("Self-test"),
    "sync": marked("Ask for news"), "play_now": marked("Air at once"),
}
RESULTS: dict[str, tuple[Tone, str]] = {
    "accepted": ("good", marked("done")), "passed": ("good", marked("passed")), "failed": ("fault", marked("failed")),
    "refused": ("warn", marked("refused")),
}
CHECKS: dict[str, str] = {
    "disk": marked("the disk can be written"), "space": marked("there is space on the disk"),
    "decoder": marked("recordings can be decoded"), "player": marked("the sound output works"),
}
REFUSALS: dict[str, str] = {
    **REASONS,
    "malformed": marked("It could not be read."),
    "wrong_type": marked("It was another kind of document."),
    "wrong_site": marked("It came from another installation."),
    "wrong_node": marked("It was meant for another loudspeaker."),
    "older_version": marked("A newer version is held already."),
    "version_gap": marked("A version before it is missing."),
    **CONCERN_WORDS,
    "repeated": marked("It was carried out before."),
    "log_forked": marked("The server's log of signed documents is not the one that the loudspeaker carries."),
    "log_shrunk": marked("The server's log of signed documents lacks entries that the loudspeaker has a seal of."),
    "not_member": marked("The loudspeaker is not in this group."),
    "retained": marked("It was an old message that the broker had kept."),
    "bad_signature": marked("Its signature was wrong."),
    "expired": marked("Its time was over."),
    "not_yet_valid": marked("Its time had not come."),
    "clone": marked("Two controllers speak under this loudspeaker's name, in turns. One is a copy."),
    "journal_chain": marked("The loudspeaker's journal contradicts what it said before."),
}
_SIMPLE: dict[str, str] = {
    EntryKind.BOOT: marked("Started, version %(firmware)s."),
    EntryKind.ORDER_ACCEPTED: marked("Took over running order %(version)s (%(broadcasts)s broadcasts)."),
    EntryKind.ORDER_REFUSED: marked("Refused a running order: %(reason)s"),
    EntryKind.TRUST_ACCEPTED: marked("Took over approvers and policies."),
    EntryKind.TRUST_REFUSED: marked("Refused approvers or policies: %(reason)s"),
    EntryKind.RECORDING_STORED: marked("Stored the recording “%(title)s”."),
    EntryKind.RECORDING_REFUSED: marked("Refused the recording “%(title)s”: %(reason)s"),
    EntryKind.RECORDING_REMOVED: marked("Removed the recording “%(title)s”."),
    EntryKind.PLAY_START: marked("Began to air."),
    EntryKind.PLAY_END: marked("Ended: %(state)s, %(heard)s heard."),
    EntryKind.PLAY_MISSED: marked("Did not air: %(reason)s"),
    EntryKind.PREEMPTED: marked("Was interrupted by a higher class."),
    EntryKind.RESUMED: marked("Went on."),
    EntryKind.COMMAND: marked("Command “%(command)s”: %(result)s."),
    EntryKind.COMMAND_REFUSED: marked("Refused a command: %(reason)s"),
    EntryKind.CLOCK: marked("Clock: %(clock)s."),
    EntryKind.SOFTWARE: marked("Program %(version)s: %(software)s."),
    EntryKind.FAULT: marked("Trouble: %(what)s"),
}
_TROUBLES: dict[str, str] = {
    "flooding": marked("it sends far more than it should; the rest is dropped."),
    "forged_journal": marked("a journal came in its name that its key has not signed."),
    "order_expired": marked("the running order is too old."), "place_path": marked("the place has changed."),
    "refused_message": marked("a message was refused."), "player": marked("the player or the sound device failed."),
    "disk": marked("the disk is full or broken."), "disk_recovered": marked("the disk takes everything again."),
    "journal_broken": marked("the journal was damaged."),
    "time_backwards": marked("the server told a time that had long passed."),
    "amplifier": marked("the amplifier could not be switched."),
    "hardware": marked("a part of the hardware could not be reached."),
    "main_loop": marked("the program had an accident."),
    "approvers_expired": marked("the list of approvers is past its date; new approvals do not count."),
}
_SOFTWARE: dict[str, str] = {
    "accepted": marked("is being fetched"), "refused": marked("refused"), "installed": marked("installed, starts soon"),
    "failed": marked("could not be installed"), "healthy": marked("runs well and stays"),
    "rolled_back": marked("the newer one was not well, this one is back"),
}
_SOUND: dict[str, str] = {
    "good": marked("The loudspeaker sounds as it did when it was installed."),
    "weak": marked("The loudspeaker is much weaker than when it was installed."),
    "silent": marked("The loudspeaker is silent."),
    "unclear": marked("It was too noisy to hear whether the loudspeaker sounds."),
    "on_air": marked("No tones were played, because something airs or is about to."),
}
OTHER_ENTRY = marked("Wrote “%(kind)s”.")


def refusal_words(t: Translator, reason: object) -> str:
    """Why something was refused, or what is broken, as a sentence; an unknown reason as it is."""
    known = {**_TROUBLES, **REFUSALS}
    return t.gettext(known[reason]) if isinstance(reason, str) and reason in known else f"{reason}."


def entry_words(t: Translator, entry: JournalEntry, titles: Mapping[str, str]) -> str:
    """A journal entry as a sentence; `titles` of recordings by SHA-256."""
    data = data_of(entry)
    if entry.kind not in _SIMPLE:
        return t.gettext(OTHER_ENTRY, kind=entry.kind)
    state = str(data.get("state", ""))
    kept = {name: data.get(name, "–") for name in ("firmware", "version", "broadcasts")}
    words = t.gettext(
        _SIMPLE[entry.kind], **kept, reason=refusal_words(t, data.get("reason")),
        title=titles.get(entry.recording or "", (entry.recording or "")[:8]),
        state=t.gettext(STATES[PlaybackState(state)]) if state in set(PlaybackState) else state,
        heard=t.duration(_number(data.get("heard_ms")) / 1000),
        command=t.gettext(COMMANDS.get(str(data.get("kind")), str(data.get("kind")) or "–")),
        result=t.gettext(RESULTS.get(str(data.get("result")), ("idle", str(data.get("result")) or "–"))[1]),
        clock=t.gettext(TIME_STATES.get(state, ("idle", state or "–"))[1]),
        what=t.gettext(_TROUBLES.get(str(data.get("what")), str(data.get("what")) or "–")),
        software=t.gettext(_SOFTWARE.get(str(data.get("result")), str(data.get("result")) or "–")))
    return words + _sound_words(t, data.get("sound"))


def _sound_words(t: Translator, sound: object) -> str:
    """What the self-test heard, as a sentence more; nothing where it heard nothing."""
    told = sound if isinstance(sound, dict) else {}
    known = _SOUND.get(str(told.get("verdict", told.get("why"))))
    return f" {t.gettext(known)}" if known else ""


def data_of(entry: JournalEntry) -> dict[str, Any]:
    """What a journal entry says of its kind; nothing when its text cannot be read."""
    try:
        told = json.loads(entry.body)
    except ValueError:
        return {}
    data = told.get("data") if isinstance(told, dict) else None
    return data if isinstance(data, dict) else {}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
