"""A place's policy: what is proposed, what holds, and the defaults with their source. Signing: `conductor.policies`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from pydantic import ValidationError
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from firmware_bridge.contract import documents
from loudspeaker.audit.service import record
from loudspeaker.errors import InvalidError, NotFoundError
from loudspeaker.places import tree
from loudspeaker.places.models import Place, PolicyVersion
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role
from loudspeaker.versions import next_version
from schedules import policy as rules


@dataclass(frozen=True)
class PolicyState:
    """What a place has: the policy that holds (None: none is signed, nothing airs) and the draft that waits, if any.

    `inherited` are the signed policies of the places above, nearest last; they tighten this one.
    """

    place: Place
    signed: PolicyVersion | None
    draft: PolicyVersion | None
    inherited: tuple[PolicyVersion, ...] = ()


def policy_state(session: Session, actor: Actor, place_id: str) -> PolicyState:
    """What a place has. Raises NotFoundError, ForbiddenError."""
    place = tree.get(session, place_id)
    actor.must_see(place)
    above = [newest_signed(session, one) for one in place.path_ids[:-1]]
    return PolicyState(place, newest_signed(session, place.id), draft_of(session, place.id),
                       tuple(one for one in above if one is not None))


def newest_signed(session: Session, place_id: str) -> PolicyVersion | None:
    """The version that holds at a place."""
    return session.exec(_versions(place_id).where(col(PolicyVersion.envelope).is_not(None))).first()


def draft_of(session: Session, place_id: str) -> PolicyVersion | None:
    """The newest version, while nobody has signed it."""
    newest = session.exec(_versions(place_id)).first()
    return newest if newest is not None and newest.envelope is None else None


def read(version: PolicyVersion) -> documents.Policy:
    """The policy that a version says."""
    return documents.Policy.from_bytes(version.payload)


def propose(session: Session, actor: Actor, now: datetime, site: str, place_id: str,
            fields: Mapping[str, object]) -> PolicyVersion:
    """Keep `fields` (those of documents.Policy that are numbers and hours) as the draft that an approver may sign.

    Raises InvalidError with the field. An older draft is replaced: what is signed are exact bytes.
    """
    place = tree.get(session, place_id)
    actor.must(place, Role.ADMINISTRATOR, Role.APPROVER)
    newest = session.exec(_versions(place.id)).first()
    # a replaced draft gets a version of its own, so that a signature on the old bytes can never count for the new
    version = next_version(newest.version if newest else 0, now)
    payload = _document(site, place, version, now, fields).to_bytes()
    if newest is not None and newest.envelope is None:
        session.delete(newest)
        session.flush()
    draft = PolicyVersion(place_id=place.id, version=version, payload=payload, made_by=actor.user.id, made_at=now)
    session.add(draft)
    session.flush()
    record(session, now, actor.user.id, "policy.proposed", f"policy:{draft.id}", place.id, version=version)
    return draft


def draft_to_sign(session: Session, actor: Actor, place_id: str) -> PolicyVersion:
    """The draft whose exact bytes an approver of the place may sign. Raises NotFoundError, ForbiddenError."""
    place = tree.get(session, place_id)
    actor.must(place, Role.APPROVER)
    draft = draft_of(session, place.id)
    if draft is None:
        raise NotFoundError("There is no proposed policy to sign.",
                            advice="Change the hours or limits and save them as a proposal first.")
    return draft


def default_fields(place: Place) -> dict[str, object]:
    """What is proposed where nothing is signed: the defaults of `schedules.policy`, as documents.Policy's fields."""
    default = rules.default_policy(place.id, place.zone)
    return {
        "zone": place.zone,
        "frames": [{"start": _clock(one.start), "end": _clock(one.end), "weekdays": sorted(one.weekdays)}
                   for one in default.frames],
        "quiet_hours": [{"start": _clock(one.start), "end": _clock(one.end)} for one in default.quiet_hours],
        "longest_session_minutes": int(default.longest_session / timedelta(minutes=1)),
        "sessions_per_day": default.sessions_per_day,
        "volume_cap": default.volume_cap,
    }


def sources() -> dict[str, str]:
    """Where each default comes from, by rule: English sentences for the catalogue."""
    return {rule: default.source for rule, default in rules.DEFAULTS.items()}


def _versions(place_id: str) -> SelectOfScalar[PolicyVersion]:
    return select(PolicyVersion).where(PolicyVersion.place_id == place_id).order_by(col(PolicyVersion.version).desc())


def _document(site: str, place: Place, version: int, now: datetime, fields: Mapping[str, object]) -> documents.Policy:
    try:
        made = documents.Policy.model_validate({"zone": place.zone, **fields, "site": site, "place": place.id,
                                                "version": version, "issued": now})
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        raise InvalidError("A number or an hour of the policy is not possible.", field=field) from error
    tree.check_zone(made.zone)
    _check_frames(made.frames)
    for quiet in made.quiet_hours:
        if quiet.start == quiet.end:
            raise InvalidError("Quiet hours must end at another time than they start.", field="quiet_hours")
    return made


def _check_frames(frames: Sequence[documents.TimeFrame]) -> None:
    for one in frames:
        if one.end <= one.start:
            raise InvalidError("The time frame %(start)s–%(end)s ends before it begins.", field="frames",
                               start=one.start, end=one.end)
        if not one.weekdays:
            raise InvalidError("A time frame needs at least one day of the week.", field="frames")


def _clock(wall: time) -> str:
    return wall.strftime("%H:%M")
