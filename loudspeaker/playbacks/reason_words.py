"""States of playbacks and reasons of nodes, in words: the one place where their codes become sentences."""

from loudspeaker.errors import marked
from loudspeaker.playbacks.closing import JOURNAL_LOST, NOT_HELD, RETIRED
from loudspeaker.playbacks.models import PlaybackState

STATES: dict[str, str] = {
    PlaybackState.AWAITING: marked("awaiting"),
    PlaybackState.PLAYING: marked("on air"),
    PlaybackState.PLAYED: marked("played"),
    PlaybackState.PARTIAL: marked("partly played"),
    PlaybackState.MISSED: marked("missed"),
    PlaybackState.UNKNOWN: marked("unknown"),
}
CLASSES: dict[int, str] = {0: marked("ordinary"), 1: marked("priority"), 2: marked("emergency")}

REASONS: dict[str, str] = {
    NOT_HELD: marked("The loudspeaker never had it."),
    RETIRED: marked("The loudspeaker was taken down."),
    JOURNAL_LOST: marked("The loudspeaker's journal of that time is lost."),
    "power": marked("The loudspeaker was off the whole time."),
    "clock": marked("The loudspeaker did not know the time."),
    "stopped": marked("A stop was in force."),
    "not_stored": marked("The recording had not arrived."),
    "late": marked("Something else was on the air for too long."),
    "preempted": marked("A broadcast of a higher class interrupted it."),
    "cancelled": marked("It was cancelled."),
    "revoked": marked("The approval was withdrawn."),
    "no_room": marked("There was no time left for all of it."),
    "player": marked("The player or the sound device failed."),
    "crash": marked("The loudspeaker stopped in the middle of it."),
    "no_evidence": marked("The player did not tell what was heard."),
    "no_policy": marked("The loudspeaker has no signed policy."),
    "outside_frames": marked("Outside the time frames of the policy."),
    "quiet_hours": marked("Inside the quiet hours of the policy."),
    "session_too_long": marked("The session was longer than the policy allows."),
    "too_many_sessions": marked("More sessions in a day than the policy allows."),
    "own_approval": marked("Its author had approved it."),
    "too_few_owners": marked("Not enough people had approved it."),
    "class_too_high": marked("It was not approved for this class."),
    "foreign_key": marked("It was signed by an unknown key."),
    "bad_signature": marked("Its signature was wrong."),
    "expired": marked("Its approval had run out."),
    "not_yet_valid": marked("Its approval was not valid yet."),
    "wrong_place": marked("It was not approved for this place."),
    "altered": marked("The recording was altered."),
    "not_approved": marked("It was not approved."),
}
OTHER = marked("Another reason: %(reason)s.")


def reason_words(reason: str | None) -> tuple[str, dict[str, str]]:
    """The sentence for a reason, with its parameters; empty when there is none."""
    if not reason:
        return "", {}
    known = REASONS.get(reason)
    return (known, {}) if known else (OTHER, {"reason": reason})
