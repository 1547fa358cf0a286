"""The public log of signed documents, for anybody: how it stands, what entered it last, and who carries its heads."""

from fastapi import APIRouter, Request, Response

from loudspeaker.api.deps import Reading
from loudspeaker.conductor.transparency import public_page
from loudspeaker.web.i18n import marked
from loudspeaker.web.page import render

router = APIRouter(include_in_schema=False)

DOCUMENT_WORDS = {
    "trust-root": marked("trust root"), "approver-list": marked("approver list"), "policy": marked("broadcast policy"),
    "recording-statement": marked("approval of a recording"), "tree-head": marked("nightly seal of all logs"),
}


@router.get("/transparency")
def transparency_page(request: Request, session: Reading) -> Response:
    """Readable without signing in."""
    return render(request, "transparency.html", csrf="", page=public_page(session), words=DOCUMENT_WORDS)
