"""The approver's own signing key: making it in the browser, having it listed, changing its passphrase, giving it up."""

from typing import Annotated

from fastapi import APIRouter, Form, Response

from loudspeaker.conductor import trust
from loudspeaker.conductor.approving import administrators_for, own_key
from loudspeaker.errors import InvalidError
from loudspeaker.users.models import Role
from loudspeaker.web.confirmation import confirms
from loudspeaker.web.i18n import marked
from loudspeaker.web.page import ActingDesk, Desk, ReadingDesk

router = APIRouter(include_in_schema=False)
END_WORD = marked("GIVE UP")


@router.get("/account/signing-key")
def signing_key_page(desk: ReadingDesk, changed: bool = False) -> Response:
    """How the key stands and the next step."""
    return _page(desk, changed)


@router.post("/account/signing-key/revoke")
def give_up_key(desk: ActingDesk, reason: Annotated[str, Form()] = "",
                confirmation: Annotated[str, Form()] = "") -> Response:
    """Let the own key count no more."""
    with desk.trying():
        key = own_key(desk.session, desk.actor, desk.now).key
        if key is None or not confirms(confirmation, desk.t.gettext(END_WORD)):
            raise InvalidError("Type the word to confirm that your key is to count no more.", field="confirmation")
        trust.revoke_key(desk.session, desk.house, desk.actor, key.id, reason)
        return desk.to("/account/signing-key", "Your key counts no more. Make a new one to go on signing.", "warn")
    return _page(desk)


def _page(desk: Desk, changed: bool = False) -> Response:
    return desk.show("signing_key.html", None, own=own_key(desk.session, desk.actor, desk.now), changed=changed,
                     approves=bool(desk.actor.paths(Role.APPROVER)), end_word=END_WORD,
                     administrators=administrators_for(desk.session, desk.actor))
