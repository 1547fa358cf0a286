"""What a controller asks before it has credentials: the authority, its trust root, enrolment; and new credentials."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from firmware_bridge.contract import envelope
from loudspeaker.api.deps import HouseDep, Now, Reading, Work, bearer_of
from loudspeaker.api.schemas import Out
from loudspeaker.conductor import enrolling
from loudspeaker.errors import NotFoundError, TooLargeError

router = APIRouter(tags=["node"])

JSON = "application/json"
ShortHash = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


async def _raw(request: Request) -> bytes:
    """The body, which is read no further than any good one is long. Raises TooLargeError."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > enrolling.MAX_REQUEST_BYTES:
            raise TooLargeError
    return body


Raw = Annotated[bytes, Depends(_raw)]


class ChallengeOut(Out):
    """A word to sign at once."""

    challenge: str


@router.get("/ca.crt", response_class=Response)
def authority(house: HouseDep) -> Response:
    """The certificate of the authority that vouches for this server, where it is not one that every system knows."""
    pem = house.tls.authority_pem if house.tls else None
    if pem is None:
        raise NotFoundError
    return Response(pem, media_type="application/x-x509-ca-cert", headers={
        "Content-Disposition": 'attachment; filename="loudspeaker-ca.crt"'})


@router.get("/enrolment/roots/{short_hash}", response_class=Response)
def root(session: Reading, short_hash: ShortHash) -> Response:
    """The trust root that a token names by the first half of its SHA-256, byte for byte."""
    return Response(enrolling.root_by_hash(session, short_hash), media_type=JSON)


@router.post("/enrolment", response_class=Response)
def enrol(request: Request, house: HouseDep, raw: Raw) -> Response:
    """An envelope over an `EnrolmentRequest` becomes one over an `Enrolment`."""
    answer = enrolling.enrol_from(house, raw, request.client.host if request.client else "")
    return Response(envelope.encode(answer), media_type=JSON)


@router.get("/enrolment/challenge")
def challenge(house: HouseDep, now: Now) -> ChallengeOut:
    """A word to sign within five minutes, once."""
    return ChallengeOut(challenge=house.challenges.make(now))


@router.post("/nodes/me/credentials", response_class=Response)
def credentials(request: Request, session: Work, house: HouseDep, raw: Raw) -> Response:
    """An envelope over a `CredentialsRequest` becomes one over `Credentials`; 204 where the held ones may stay."""
    answer = enrolling.give_credentials(session, house, raw, bearer_of(request))
    return Response(envelope.encode(answer), media_type=JSON) if answer else Response(status_code=204)
