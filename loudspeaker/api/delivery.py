"""What nodes fetch by their token: approved sounds, and the statements that approve them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from sqlmodel import col, select

from firmware_bridge.contract import envelope
from loudspeaker.api.deps import CurrentNode, HouseDep, Reading
from loudspeaker.api.ranges import deliver
from loudspeaker.approvals import service
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.errors import NotFoundError

router = APIRouter(tags=["nodes"])

Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
FOR_EVER = "private, max-age=31536000, immutable"


def _approved(sha256: Sha256, _node: CurrentNode, house: HouseDep) -> str:
    """The name of a sound that is approved now."""
    with house.database.read() as session:
        found = session.exec(select(col(Recording.id)).where(
            Recording.sha256 == sha256, Recording.state == RecordingState.APPROVED).limit(1)).first()
    if found is None:
        raise NotFoundError
    return sha256


@router.head("/recordings/{sha256}", response_class=Response, include_in_schema=False)
@router.get("/recordings/{sha256}", response_class=Response)
async def recording(request: Request, house: HouseDep, sha256: Annotated[str, Depends(_approved)]) -> Response:
    """An approved sound (Ogg Opus), whole or by Range; its ETag is its SHA-256."""
    return await deliver(request, house.shelf, house.store, sha256, FOR_EVER)


@router.get("/recordings/{sha256}/statement")
def statements(sha256: Sha256, _node: CurrentNode, session: Reading) -> list[dict[str, Any]]:
    """DSSE envelopes over the recording statements of this sound, each with all its approvers' signatures."""
    found = service.statements_of(session, sha256)
    if not found:
        raise NotFoundError
    return [envelope.to_dict(one) for one in found]
