"""Resumable uploads: tus 1.0 with creation, termination and expiration.

Metadata: `filename` (a label), `bulletin` (id), `language`, `chime` (`0` leaves the chime out). When the last byte is
there the answer carries `Recording-Id`.
"""

import base64
from email.utils import format_datetime

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from loudspeaker.api.deps import CurrentActor, HouseDep
from loudspeaker.bulletins.models import Upload
from loudspeaker.bulletins.uploads import Announced
from loudspeaker.conductor import receiving
from loudspeaker.errors import InvalidError

router = APIRouter(prefix="/api/v1/uploads", tags=["uploads"])

VERSION = "1.0.0"
LONGEST_NUMBER = 15
CHUNK_TYPE = "application/offset+octet-stream"
CORE = {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}


@router.options("", status_code=204, response_class=Response)
def abilities(house: HouseDep) -> Response:
    """What this tus server can do."""
    return Response(status_code=204, headers=CORE | {
        "Tus-Version": VERSION, "Tus-Extension": "creation,termination,expiration",
        "Tus-Max-Size": str(house.settings.upload_bytes)})


@router.post("", status_code=201, response_class=Response)
def create(request: Request, actor: CurrentActor, house: HouseDep) -> Response:
    """Announce a file; `Location` says where to send its bytes."""
    if refused := _refused(request):
        return refused
    metadata = _metadata(request.headers.get("upload-metadata", ""))
    announced = Announced(
        bulletin_id=metadata.get("bulletin", ""), length=_number(request, "upload-length"),
        filename=metadata.get("filename", ""), language=metadata.get("language", "vi"),
        with_chime=metadata.get("chime", "1") not in ("0", "false", "no"))
    upload = receiving.announce(house, actor, announced)
    return Response(status_code=201, headers=CORE | {"Location": f"{router.prefix}/{upload.id}"} | _expires(upload))


@router.head("/{upload_id}", response_class=Response)
async def offset(upload_id: str, request: Request, actor: CurrentActor, house: HouseDep) -> Response:
    """How many bytes are there for good. A request that still sends is ended first, so that the offset stands."""
    if refused := _refused(request):
        return refused
    async with house.uploads.turn(upload_id):
        upload = await to_thread.run_sync(receiving.held, house, actor, upload_id)
    return Response(status_code=200, headers=CORE | _state(upload) | {"Upload-Length": str(upload.length)})


@router.patch("/{upload_id}", status_code=204, response_class=Response)
async def append(upload_id: str, request: Request, actor: CurrentActor, house: HouseDep) -> Response:
    """Take bytes from `Upload-Offset` on, as they come; 409 when that is not where the file ends."""
    if refused := _refused(request):
        return refused
    if request.headers.get("content-type") != CHUNK_TYPE:
        return Response(status_code=415, headers=CORE)
    given = _number(request, "upload-offset")
    async with house.uploads.turn(upload_id) as stop:
        upload = await to_thread.run_sync(receiving.held, house, actor, upload_id)
        if given != upload.received:
            return Response(status_code=409, headers=CORE | _state(upload))
        if upload.received < upload.length:
            upload = await receiving.receive(house, actor, upload, request.stream(), stop)
    return Response(status_code=204, headers=CORE | _state(upload))


@router.delete("/{upload_id}", status_code=204, response_class=Response)
async def end(upload_id: str, request: Request, actor: CurrentActor, house: HouseDep) -> Response:
    """Give an upload up; nothing is left of it."""
    if refused := _refused(request):
        return refused
    async with house.uploads.turn(upload_id):
        await to_thread.run_sync(receiving.end, house, actor, upload_id)
    return Response(status_code=204, headers=CORE)


def _refused(request: Request) -> Response | None:
    if request.headers.get("tus-resumable") == VERSION:
        return None
    return Response(status_code=412, headers=CORE | {"Tus-Version": VERSION})


def _state(upload: Upload) -> dict[str, str]:
    recording = {"Recording-Id": upload.recording_id} if upload.recording_id else {}
    return {"Upload-Offset": str(upload.received)} | _expires(upload) | recording


def _expires(upload: Upload) -> dict[str, str]:
    return {"Upload-Expires": format_datetime(upload.expires_at, usegmt=True)}


def _number(request: Request, header: str) -> int:
    given = request.headers.get(header, "")
    if not given.isascii() or not given.isdigit() or len(given) > LONGEST_NUMBER:
        raise InvalidError("A field has a value that is not possible.", field=header)
    return int(given)


def _metadata(header: str) -> dict[str, str]:
    """`name base64,name base64`, as tus writes it. Raises InvalidError."""
    found: dict[str, str] = {}
    for pair in filter(None, (one.strip() for one in header.split(","))):
        name, _, value = pair.partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except ValueError as error:
            raise InvalidError("A field has a value that is not possible.", field=name[:50]) from error
    return found
