"""Saving programmes: first held against the signed policies and everything else that airs at the same nodes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from loudspeaker.broadcasts.airings import longest
from loudspeaker.conductor.expand import broadcast_items, expand
from loudspeaker.conductor.neighbours import Neighbours, neighbours, programme_airings
from loudspeaker.database import after_commit
from loudspeaker.errors import ConflictError, InvalidError
from loudspeaker.programmes import service
from loudspeaker.programmes.draft import ProgrammeDraft
from loudspeaker.programmes.models import Programme
from loudspeaker.programmes.poles import Pole, load_poles
from loudspeaker.programmes.policies import policy_on, signed_policies
from loudspeaker.programmes.violation_words import (
    COLLISION,
    NO_POLICY,
    PREEMPTED,
    PREEMPTS,
    SENTENCES,
    recurrence_sentence,
)
from loudspeaker.users.access import Actor
from schedules.airings import AirClass, Airing
from schedules.checks import Violation, ViolationCode, violations
from schedules.conflicts import Collision, Meeting, collisions
from schedules.policy import Policy
from schedules.recurrence import BadRecurrence, Recurrence, occurrences, validate
from schedules.slots import next_free_slot

AHEAD = timedelta(days=28)
"""How far from its first airing on a programme is held against others."""
SLOT_AHEAD = timedelta(days=7)
AROUND = timedelta(days=1)
MOST_TOLD = 50
NEW = "new"


@dataclass(frozen=True)
class Notice:
    """One thing that stands against a programme, or that it does to others. `title` is a message id for `params`."""

    code: str
    title: str
    params: Mapping[str, Any]
    at: datetime | None
    nodes: tuple[str, ...]
    other: str | None = None
    """Broadcast id of what it meets."""

    def as_facts(self) -> dict[str, Any]:
        """As JSON, without the sentence."""
        return {"code": self.code, "at": self.at.isoformat() if self.at else None, "nodes": list(self.nodes),
                "other": self.other, **{name: self.params[name] for name in ("actual", "limit") if name in self.params}}


@dataclass
class Check:
    """What would happen if the draft were saved. `problems` refuse it; `preemptions` are shown and allowed."""

    problems: list[Notice] = field(default_factory=list)
    preemptions: list[Notice] = field(default_factory=list)
    next_free: datetime | None = None
    """The next start at which nothing stands against it; only looked for when something does."""
    starts: list[datetime] = field(default_factory=list)
    """Its airings in the four weeks that were looked at."""
    length: timedelta = timedelta(0)
    nodes: tuple[str, ...] = ()
    recurrence: Recurrence | None = None


class PlanRefused(ConflictError):
    """The programme breaks a signed policy or meets another of its class."""

    code = "plan_refused"
    advice = "Choose another time, other loudspeakers or other recordings; the next free time is shown."

    def __init__(self, check: Check) -> None:
        first = check.problems[0]
        super().__init__(first.title, **first.params)
        self.check = check
        self.facts = {"problems": [one.as_facts() for one in check.problems],
                      "next_free": check.next_free.isoformat() if check.next_free else None}


def check_draft(session: Session, actor: Actor, now: datetime, draft: ProgrammeDraft,
                programme_id: str | None = None) -> Check:
    """Hold a draft against policies and neighbours. Raises InvalidError and ForbiddenError as saving would."""
    poles = load_poles(session)
    reached = service.validate(session, actor, draft, poles)
    check = Check(nodes=tuple(pole.id for pole in reached), recurrence=_recurrence(draft))
    check.starts = _starts(draft, max(now, draft.first_start))
    if not check.starts or (draft.first_start <= now and draft.rrule is None):
        raise InvalidError("This time has passed. Choose a later one.", field="first_start", code="past")
    items = broadcast_items(draft.items, service.approved_recordings(
        session, [id_ for item in draft.items for id_ in item.recordings.values()]))
    check.length = longest(items, (pole.languages for pole in reached), draft.languages)
    around = neighbours(session, poles, reached, check.starts[0] - AROUND,
                        max(check.starts[-1], check.starts[0] + SLOT_AHEAD) + AROUND, programme_id)
    _Trial(session, draft, items, reached, around, programme_id or NEW, check).run()
    return check


def save_programme(session: Session, actor: Actor, now: datetime, horizon: timedelta, draft: ProgrammeDraft,
                   outdated: Callable[[], None]) -> tuple[Programme, Check]:
    """Check, save and expand a new programme. Raises PlanRefused, InvalidError, ForbiddenError."""
    check = _passed(check_draft(session, actor, now, draft))
    programme = service.create_programme(session, actor, now, draft, load_poles(session))
    _put_in_force(session, now, horizon, programme, outdated)
    return programme, check


def change_programme(session: Session, actor: Actor, now: datetime, horizon: timedelta, programme_id: str,
                     revision: int, draft: ProgrammeDraft, outdated: Callable[[], None]) -> tuple[Programme, Check]:
    """Check, save and expand a changed programme. Raises also ConflictError on a stale revision."""
    service.current(session, programme_id, revision)
    check = _passed(check_draft(session, actor, now, draft, programme_id))
    programme = service.update_programme(session, actor, now, programme_id, revision, draft, load_poles(session))
    _put_in_force(session, now, horizon, programme, outdated)
    return programme, check


def end_programme(session: Session, actor: Actor, now: datetime, horizon: timedelta, programme_id: str, revision: int,
                  outdated: Callable[[], None]) -> Programme:
    """Cancel a programme and take back what of it has not begun."""
    programme = service.cancel_programme(session, actor, now, programme_id, revision, load_poles(session))
    _put_in_force(session, now, horizon, programme, outdated)
    return programme


def _passed(check: Check) -> Check:
    if check.problems:
        raise PlanRefused(check)
    return check


def _put_in_force(session: Session, now: datetime, horizon: timedelta, programme: Programme,
                  outdated: Callable[[], None]) -> None:
    expand(session, now, horizon, [programme.id])
    after_commit(session, outdated)


def _recurrence(draft: ProgrammeDraft) -> Recurrence:
    try:
        return validate(draft.rrule or None, draft.first_start, ZoneInfo(draft.zone), _exdates(draft))
    except BadRecurrence as error:
        raise InvalidError(recurrence_sentence(error), field="rrule", code=f"recurrence_{error.code}",
                           **error.params) from error


def _starts(draft: ProgrammeDraft, since: datetime) -> list[datetime]:
    return occurrences(draft.rrule or None, draft.first_start.replace(microsecond=0), ZoneInfo(draft.zone),
                       _exdates(draft), since.replace(microsecond=0), since + AHEAD)


def _exdates(draft: ProgrammeDraft) -> frozenset[date]:
    try:
        return frozenset(date.fromisoformat(one) for one in draft.exdates)
    except ValueError as error:
        raise InvalidError("A day that is left out cannot be read.", field="exdates") from error


@dataclass
class _Trial:
    """One draft against everything at its nodes; nodes of the same languages and policy are judged together."""

    session: Session
    draft: ProgrammeDraft
    items: Sequence[Mapping[str, Any]]
    reached: Sequence[Pole]
    around: Neighbours
    id: str
    check: Check

    def run(self) -> None:
        policies = self._policies()
        allowed = [pole for pole in self.reached if pole.id in policies]
        for languages in dict.fromkeys(pole.languages for pole in allowed):
            new = programme_airings(self.id, self.check.starts, self.draft.latest_start_s, self.draft.air_class,
                                    self.draft.volume, self.items, languages, self.draft.languages)
            here = [pole for pole in allowed if pole.languages == languages]
            self._violations(new, here, policies)
            self._collisions(new, here, policies)
        self.check.problems.sort(key=lambda one: (one.at or self.check.starts[0], one.code))
        self._find_room(policies, allowed)
        del self.check.problems[MOST_TOLD:], self.check.preemptions[MOST_TOLD:]

    def _policies(self) -> dict[str, Policy]:
        """The policy of each node, one object for all under the same; without any only an emergency may air."""
        signed = signed_policies(self.session)
        held = {pole.id: tuple(place for place in pole.path_ids if place in signed) for pole in self.reached}
        effective = {places: policy_on(signed, places) for places in set(held.values())}
        without = [pole for pole in self.reached if not held[pole.id]]
        if without and self.draft.air_class != AirClass.EMERGENCY:
            self.check.problems.append(Notice(NO_POLICY, SENTENCES[NO_POLICY], {"node": _named(without)}, None,
                                              tuple(pole.id for pole in without)))
        return {node: policy for node, places in held.items() if (policy := effective[places]) is not None}

    def _violations(self, new: Sequence[Airing], here: Sequence[Pole], policies: Mapping[str, Policy]) -> None:
        alike: dict[tuple[int, frozenset[str]], list[Pole]] = {}
        for pole in here:
            others = frozenset(one.broadcast_id for one in self.around.by_node[pole.id])
            alike.setdefault((id(policies[pole.id]), others), []).append(pole)
        ids = {one.broadcast_id for one in new}
        for poles in alike.values():
            policy, existing = policies[poles[0].id], self.around.by_node[poles[0].id]
            self.check.problems += [self._violated(one, poles) for one in violations(policy, [*existing, *new], ids)]

    def _violated(self, violation: Violation, poles: Sequence[Pole]) -> Notice:
        actual, limit = violation.actual or 0, violation.limit or 0
        if violation.code is ViolationCode.SESSION_TOO_LONG:
            actual, limit = -(-actual // 60), limit // 60
        params = {"node": _named(poles), "at": self._wall(violation.start), "actual": actual, "limit": limit}
        return Notice(violation.code, SENTENCES[violation.code], params, violation.start,
                      tuple(pole.id for pole in poles))

    def _collisions(self, new: Sequence[Airing], here: Sequence[Pole], policies: Mapping[str, Policy]) -> None:
        by_id = {pole.id: pole for pole in here}
        existing = {pole.id: self.around.by_node[pole.id] for pole in here}
        for met in collisions(new, existing, {pole.id: policies[pole.id] for pole in here}):
            poles = [by_id[node] for node in met.nodes]
            if met.kind is Meeting.REFUSED:
                self.check.problems.append(self._met(met, poles, COLLISION, SENTENCES[COLLISION]))
            else:
                sentence = PREEMPTS if met.kind is Meeting.PRE_EMPTS else PREEMPTED
                self.check.preemptions.append(self._met(met, poles, met.kind, sentence))

    def _met(self, met: Collision, poles: Sequence[Pole], code: str, sentence: str) -> Notice:
        params = {"node": _named(poles), "at": self._wall(met.overlap.start), "seconds": (met.lost_ms or 0) // 1000,
                  "other": self.around.titles.get(met.other_id, self.draft.title)}
        return Notice(code, sentence, params, met.overlap.start, met.nodes, met.other_id)

    def _find_room(self, policies: Mapping[str, Policy], allowed: Sequence[Pole]) -> None:
        timely = [one for one in self.check.problems if one.at and one.code != ViolationCode.OVER_VOLUME_CAP]
        if not timely or not allowed:
            return
        longest_first = max(
            (airing for pole in allowed for airing in programme_airings(
                self.id, self.check.starts[:1], self.draft.latest_start_s, self.draft.air_class, self.draft.volume,
                self.items, pole.languages, self.draft.languages)), key=lambda one: one.length)
        start = self.check.starts[0]
        self.check.next_free = next_free_slot(
            longest_first, {pole.id: self.around.by_node[pole.id] for pole in allowed},
            {pole.id: policies[pole.id] for pole in allowed}, start, start + SLOT_AHEAD)

    def _wall(self, instant: datetime) -> str:
        return f"{instant.astimezone(ZoneInfo(self.draft.zone)):%d/%m/%Y %H:%M}"


def _named(poles: Sequence[Pole]) -> str:
    """The nodes of a sentence: all of a few, else the first and how many more."""
    names = [pole.name for pole in poles]
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} (+{len(names) - 2})"
