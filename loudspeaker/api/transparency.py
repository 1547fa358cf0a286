"""The public log of everything that was signed: anybody may read and check it, without signing in."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract.keys import public_to_base64
from loudspeaker.api.deps import HouseDep, Reading
from loudspeaker.api.schemas import Instant
from loudspeaker.conductor.transparency import head_now
from loudspeaker.transparency import service as log
from loudspeaker.transparency.models import LoggedDocument

router = APIRouter(prefix="/api/v1/transparency", tags=["transparency"])

MOST = 1000
Size = Annotated[int, Field(ge=0, le=2**53)]


class HeadOut(BaseModel):
    """The newest head: a DSSE envelope of a `TreeHead` signed by the server key, and the key (base64)."""

    head: dict[str, Any]
    server_key: str


class EntryOut(BaseModel):
    """One signed document; the leaf is the exact bytes of `entry` (base64), an envelope as JSON."""

    position: int
    at: Instant
    payload_type: str
    entry: str


class ProofOut(BaseModel):
    """Hashes (hex) as RFC 6962 has them, and the root (hex) of the larger tree."""

    proof: list[str]
    root: str


@router.get("/head")
def head(session: Reading, house: HouseDep) -> HeadOut:
    """How the log stands now."""
    return HeadOut(head=dsse.to_dict(head_now(session, house)), server_key=public_to_base64(house.keys.server))


@router.get("/entries")
def entries(session: Reading, start: Size = 0, limit: Annotated[int, Field(ge=1, le=MOST)] = 100) -> list[EntryOut]:
    """Entries from position `start` on, oldest first."""
    return [_out(one) for one in log.documents(session, start, limit)]


@router.get("/entries/{position}/proof")
def inclusion(session: Reading, position: Size, size: Size) -> ProofOut:
    """That the entry at `position` is among the first `size` entries."""
    return ProofOut(proof=[one.hex() for one in log.inclusion(session, position, size)],
                    root=log.root(session, size).hex())


@router.get("/consistency")
def consistency(session: Reading, old: Size, new: Size) -> ProofOut:
    """That the first `new` entries begin with the first `old` ones."""
    return ProofOut(proof=[one.hex() for one in log.consistency(session, old, new)], root=log.root(session, new).hex())


def _out(one: LoggedDocument) -> EntryOut:
    return EntryOut(position=one.position, at=one.at, payload_type=one.payload_type,
                    entry=base64.b64encode(one.envelope).decode())
