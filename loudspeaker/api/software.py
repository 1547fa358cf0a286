"""What a pole fetches to renew its program: the manifest that is meant for it, and the files by their hash."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import FileResponse

from loudspeaker.api.deps import CurrentNode, HouseDep
from loudspeaker.conductor import software

router = APIRouter(tags=["node"])


@router.get("/nodes/me/software", response_class=Response)
def manifest(node: CurrentNode, house: HouseDep) -> Response:
    """The signed manifest (DSSE envelope) that is offered to this node; 404 where there is none."""
    return Response(software.manifest_for(house, node.id), media_type="application/json")


@router.get("/software/{sha256}", response_class=Response)
def file(sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")], _node: CurrentNode, house: HouseDep) -> Response:
    """A file of a release, whole or by Range."""
    return FileResponse(software.file_of(house, sha256), media_type="application/octet-stream")
