"""Nodes' journals as they were stored: the evidence behind the as-run log."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from loudspeaker.api.deps import CurrentActor, Reading
from loudspeaker.api.playbacks import EntryOut
from loudspeaker.api.schemas import Instant
from loudspeaker.playbacks import service

router = APIRouter(prefix="/api/v1/journals", tags=["as-run log"])


class JournalLineOut(EntryOut):
    """An entry with the broadcast and the recording it is about."""

    broadcast_id: str | None
    recording: str | None


@router.get("/{node_id}")
def find(node_id: Annotated[str, Path(max_length=64)], actor: CurrentActor, session: Reading,
         limit: Annotated[int, Query(ge=1, le=1000)] = 100,
         before: Annotated[Instant | None, Query()] = None) -> list[JournalLineOut]:
    """The newest entries of a node's journal, or those before an instant."""
    return [JournalLineOut.model_validate(one) for one in service.journal(session, actor, node_id, limit, before)]
