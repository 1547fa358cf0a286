"""The event stream of open pages: which topics have news. Holds neither a session nor a thread."""

import asyncio
import json
from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from loudspeaker.api.deps import CurrentActor, HouseDep
from loudspeaker.conductor.house import House
from loudspeaker.errors import ForbiddenError
from loudspeaker.users.access import STAFF

router = APIRouter(tags=["events"])

QUIET_S = 15.0
"""After so long without news a line goes out, so that nothing in between cuts the stream."""


@router.get("/events")
async def events(house: HouseDep, actor: CurrentActor) -> StreamingResponse:
    """Server-sent events named by topic: `recordings`, `playbacks`, `nodes`, `faults`, `programmes`, `stop`."""
    if not actor.paths(*STAFF):
        raise ForbiddenError
    return StreamingResponse(stream(house), media_type="text/event-stream",
                             headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


async def stream(house: House, quiet_s: float = QUIET_S) -> AsyncIterator[str]:
    """The lines of the stream: each event says the server's time; a comment breaks long silence."""
    topics = house.hub.listen()
    heard: asyncio.Task[str] | None = None
    yield _event("hello", house)
    try:
        while True:
            heard = heard or asyncio.ensure_future(anext(topics, ""))
            done, _ = await asyncio.wait({heard}, timeout=quiet_s)
            if not done:
                yield ": quiet\n\n"
                continue
            topic, heard = heard.result(), None
            if not topic:
                return
            yield _event(topic, house)
    finally:
        if heard is not None:
            heard.cancel()
            await asyncio.gather(heard, return_exceptions=True)
        await topics.aclose()


def _event(topic: str, house: House) -> str:
    return f"event: {topic}\ndata: {json.dumps({'now': house.now().isoformat()})}\n\n"
