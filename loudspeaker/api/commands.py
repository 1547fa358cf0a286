"""Commands to nodes and groups with their answers, and the standing stop."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from firmware_bridge.contract.documents import CommandKind
from loudspeaker.api.deps import CurrentActor, HouseDep, Now, Reading, Work
from loudspeaker.api.schemas import In, Instant, Out
from loudspeaker.conductor import commands
from loudspeaker.errors import InvalidError
from loudspeaker.orders.models import CommandSent
from loudspeaker.orders.service import active_stops

router = APIRouter(prefix="/api/v1", tags=["commands"])

Scope = Annotated[str, Field(max_length=80, pattern=r"^(all|(place|zone|node):[a-z0-9-]{1,64})$")]
"""`all`, `place:<id>`, `zone:<id>` or `node:<id>`."""


class StopIn(In):
    """Press (`active`) or lift a standing stop. `confirm` must be true: it silences, or lets sound again."""

    scope: Scope
    active: bool
    confirm: bool


class StopOut(Out):
    """A standing stop."""

    scope: str
    generation: int
    active: bool
    by: str | None
    at: Instant


class CommandIn(In):
    """`volume` (with its 0–100), `self_test` or `sync`."""

    scope: Scope
    kind: Literal["volume", "self_test", "sync"]
    volume: Annotated[int, Field(ge=0, le=100)] | None = None


class CommandOut(Out):
    """A command as it was sent."""

    id: str
    target: str
    kind: str
    issued: Instant
    expires: Instant
    by: str | None


class AnswerOut(Out):
    """What one node's journal says of a command."""

    node_id: str
    result: str
    at: Instant
    data: dict[str, Any]


class AnswersOut(Out):
    """A command, its answers, and the nodes that have not answered."""

    command: CommandOut
    answers: list[AnswerOut]
    waiting: list[str]


@router.get("/stop")
def stops(_actor: CurrentActor, session: Reading) -> list[StopOut]:
    """The stops in force."""
    return [StopOut.model_validate(one) for one in active_stops(session)]


@router.post("/stop")
def stop(given: StopIn, actor: CurrentActor, session: Work, now: Now, house: HouseDep) -> StopOut:
    """Silence everything, a place, a zone or a node until it is lifted; or lift it."""
    if not given.confirm:
        raise InvalidError("Confirm that you mean it.", field="confirm")
    return StopOut.model_validate(commands.stop(session, actor, now, house, given.scope, given.active))


@router.post("/commands", status_code=201)
def send(given: CommandIn, actor: CurrentActor, session: Work, now: Now, house: HouseDep) -> CommandOut:
    """Send a command."""
    return CommandOut.model_validate(_send(given, actor, session, now, house))


@router.get("/commands/{command_id}")
def show(command_id: Annotated[str, Path(max_length=64)], actor: CurrentActor, session: Reading) -> AnswersOut:
    """A command with what came back."""
    found = commands.answers(session, actor, command_id)
    return AnswersOut(command=CommandOut.model_validate(found.command), waiting=list(found.waiting),
                      answers=[AnswerOut.model_validate(one) for one in found.results.values()])


def _send(given: CommandIn, actor: CurrentActor, session: Work, now: Now, house: HouseDep) -> CommandSent:
    if given.kind != "volume":
        return commands.ask(session, actor, now, house, given.scope, CommandKind(given.kind))
    if given.volume is None:
        raise InvalidError("The volume is between 0 and 100.", field="volume")
    return commands.set_volume(session, actor, now, house, given.scope, given.volume)
