"""What an approver has heard of a recording, added up across devices.

The server cannot know that a person listened; it can know that no more was claimed than time allows. So what counts is
at most 1.5 times the time since the sound was first opened (people may listen at 1.5× speed), and a short head start.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import Session

from loudspeaker.approvals.models import Heard
from loudspeaker.audit import service as audit
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.bulletins.recordings import recording_seen_by
from loudspeaker.errors import ConflictError
from loudspeaker.users.access import Actor

FASTEST = 1.5
HEAD_START_MS = 10_000
"""For players that fetch ahead and links that deliver late."""
ENOUGH = 0.99
MAX_INTERVALS = 500

Interval = tuple[int, int]
"""From and to in ms, to not included."""


def merged(intervals: Iterable[Sequence[int]], duration_ms: int) -> list[Interval]:
    """The intervals within 0–`duration_ms`, in order, without overlaps."""
    inside = sorted((max(0, one[0]), min(duration_ms, one[1])) for one in intervals)
    result: list[Interval] = []
    for start, end in inside:
        if end <= start:
            continue
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result


def total_ms(intervals: Iterable[Sequence[int]]) -> int:
    """Length of intervals that do not overlap."""
    return sum(end - start for start, end in intervals)


def plausible_ms(since_opened_s: float) -> int:
    """The most that can have been heard so many seconds after the sound was opened."""
    return HEAD_START_MS + int(max(0.0, since_opened_s) * FASTEST * 1000)


def credited(held: Iterable[Sequence[int]], claimed: Iterable[Sequence[int]], duration_ms: int,
             allowed_ms: int) -> list[Interval]:
    """`held` and as much of what is new in `claimed`, from its beginning, as keeps the total within `allowed_ms`.

    What is held already never shrinks.
    """
    result = merged(held, duration_ms)
    for start, end in merged(claimed, duration_ms):
        for gap_start, gap_end in unheard(result, start, end):
            room = allowed_ms - total_ms(result)
            if room <= 0:
                return result
            result = merged([*result, (gap_start, min(gap_end, gap_start + room))], duration_ms)
    return result


def unheard(held: Sequence[Interval], start: int, end: int) -> list[Interval]:
    """The parts of `start`–`end` that are not in `held` (merged)."""
    edges = [start, *(edge for one in held for edge in one if one[1] > start and one[0] < end), end]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [(low, high) for low, high in pairs if low < high]


def is_complete(intervals: Iterable[Sequence[int]], duration_ms: int) -> bool:
    """True when at least 99 % was heard."""
    return duration_ms > 0 and total_ms(intervals) >= ENOUGH * duration_ms


def open_hearing(session: Session, actor: Actor, now: datetime, recording: Recording) -> Heard:
    """The person has opened the sound: from here on time counts."""
    found = session.get(Heard, (recording.id, actor.user.id), with_for_update=True)  # two devices may tell at once
    if found is None:
        found = Heard(recording_id=recording.id, user_id=actor.user.id, started_at=now, updated_at=now)
        session.add(found)
        session.flush()
    return found


def note_heard(session: Session, actor: Actor, now: datetime, recording_id: str, intervals: Sequence[Sequence[int]],
               rate: float = 1.0) -> tuple[Heard, Recording]:
    """Add what a player says was heard, as far as it is plausible; at more than 1.5× speed nothing counts.

    Raises NotFoundError, or ConflictError while the recording waits for nobody's ear.
    """
    recording, bulletin = recording_seen_by(session, actor, recording_id)
    if recording.state != RecordingState.READY or recording.duration_ms is None:
        raise ConflictError("This recording does not wait for approval any more.")
    heard = open_hearing(session, actor, now, recording)
    if 0 < rate <= FASTEST:
        allowed = plausible_ms((now - heard.started_at).total_seconds())
        claimed = merged(intervals[:MAX_INTERVALS], recording.duration_ms)
        heard.intervals = [list(one) for one in credited(heard.intervals, claimed, recording.duration_ms, allowed)]
    heard.updated_at = now
    if heard.complete_at is None and is_complete(heard.intervals, recording.duration_ms):
        heard.complete_at = now
        audit.record(session, now, actor.user.id, "recording.heard", f"recording:{recording.id}", bulletin.place_id,
                     seconds=round((now - heard.started_at).total_seconds()))
    session.add(heard)
    session.flush()
    return heard, recording
