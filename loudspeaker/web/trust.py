"""Who may list approvers, who is listed, and the changes that wait for a place authority or for the root keys."""

from fastapi import APIRouter, Response

from firmware_bridge.contract.documents import ApproverList
from loudspeaker.bulletins.models import BulletinKind
from loudspeaker.conductor import trust
from loudspeaker.conductor.trust_state import trust_state
from loudspeaker.web.content_words import KIND_WORDS
from loudspeaker.web.page import ReadingDesk
from loudspeaker.web.trust_words import CONCERN_WORDS

router = APIRouter(include_in_schema=False)

STRICT_KINDS = (BulletinKind.ELECTIONEERING, BulletinKind.CANDIDATE_LIST, BulletinKind.RESULT)
"""Kinds for which the page offers a threshold of their own."""


@router.get("/trust")
def trust_page(desk: ReadingDesk) -> Response:
    """Root and list in force; the place authority signs the next list here, administrators change the root."""
    trust.must_govern(desk.session, desk.actor)
    state = trust_state(desk.session, desk.house)
    draft = trust.list_to_sign(desk.session, desk.house, desk.actor) if state.root_version else None
    unseen = {"version", "issued", "expires"}
    return desk.show(
        "trust.html", "people", state=state, concern_words=CONCERN_WORDS, payload_type=ApproverList.TYPE,
        shown=draft.model_dump(mode="json", exclude_none=True, exclude=unseen) if draft else {},
        signing_keys=[one.id for one in trust.authority_keys_of(desk.session, desk.actor) if one.sealed is not None],
        administers=trust.administers(desk.session, desk.actor),
        strict_kinds=[(one.value, KIND_WORDS[one]) for one in STRICT_KINDS])
