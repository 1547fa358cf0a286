"""The audit log: who did what, when, and the proof that no line was changed."""

from fastapi import APIRouter, Response

from loudspeaker.audit.reading import AuditFilter
from loudspeaker.conductor import audit_log
from loudspeaker.users.service import users_seen_by
from loudspeaker.web.audit_words import act_words
from loudspeaker.web.page import ReadingDesk

router = APIRouter(include_in_schema=False)

PAGE = 50


@router.get("/audit")
def audit_page(desk: ReadingDesk, actor: str = "", act: str = "", before: int | None = None,
               proof: bool = False) -> Response:
    """Lines, newest first, `before` a seq; with `proof` the whole chain is walked."""
    wanted = AuditFilter(actor_id=actor or None, act=act or None)
    entries = audit_log.audit_entries(desk.session, desk.actor, wanted, before, PAGE)
    people = {user.id: user.name for user in users_seen_by(desk.session, desk.actor)}
    return desk.show(
        "audit.html", "audit", entries=entries, people=people, act_words=act_words, chosen_actor=actor, chosen_act=act,
        older=entries[-1].seq if len(entries) == PAGE else None,
        proof=audit_log.audit_proof(desk.session, desk.actor) if proof else None)
