"""Signing a policy: the approver's signature over the exact bytes of the draft, judged as a node will judge it."""

from typing import Any

from sqlmodel import Session

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import trust
from firmware_bridge.contract.envelope import Envelope, MalformedEnvelope, good_signers
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.trust import Refused, Trust
from loudspeaker.approvals.refusal_words import REFUSAL_WORDS
from loudspeaker.audit.service import record
from loudspeaker.conductor.house import House
from loudspeaker.database import after_commit
from loudspeaker.errors import ConflictError, ForbiddenError, InvalidError
from loudspeaker.places import policies, tree
from loudspeaker.places.models import PolicyVersion
from loudspeaker.transparency import service as log
from loudspeaker.trust.service import current_trust
from loudspeaker.users.access import Actor


def sign_policy(session: Session, house: House, actor: Actor, place_id: str, signed: dict[str, Any]) -> PolicyVersion:
    """Store `signed` (a DSSE envelope as JSON object) over the draft of a place; it holds, and nodes are told.

    Raises InvalidError, ForbiddenError (somebody else's key), ConflictError (the draft was changed meanwhile).
    """
    now, draft = house.now(), policies.draft_to_sign(session, actor, place_id)
    try:
        envelope = dsse.from_dict(signed)
    except MalformedEnvelope as error:
        raise InvalidError("The signature did not arrive whole.", field="envelope") from error
    if envelope.payload != draft.payload:
        raise ConflictError("The proposed policy was changed meanwhile.",
                            advice="Read the new proposal, then sign it.")
    held = current_trust(session)
    try:
        trust.read_policy(envelope, held, tree.get(session, place_id).path_ids, now)
    except Refused as error:
        title, advice = REFUSAL_WORDS.get(error.reason, (None, None))
        raise InvalidError(title, advice=advice, field="envelope", code=f"refused_{error.reason}") from error
    if actor.user.id not in _owners(envelope, held):
        raise ForbiddenError("A policy is signed with one's own key.")
    draft.envelope, draft.signed_by, draft.signed_at = dsse.encode(envelope), actor.user.id, now
    session.add(draft)
    log.append(session, now, envelope)
    record(session, now, actor.user.id, "policy.signed", f"policy:{draft.id}", place_id, version=draft.version)
    after_commit(session, house.outdated)
    return draft


def _owners(envelope: Envelope, held: Trust) -> set[str]:
    listed = {key_id(one.public_key): one for one in held.approvers.approvers} if held.approvers else {}
    good = good_signers(envelope, {known: key for known, one in listed.items() if (key := one.verifier) is not None})
    return {listed[one].owner for one in good}
