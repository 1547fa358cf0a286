"""The signed policies of places as the rules of time understand them."""

from collections.abc import Mapping, Sequence
from datetime import time, timedelta

from sqlmodel import Session, col, select

from firmware_bridge.contract import documents
from loudspeaker.places.models import PolicyVersion
from schedules.policy import Policy, QuietHours, TimeFrame, effective


def signed_policies(session: Session) -> dict[str, Policy]:
    """The newest signed policy of every place that has one, by place id."""
    rows = session.exec(select(PolicyVersion).where(col(PolicyVersion.envelope).is_not(None))
                        .order_by(col(PolicyVersion.place_id), col(PolicyVersion.version)))
    return {row.place_id: to_rules(documents.Policy.from_bytes(row.payload)) for row in rows}


def policy_on(policies: Mapping[str, Policy], path: Sequence[str]) -> Policy | None:
    """What the policies along a place path (top first) allow together; None where none is signed: nothing airs there.

    Raises schedules.policy.MixedZones.
    """
    held = [policies[place] for place in path if place in policies]
    return effective(held) if held else None


def to_rules(policy: documents.Policy) -> Policy:
    """The signed document as a rule of time."""
    return Policy(
        policy.place,
        tuple(TimeFrame(_wall(one.start), _wall(one.end), frozenset(one.weekdays)) for one in policy.frames),
        tuple(QuietHours(_wall(one.start), _wall(one.end)) for one in policy.quiet_hours),
        timedelta(minutes=policy.longest_session_minutes), policy.sessions_per_day, policy.volume_cap, policy.zone)


def _wall(clock: str) -> time:
    return time(0) if clock == "24:00" else time.fromisoformat(clock)
