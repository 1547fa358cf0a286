"""The history of a bulletin's recordings: who made, signed, sent back or revoked what, and why."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from loudspeaker.approvals.models import Approval, Revocation, SecondHearing, SendBack
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.bulletins.recordings import recordings_of
from loudspeaker.users.models import User


@dataclass(frozen=True)
class Decision:
    """One step: `added`, `failed`, `confirmed`, `signed`, `sent_back` or `revoked`.

    `reason` is a person's, a failure's code, or what a second listener says that the recording says.
    """

    at: datetime
    kind: str
    recording_id: str
    user_id: str | None
    user_name: str
    reason: str = ""


def decisions_of(session: Session, bulletin_id: str) -> list[Decision]:
    """Every step with the recordings of a bulletin, oldest first."""
    found = recordings_of(session, [bulletin_id])
    ids = [one.id for one in found]
    approvals = session.exec(select(Approval).where(col(Approval.recording_id).in_(ids))).all()
    returns = session.exec(select(SendBack).where(col(SendBack.recording_id).in_(ids))).all()
    revocations = session.exec(select(Revocation).where(col(Revocation.recording_id).in_(ids))).all()
    hearings = session.exec(select(SecondHearing).where(col(SecondHearing.recording_id).in_(ids))).all()
    acting = {one.author_id for one in found} | {one.user_id for one in approvals}
    acting |= {one.user_id for one in hearings}
    acting |= {one.user_id for one in returns} | {one.user_id for one in revocations}
    names = {one.id: one.name for one in session.exec(select(User).where(col(User.id).in_(acting)))}
    steps = [Decision(one.created_at, "added", one.id, one.author_id, names.get(one.author_id, "")) for one in found]
    steps += [_failure(one) for one in found if one.state == RecordingState.FAILED]
    steps += [Decision(one.at, "confirmed", one.recording_id, one.user_id, names.get(one.user_id, ""), one.says)
              for one in hearings]
    for kind, rows in (("signed", approvals), ("sent_back", returns), ("revoked", revocations)):
        steps += [Decision(one.at, kind, one.recording_id, one.user_id, names.get(one.user_id, ""),
                           getattr(one, "reason", "")) for one in rows]
    return sorted(steps, key=lambda one: one.at)


def _failure(recording: Recording) -> Decision:
    return Decision(recording.decided_at or recording.created_at, "failed", recording.id, None, "",
                    recording.error_code or "")
