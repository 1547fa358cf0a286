"""States of playbacks and reasons of nodes, in words: the one place where their codes become sentences."""

from loudspeaker.playbacks.closing import NOT_HELD, RETIRED
from loudspeaker.playbacks.models import PlaybackState

STATES: dict[str, str] = {
    PlaybackState.AWAITING: "awaiting",
    PlaybackState.PLAYING: "on air",
    PlaybackState.PLAYED: "played",
    PlaybackState.PARTIAL: "partly played",
    PlaybackState.MISSED: "missed",
    PlaybackState.UNKNOWN: "unknown",
}
CLASSES: dict[int, str] = {0: "ordinary", 1: "priority", 2: "emergency"}

REASONS: dict[str, str] = {
    NOT_HELD: "The loudspeaker never had it.",
    RETIRED: "The loudspeaker was taken down.",
    "power": "The loudspeaker was off the whole time.",
    "clock": "The loudspeaker did not know the time.",
    "stopped": "A stop was in force.",
    "not_stored": "The recording had not arrived.",
    "late": "Something else was on the air for too long.",
    "preempted": "A broadcast of a higher class interrupted it.",
    "cancelled": "It was cancelled.",
    "revoked": "The approval was withdrawn.",
    "no_room": "There was no time left for all of it.",
    "player": "The player or the sound device failed.",
    "crash": "The loudspeaker stopped in the middle of it.",
    "no_evidence": "The player did not tell what was heard.",
    "no_policy": "The loudspeaker has no signed policy.",
    "outside_frames": "Outside the time frames of the policy.",
    "quiet_hours": "Inside the quiet hours of the policy.",
    "session_too_long": "The session was longer than the policy allows.",
    "too_many_sessions": "More sessions in a day than the policy allows.",
    "own_approval": "Its author had approved it.",
    "too_few_owners": "Not enough people had approved it.",
    "class_too_high": "It was not approved for this class.",
    "foreign_key": "It was signed by an unknown key.",
    "bad_signature": "Its signature was wrong.",
    "expired": "Its approval had run out.",
    "not_yet_valid": "Its approval was not valid yet.",
    "wrong_place": "It was not approved for this place.",
    "altered": "The recording was altered.",
    "not_approved": "It was not approved.",
}
OTHER = "Another reason: %(reason)s."


def reason_words(reason: str | None) -> tuple[str, dict[str, str]]:
    """The sentence for a reason, with its parameters; empty when there is none."""
    if not reason:
        return "", {}
    known = REASONS.get(reason)
    return (known, {}) if known else (OTHER, {"reason": reason})
