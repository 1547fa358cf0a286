"""What a recording's statements are worth on this pole: when it is stored, and once more right before it airs."""

from dataclasses import replace
from datetime import datetime

from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.documents import AirClass, RecordingStatement
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.trust import Reason, Refused, Trust, read_recording
from firmware_bridge.node.air import Bar
from firmware_bridge.node.airing import Airing, Line
from firmware_bridge.node.state import Approval, State


def weigh(found: Approval, trust: Trust, place_path: tuple[str, ...], now: datetime, vouched: bool) -> Approval:
    """`found` with the statements that hold; with the last refusal when none does.

    `vouched`: it was approved under this trust before, so that the end of the approver list changes nothing.
    """
    trust = trust.for_what_was_verified() if vouched else trust
    approved: list[RecordingStatement] = []
    refusal, detail = Reason.NOT_APPROVED, "there is no statement beside it"
    for envelope in found.statements:
        try:
            statement = _read(envelope, trust, place_path, now)
            _is_of(statement, found)
            approved.append(statement)
        except Refused as refused:
            refusal, detail = refused.reason, refused.detail
    if approved:
        return replace(found, approved=tuple(approved), refusal=None, detail="")
    return replace(found, approved=(), refusal=refusal, detail=detail)


def bar_recording(state: State, airing: Airing, line: Line, at: datetime) -> Bar | None:
    """Why `line` may not sound at `at` in a broadcast of this class; None when it may."""
    held = state.stored.get(line.recording)
    if is_revoked_now(state, line.recording):
        return Bar(Reason.REVOKED, final=True)
    if held is None:
        return Bar("not_stored")
    if not held.approved:
        return Bar(held.refusal or Reason.NOT_APPROVED, final=True)
    reasons = [_why_not(state, one, airing.air_class, line, at) for one in held.approved]
    return None if None in reasons else Bar(reasons[-1] or Reason.NOT_APPROVED, final=True)


def is_revoked_now(state: State, recording: str) -> bool:
    """Whether the held order lists it as revoked."""
    return state.order is not None and recording in state.order.revoked


def _read(envelope: Envelope, trust: Trust, place_path: tuple[str, ...], now: datetime) -> RecordingStatement:
    """Read a statement; one that begins later is judged as of its beginning."""
    try:
        return read_recording(envelope, trust, place_path, now)
    except Refused as refused:
        if refused.reason is not Reason.NOT_YET_VALID:
            raise
    try:
        begins = RecordingStatement.from_bytes(envelope.payload).valid_from
    except MalformedPayload as error:
        raise Refused(Reason.MALFORMED, str(error)) from error
    return read_recording(envelope, trust, place_path, max(now, begins))


def _is_of(statement: RecordingStatement, found: Approval) -> None:
    if statement.recording != found.sha256:
        raise Refused(Reason.NOT_APPROVED, "the statement is about another recording")
    if statement.bytes != found.bytes:
        raise Refused(Reason.ALTERED, f"{found.bytes} bytes, {statement.bytes} were approved")


def _why_not(
    state: State, statement: RecordingStatement, wanted: AirClass, line: Line, at: datetime
) -> Reason | None:
    if statement.issued <= state.revoked.get(statement.recording, statement.issued.min.replace(tzinfo=at.tzinfo)):
        return Reason.REVOKED
    if wanted > statement.air_class:
        return Reason.CLASS_TOO_HIGH
    if line.duration_ms != statement.duration_ms:
        return Reason.ALTERED
    if at < statement.valid_from:
        return Reason.NOT_YET_VALID
    return Reason.EXPIRED if at >= statement.valid_until else None
