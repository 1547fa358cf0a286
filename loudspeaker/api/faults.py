"""Faults: report (also by the QR sticker, without an account), photo, take, note, close."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Query, UploadFile
from fastapi.responses import FileResponse
from pydantic import Field

from loudspeaker.api.deps import CurrentActor, HouseDep, MaybeSignedIn, Now, Reading, Work
from loudspeaker.api.schemas import In, Instant, Out
from loudspeaker.database import after_commit
from loudspeaker.faults import photos, service
from loudspeaker.faults.models import Fault, FaultKind, FaultState
from loudspeaker.faults.service import Report
from loudspeaker.nodes.service import node_by_sticker

router = APIRouter(prefix="/api/v1/faults", tags=["faults"])


class ReportIn(In):
    """What is wrong: at a node (by id, or by the code on its sticker) or at a place. `key` makes sending twice safe."""

    kind: FaultKind
    node_id: Annotated[str | None, Field(max_length=64)] = None
    sticker: Annotated[str | None, Field(max_length=64)] = None
    place_id: Annotated[str | None, Field(max_length=64)] = None
    note: Annotated[str, Field(max_length=service.NOTE_LENGTH)] = ""
    key: Annotated[str | None, Field(max_length=64)] = None


class TextIn(In):
    """A line into the history."""

    text: Annotated[str, Field(max_length=service.NOTE_LENGTH)]


class CloseIn(In):
    """Why it may be closed."""

    reason: Annotated[str, Field(max_length=service.NOTE_LENGTH)]


class FaultOut(Out):
    """A fault ticket."""

    id: str
    kind: FaultKind
    source: str
    node_id: str | None
    place_id: str
    state: FaultState
    note: str
    data: dict[str, Any]
    reporter_id: str | None
    opened_at: Instant
    owner_id: str | None
    taken_at: Instant | None
    closed_at: Instant | None
    closed_by: str | None
    close_reason: str


class ListedFault(FaultOut):
    """A fault with the names of where it is."""

    node_name: str | None
    place_name: str


class NoteOut(Out):
    """A line of the history."""

    at: Instant
    user_id: str | None
    text: str


class PhotoOut(Out):
    """A photo; its bytes are at `/api/v1/faults/photos/{id}`."""

    id: str
    media_type: str
    size_bytes: int
    at: Instant


class FaultStoryOut(ListedFault):
    """A fault with its history and photos."""

    notes: list[NoteOut]
    photos: list[PhotoOut]


@router.get("")
def find(actor: CurrentActor, session: Reading, state: FaultState | None = None, node_id: str | None = None,
         limit: Annotated[int, Query(ge=1, le=500)] = 100,
         offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0) -> list[ListedFault]:
    """Faults, newest first; the unfinished ones unless a state is named."""
    rows = service.board(session, actor, state, node_id, limit, offset)
    return [ListedFault(**_of(fault), node_name=node.name if node else None, place_name=place.name)
            for fault, node, place in rows]


@router.get("/mine")
def mine(actor: CurrentActor, session: Reading) -> list[FaultOut]:
    """What this person reported, newest first."""
    return [FaultOut.model_validate(one) for one in service.reported_by(session, actor)]


@router.post("", status_code=201)
def report(given: ReportIn, signed_in: MaybeSignedIn, session: Work, now: Now, house: HouseDep) -> FaultOut:
    """Report a fault. Without an account only by the sticker's code: public feedback, limited in number."""
    node_id = node_by_sticker(session, given.sticker).id if given.sticker else given.node_id
    actor = signed_in.actor if signed_in else None
    if actor is None and not given.sticker:
        node_id = None
    fault = service.report(session, actor, now, Report(given.kind, node_id, given.place_id, given.note, given.key))
    after_commit(session, lambda: house.hub.announce("faults"))
    return FaultOut.model_validate(fault)


@router.get("/photos/{photo_id}")
def photo(photo_id: str, actor: CurrentActor, session: Reading, house: HouseDep) -> FileResponse:
    """The bytes of a photo."""
    row = service.photo_seen(session, actor, photo_id)
    return FileResponse(photos.path_of(house.settings.data, row), media_type=row.media_type,
                        headers={"Content-Disposition": "inline", "X-Content-Type-Options": "nosniff"})


@router.get("/{fault_id}")
def show(fault_id: str, actor: CurrentActor, session: Reading) -> FaultStoryOut:
    """A fault with its history."""
    told = service.story(session, actor, fault_id)
    return FaultStoryOut(**_of(told.fault), node_name=told.node.name if told.node else None,
                         place_name=told.place.name, notes=[NoteOut.model_validate(one) for one in told.notes],
                         photos=[PhotoOut.model_validate(one) for one in told.photos])


@router.post("/{fault_id}/photos", status_code=201)
def add_photo(fault_id: str, photo: Annotated[UploadFile, File()], signed_in: MaybeSignedIn, session: Work, now: Now,
              house: HouseDep) -> PhotoOut:
    """Add a JPEG or PNG of at most 5 MB."""
    content = photo.file.read(photos.LARGEST_BYTES + 1)
    row = service.add_photo(session, signed_in.actor if signed_in else None, now, house.settings.data, fault_id,
                            content)
    after_commit(session, lambda: house.hub.announce("faults"))
    return PhotoOut.model_validate(row)


@router.post("/{fault_id}/take")
def take(fault_id: str, actor: CurrentActor, session: Work, now: Now, house: HouseDep) -> FaultOut:
    """Take it on oneself."""
    after_commit(session, lambda: house.hub.announce("faults"))
    return FaultOut.model_validate(service.take(session, actor, now, fault_id))


@router.post("/{fault_id}/notes", status_code=201)
def add_note(fault_id: str, given: TextIn, actor: CurrentActor, session: Work, now: Now, house: HouseDep) -> NoteOut:
    """Write a line into its history."""
    after_commit(session, lambda: house.hub.announce("faults"))
    return NoteOut.model_validate(service.add_note(session, actor, now, fault_id, given.text))


@router.post("/{fault_id}/close")
def close(fault_id: str, given: CloseIn, actor: CurrentActor, session: Work, now: Now, house: HouseDep) -> FaultOut:
    """Close it, with a reason."""
    after_commit(session, lambda: house.hub.announce("faults"))
    return FaultOut.model_validate(service.close(session, actor, now, fault_id, given.reason))


def _of(fault: Fault) -> dict[str, Any]:
    return FaultOut.model_validate(fault).model_dump()
