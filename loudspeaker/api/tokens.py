"""My personal tokens for programs that use the API."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from loudspeaker.api.deps import CurrentActor, Now, Reading, Work
from loudspeaker.api.schemas import In, Instant, Out
from loudspeaker.users import tokens

router = APIRouter(prefix="/api/v1/me/tokens", tags=["tokens"])


class TokenOut(Out):
    """A token without its text."""

    id: str
    name: str
    created_at: Instant


class NewToken(TokenOut):
    """A new token with its text, which is shown this once."""

    token: str


class TokenName(In):
    """What the token is for."""

    name: Annotated[str, Field(min_length=1, max_length=100)]


@router.get("")
def mine(session: Reading, actor: CurrentActor) -> list[TokenOut]:
    """My tokens that are not revoked."""
    return [TokenOut.model_validate(one) for one in tokens.tokens_of(session, actor.user.id)]


@router.post("", status_code=201)
def make(session: Work, actor: CurrentActor, now: Now, given: TokenName) -> NewToken:
    """A new token."""
    made, secret = tokens.make_token(session, actor, now, given.name)
    return NewToken(id=made.id, name=made.name, created_at=made.created_at, token=secret)


@router.delete("/{token_id}", status_code=204)
def revoke(session: Work, actor: CurrentActor, now: Now, token_id: str) -> None:
    """End a token."""
    tokens.revoke_token(session, actor, now, token_id)
