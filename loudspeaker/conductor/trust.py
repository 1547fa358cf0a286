"""Signing keys and thresholds, where the installation's own keys are needed to make them hold."""

from datetime import datetime

from sqlmodel import Session

from firmware_bridge.contract.documents import TrustRoot
from loudspeaker.approvals import keys, service
from loudspeaker.approvals.models import SigningKey
from loudspeaker.audit import service as audit
from loudspeaker.conductor.house import House
from loudspeaker.database import after_commit
from loudspeaker.errors import ForbiddenError, InvalidError
from loudspeaker.places.models import Place
from loudspeaker.trust.service import ensure_root
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role

OWNERS = range(1, 6)


def list_key(session: Session, house: House, actor: Actor, key_id: str, place_id: str,
             valid_until: datetime | None = None) -> SigningKey:
    """Let an approver's key count at a place; the nodes are told after commit."""
    key = keys.list_key(session, actor, house.now(), house.keys.authority, key_id, place_id, valid_until)
    after_commit(session, house.outdated)
    return key


def revoke_key(session: Session, house: House, actor: Actor, key_id: str, reason: str) -> list[str]:
    """Let a key count no more; the ids of recordings that wait for approval again because of it."""
    key = keys.revoke_key(session, actor, house.now(), house.keys.authority, key_id, reason)
    reopened = service.recheck(session, actor, house.now(), key.id)
    after_commit(session, house.outdated)
    after_commit(session, lambda: house.hub.announce("recordings"))
    return reopened


def need_owners(session: Session, house: House, actor: Actor, needed: tuple[int, int, int]) -> TrustRoot:
    """Set how many distinct approvers a recording needs, by class. For an administrator of a top place."""
    tops = {held.place_id for held in actor.roles if held.role is Role.ADMINISTRATOR}
    if not any((place := session.get(Place, one)) is not None and place.parent_id is None for one in tops):
        raise ForbiddenError
    if any(one not in OWNERS for one in needed):
        raise InvalidError("Choose between one and five approvers.", field="owners_needed")
    own = house.keys
    root = ensure_root(session, house.now(), house.site, own.root, own.server, own.authority, needed)
    audit.record(session, house.now(), actor.user.id, "trust.owners_needed", f"trust:{root.version}",
                 owners_needed=list(needed))
    after_commit(session, house.outdated)
    return root
