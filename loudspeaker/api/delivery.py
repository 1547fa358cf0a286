"""What nodes fetch by their token: approved sounds, and the statements that approve them."""

import math
import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from sqlmodel import col, select
from starlette.types import Receive, Scope, Send

from firmware_bridge.contract import envelope
from loudspeaker.api.deps import CurrentNode, HouseDep, Reading, bearer_of
from loudspeaker.api.ranges import deliver
from loudspeaker.approvals import service
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.conductor.gate import Turnstile
from loudspeaker.errors import NotFoundError
from loudspeaker.users.secrets import digest

router = APIRouter(tags=["nodes"])

Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
FOR_EVER = "private, max-age=31536000, immutable"


class Passage(Response):
    """Lets an answer out through the turnstile, or says when to come again (RFC 9110: 503 and Retry-After)."""

    def __init__(self, answer: Response, turnstile: Turnstile, node: str) -> None:
        super().__init__()
        self._answer, self._turnstile, self._node = answer, turnstile, node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or send the node away for a while."""
        began = time.monotonic()
        wait = self._turnstile.enter(self._node, began)
        if wait is not None:
            await Response(status_code=503, headers={"Retry-After": str(math.ceil(wait))})(scope, receive, send)
            return
        try:
            await self._answer(scope, receive, send)
        finally:
            self._turnstile.leave(self._node, time.monotonic() - began)


def _approved(sha256: Sha256, node: CurrentNode, house: HouseDep, request: Request) -> tuple[str, str]:
    """The name of a sound that is approved now, and the node that asks."""
    with house.database.read() as session:
        found = session.exec(select(col(Recording.id)).where(
            Recording.sha256 == sha256, Recording.state == RecordingState.APPROVED).limit(1)).first()
    if found is None:
        raise NotFoundError
    house.known.learn(digest(bearer_of(request) or ""), node.id, sha256, time.monotonic())
    return sha256, node.id


@router.head("/recordings/{sha256}", response_class=Response, include_in_schema=False)
@router.get("/recordings/{sha256}", response_class=Response)
async def recording(request: Request, house: HouseDep,
                    approved: Annotated[tuple[str, str], Depends(_approved)]) -> Response:
    """An approved sound (Ogg Opus), whole or by Range; its ETag is its SHA-256. 503 with Retry-After when many come."""
    sha256, node = approved
    return Passage(await deliver(request, house.shelf, house.store, sha256, FOR_EVER), house.turnstile, node)


@router.get("/recordings/{sha256}/statement")
def statements(sha256: Sha256, _node: CurrentNode, session: Reading) -> list[dict[str, Any]]:
    """DSSE envelopes over the recording statements of this sound, each with all its approvers' signatures."""
    found = service.statements_of(session, sha256)
    if not found:
        raise NotFoundError
    return [envelope.to_dict(one) for one in found]
