"""Bulletins: write, change, find, put away, speak."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from loudspeaker.api.deps import CurrentActor, HouseDep, Now, Reading, Work
from loudspeaker.api.recordings import RecordingOut, recording_out
from loudspeaker.approvals.decisions import Decision, decisions_of
from loudspeaker.bulletins import recordings, service
from loudspeaker.bulletins.models import Bulletin, BulletinKind, RecordingState
from loudspeaker.bulletins.service import BulletinText, Wanted
from loudspeaker.conductor.speaking import speak_bulletin
from loudspeaker.database import after_commit

router = APIRouter(prefix="/api/v1/bulletins", tags=["bulletins"])


class BulletinIn(BaseModel):
    """What a person writes. `air_class`: 0 ordinary, 1 priority, 2 emergency."""

    title: str = Field(max_length=1000)
    kind: str = BulletinKind.NEWS
    section: str = ""
    air_class: int = 0
    script: str = ""

    def text(self) -> BulletinText:
        """The form as the service takes it."""
        return BulletinText(self.title, self.kind, self.section, self.air_class, self.script)


class NewBulletinIn(BulletinIn):
    """A bulletin of a place."""

    place_id: str


class SpeakIn(BaseModel):
    """What the machine is to speak: `text`, else the bulletin's script."""

    text: str = ""
    voice: str = "vi"
    with_chime: bool = True


class BulletinOut(BaseModel):
    """A bulletin as it is shown."""

    id: str
    place_id: str
    title: str
    kind: str
    section: str
    air_class: int
    script: str
    author_id: str
    created_at: datetime
    changed_at: datetime
    archived_at: datetime | None


class BulletinWithRecordings(BulletinOut):
    """A bulletin with its recordings, newest first."""

    recordings: list[RecordingOut]


class DecisionOut(BaseModel):
    """One step in a bulletin's history: `added`, `signed`, `sent_back`, `revoked`, `failed`."""

    at: datetime
    kind: str
    recording_id: str
    user_id: str | None
    user_name: str
    reason: str


@router.get("")
def find(actor: CurrentActor, session: Reading, q: Annotated[str, Query(max_length=200)] = "",
         kind: BulletinKind | None = None, state: RecordingState | None = None, place_id: str | None = None,
         archived: bool = False, limit: Annotated[int, Query(ge=1, le=200)] = 50,
         offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0) -> list[BulletinOut]:
    """Bulletins that the person may see, newest change first."""
    wanted = Wanted(q, kind, state, place_id, archived)
    return [_out(one) for one in service.find_bulletins(session, actor, wanted, limit=limit, offset=offset)]


@router.post("", status_code=201)
def create(given: NewBulletinIn, actor: CurrentActor, session: Work, now: Now) -> BulletinOut:
    """Write a new bulletin."""
    return _out(service.create_bulletin(session, actor, now, given.place_id, given.text()))


@router.get("/{bulletin_id}")
def show(bulletin_id: str, actor: CurrentActor, session: Reading, request: Request) -> BulletinWithRecordings:
    """A bulletin with its recordings."""
    bulletin = service.bulletin_seen_by(session, actor, bulletin_id)
    found = recordings.recordings_of(session, [bulletin.id])
    return BulletinWithRecordings(**_out(bulletin).model_dump(),
                                  recordings=[recording_out(request, one) for one in found])


@router.put("/{bulletin_id}")
def change(bulletin_id: str, given: BulletinIn, actor: CurrentActor, session: Work, now: Now) -> BulletinOut:
    """Change what is written."""
    return _out(service.change_bulletin(session, actor, now, bulletin_id, given.text()))


@router.delete("/{bulletin_id}", status_code=204)
def archive(bulletin_id: str, actor: CurrentActor, session: Work, now: Now, house: HouseDep) -> None:
    """Put a bulletin away."""
    service.archive_bulletin(session, actor, now, bulletin_id)
    after_commit(session, lambda: house.hub.announce("recordings"))


@router.post("/{bulletin_id}/speak", status_code=202)
def speak(bulletin_id: str, given: SpeakIn, actor: CurrentActor, session: Work, now: Now, house: HouseDep,
          request: Request) -> RecordingOut:
    """Have the machine speak it; the recording is then in processing."""
    made = speak_bulletin(session, house, actor, now, bulletin_id, text=given.text, voice=given.voice,
                          with_chime=given.with_chime)
    return recording_out(request, made)


@router.get("/{bulletin_id}/history")
def history(bulletin_id: str, actor: CurrentActor, session: Reading) -> list[DecisionOut]:
    """Everything that happened to the bulletin's recordings, oldest first."""
    bulletin = service.bulletin_seen_by(session, actor, bulletin_id)
    return [_decision(one) for one in decisions_of(session, bulletin.id)]


def _out(bulletin: Bulletin) -> BulletinOut:
    return BulletinOut.model_validate(bulletin, from_attributes=True)


def _decision(one: Decision) -> DecisionOut:
    return DecisionOut.model_validate(one, from_attributes=True)
