"""Programmes: check, save, change and end them."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import Field

from loudspeaker.api.deps import CurrentActor, HouseDep, Now, Reading, Work
from loudspeaker.api.schemas import In, Instant, Out
from loudspeaker.conductor import planning
from loudspeaker.conductor.house import House
from loudspeaker.conductor.planning import Check, Notice
from loudspeaker.programmes import service
from loudspeaker.programmes.draft import DraftItem, ProgrammeDraft
from loudspeaker.programmes.models import Programme, TargetKind
from loudspeaker.programmes.poles import Target

router = APIRouter(prefix="/api/v1/programmes", tags=["programmes"])

Id = Annotated[str, Path(max_length=64)]


class ItemIn(In):
    """Recording ids by language, and the silence after it in milliseconds."""

    recordings: Annotated[dict[str, str], Field(min_length=1, max_length=20)]
    gap_ms: Annotated[int, Field(ge=0, le=service.GAP_MAX_MS)] = 1000


class TargetIn(In):
    """A place with everything below it, a zone, or a node."""

    kind: TargetKind
    id: Annotated[str, Field(max_length=64)]


class AiringIn(In):
    """What to air and where. `air_class`: 0 ordinary, 1 priority, 2 emergency; `languages`: `first` or `all`."""

    place_id: str
    title: Annotated[str, Field(min_length=1, max_length=200)]
    items: Annotated[list[ItemIn], Field(min_length=1, max_length=service.ITEMS_MAX)]
    targets: Annotated[list[TargetIn], Field(min_length=1, max_length=500)]
    air_class: Annotated[int, Field(ge=0, le=2)] = 0
    volume: Annotated[int, Field(ge=0, le=100)] = 80
    languages: str = "first"
    latest_start_s: Annotated[int, Field(ge=0, le=service.LATEST_START_MAX_S)] = 300

    def parts(self) -> dict[str, Any]:
        """The fields that every draft has."""
        return {**self.model_dump(include={"place_id", "title", "air_class", "volume", "languages", "latest_start_s"}),
                "items": tuple(DraftItem(one.recordings, one.gap_ms) for one in self.items),
                "targets": tuple(Target(one.kind, one.id) for one in self.targets)}


class ProgrammeIn(AiringIn):
    """A programme: `rrule` is an RFC 5545 RRULE (absent: once), `exdates` local dates left out."""

    first_start: Instant
    zone: str | None = None
    rrule: Annotated[str, Field(max_length=500)] | None = None
    exdates: Annotated[list[str], Field(max_length=500)] = []

    def draft(self, house: House) -> ProgrammeDraft:
        """As the conductor takes it."""
        return ProgrammeDraft(first_start=self.first_start, zone=self.zone or house.settings.zone, rrule=self.rrule,
                              exdates=tuple(self.exdates), **self.parts())


class ProgrammeChange(ProgrammeIn):
    """A changed programme, from the revision that was shown."""

    revision: int


class ProgrammeOut(Out):
    """A programme."""

    id: str
    place_id: str
    title: str
    air_class: int
    volume: int
    languages: str
    first_start: Instant
    zone: str
    rrule: str | None
    exdates: list[str]
    latest_start_s: int
    created_by: str
    changed_at: Instant
    revision: int
    cancelled_at: Instant | None


class ProgrammeDetail(ProgrammeOut):
    """A programme with its items and targets."""

    items: list[dict[str, Any]]
    targets: list[dict[str, str]]


class NoticeOut(Out):
    """One thing that stands against a programme, or that it does to others."""

    code: str
    sentence: str
    at: Instant | None
    nodes: list[str]
    other: str | None


class CheckOut(Out):
    """What saving would do: `problems` refuse it, `preemptions` are allowed. `length_s` is its longest at any node."""

    ok: bool
    problems: list[NoticeOut]
    preemptions: list[NoticeOut]
    next_free: Instant | None
    starts: list[Instant]
    length_s: float
    nodes: list[str]


class SavedOut(Out):
    """A programme that was saved, and what it does to others."""

    programme: ProgrammeDetail
    check: CheckOut


@router.get("")
def find(actor: CurrentActor, session: Reading, cancelled: bool = False) -> list[ProgrammeOut]:
    """Programmes in force (or cancelled ones) at places this person sees."""
    return [ProgrammeOut.model_validate(one) for one in service.listing(session, actor, cancelled)]


@router.post("/check")
def check(given: ProgrammeIn, request: Request, actor: CurrentActor, session: Reading, now: Now, house: HouseDep,
          programme_id: str | None = None) -> CheckOut:
    """Hold a programme (or a change of `programme_id`) against policy and neighbours without saving it."""
    return check_out(request, planning.check_draft(session, actor, now, given.draft(house), programme_id))


@router.post("", status_code=201)
def create(given: ProgrammeIn, request: Request, actor: CurrentActor, session: Work, now: Now,
           house: HouseDep) -> SavedOut:
    """Save a programme. 409 `plan_refused` lists what stands against it."""
    programme, found = planning.save_programme(session, actor, now, _horizon(house), given.draft(house), house.outdated)
    return SavedOut(programme=_detail(session, programme), check=check_out(request, found))


@router.get("/{programme_id}")
def show(programme_id: Id, actor: CurrentActor, session: Reading) -> ProgrammeDetail:
    """A programme with items and targets."""
    return _detail(session, service.seen(session, actor, programme_id))


@router.put("/{programme_id}")
def change(programme_id: Id, given: ProgrammeChange, request: Request, actor: CurrentActor, session: Work, now: Now,
           house: HouseDep) -> SavedOut:
    """Change a programme; 409 when it was changed since `revision`."""
    programme, found = planning.change_programme(session, actor, now, _horizon(house), programme_id, given.revision,
                                                 given.draft(house), house.outdated)
    return SavedOut(programme=_detail(session, programme), check=check_out(request, found))


@router.delete("/{programme_id}")
def end(programme_id: Id, revision: int, actor: CurrentActor, session: Work, now: Now, house: HouseDep) -> ProgrammeOut:
    """Cancel a programme: nothing of it that has not begun will air."""
    return ProgrammeOut.model_validate(
        planning.end_programme(session, actor, now, _horizon(house), programme_id, revision, house.outdated))


def check_out(request: Request, found: Check) -> CheckOut:
    """A check in the language of the request."""
    return CheckOut(
        ok=not found.problems, problems=[_notice(request, one) for one in found.problems],
        preemptions=[_notice(request, one) for one in found.preemptions], next_free=found.next_free,
        starts=found.starts, length_s=found.length.total_seconds(), nodes=list(found.nodes))


def _notice(request: Request, one: Notice) -> NoticeOut:
    sentence = request.app.state.say(request, one.title, dict(one.params))
    return NoticeOut(code=one.code, sentence=sentence, at=one.at, nodes=list(one.nodes), other=one.other)


def _detail(session: Reading, programme: Programme) -> ProgrammeDetail:
    draft = service.draft_of(session, programme)
    return ProgrammeDetail(
        **ProgrammeOut.model_validate(programme).model_dump(),
        items=[{"recordings": dict(one.recordings), "gap_ms": one.gap_ms} for one in draft.items],
        targets=[{"kind": one.kind, "id": one.id} for one in draft.targets])


def _horizon(house: House) -> timedelta:
    return timedelta(days=house.settings.horizon_days)
