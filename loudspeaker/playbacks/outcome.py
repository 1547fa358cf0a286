"""What journal entries make of a playback: a pure join, so that their order and repetition change nothing."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from firmware_bridge.contract.messages import Entry, EntryKind
from loudspeaker.playbacks.models import TERMINAL, PlaybackState

BEGINNINGS = frozenset({EntryKind.PLAY_START, EntryKind.PREEMPTED, EntryKind.RESUMED})
ENDS = frozenset({EntryKind.PLAY_END, EntryKind.PLAY_MISSED})
_WEIGHT = {PlaybackState.MISSED: 1, PlaybackState.UNKNOWN: 2, PlaybackState.PARTIAL: 3, PlaybackState.PLAYED: 4}
"""Where two journals of one node (a replaced disk) disagree, the one with the most evidence counts."""


@dataclass(frozen=True)
class Outcome:
    """What is known of one playback. Lengths in milliseconds, levels in dBFS; (journal_id, seq) closed it."""

    state: str = PlaybackState.AWAITING
    reason: str | None = None
    planned_ms: int = 0
    heard_ms: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    start_error_ms: float | None = None
    peak_dbfs: float | None = None
    rms_dbfs: float | None = None
    segments: tuple[dict[str, Any], ...] = ()
    journal_id: str | None = None
    seq: int | None = None


def apply(entry: Entry, journal_id: str, outcome: Outcome) -> Outcome:
    """`outcome` with what `entry` adds. Applying entries in any order, any number of times, gives the same."""
    if entry.kind == EntryKind.PLAY_START:
        outcome = replace(outcome, started_at=_earlier(outcome.started_at, entry.at))
    if entry.kind in BEGINNINGS and outcome.state == PlaybackState.AWAITING:
        return replace(outcome, state=PlaybackState.PLAYING)
    if entry.kind not in ENDS:
        return outcome
    ended = _ended(entry, journal_id)
    return replace(ended if _weight(ended) > _weight(outcome) else outcome,
                   started_at=_earlier(outcome.started_at, ended.started_at),
                   planned_ms=max(outcome.planned_ms, ended.planned_ms))


def _ended(entry: Entry, journal_id: str) -> Outcome:
    data = entry.data
    if entry.kind == EntryKind.PLAY_MISSED:
        return Outcome(PlaybackState.MISSED, _text(data.get("reason")) or "unknown", ended_at=entry.at,
                       journal_id=journal_id, seq=entry.seq)
    segments = tuple(one for one in _listed(data.get("segments")) if isinstance(one, dict))
    return Outcome(
        state=_state(data.get("state")), reason=_text(data.get("reason")),
        planned_ms=_whole(data.get("planned_ms")) or 0, heard_ms=_whole(data.get("heard_ms")) or 0,
        started_at=_instant(segments[0].get("at")) if segments else None, ended_at=entry.at,
        start_error_ms=_number(data.get("start_error_ms")), peak_dbfs=_number(data.get("peak_dbfs")),
        rms_dbfs=_number(data.get("rms_dbfs")), segments=segments, journal_id=journal_id, seq=entry.seq)


def _weight(outcome: Outcome) -> tuple[bool, int, int, str, int]:
    # what a node said outweighs what the server or a person concluded without it
    said = outcome.journal_id is not None and outcome.seq is not None
    return (said, _WEIGHT.get(PlaybackState(outcome.state), 0), outcome.heard_ms,
            outcome.journal_id or "", -(outcome.seq or 0))


def _state(value: Any) -> str:
    known = isinstance(value, str) and value in TERMINAL
    return PlaybackState(value) if known else PlaybackState.UNKNOWN


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _instant(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None


def _text(value: Any) -> str | None:
    # a database may refuse control letters
    return "".join(filter(str.isprintable, value))[:64] or None if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and 0 <= number < 2**31 else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
