"""The site's trust documents: who stands at the top, who is listed as approver, and what a node is handed of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session, col, select

from firmware_bridge.contract import envelope, trust
from firmware_bridge.contract.documents import (
    Approver,
    ApproverList,
    PlaceAuthority,
    Policy,
    TrustBundle,
    TrustRoot,
)
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.keys import public_to_base64
from firmware_bridge.contract.trust import Trust
from loudspeaker.audit import service as audit
from loudspeaker.errors import UnavailableError
from loudspeaker.places.models import Place, PolicyVersion
from loudspeaker.transparency import service as log
from loudspeaker.trust.models import TrustDocument, TrustKind

VALIDITY = timedelta(days=5 * 365)
RENEWED_BEFORE = timedelta(days=365)
AUTHORITY_OWNER = "authority"
"""Owner named for the place authority key that is kept by the server."""


def ensure_root(session: Session, now: datetime, site: str, root_key: Ed25519PrivateKey, server_key: Ed25519PrivateKey,
                authority_key: Ed25519PrivateKey, owners_needed: tuple[int, int, int] | None = None) -> TrustRoot:
    """The trust root in force, signed anew when keys or thresholds changed or it would expire within a year.

    `owners_needed` are the distinct approvers a recording needs, by class; None keeps what holds (at first: one each).
    """
    held = _newest_root(session)
    wanted = TrustRoot(
        site=site, version=(held.version + 1) if held else 1, issued=now, expires=now + VALIDITY,
        root_keys=(public_to_base64(root_key),), server_key=public_to_base64(server_key),
        place_authorities=(PlaceAuthority(place=site, owner=AUTHORITY_OWNER,
                                          public_key=public_to_base64(authority_key)),),
        owners_needed=owners_needed or (held.owners_needed if held else (1, 1, 1)))
    if held is not None and _says_the_same(held, wanted) and held.expires > now + RENEWED_BEFORE:
        return held
    _store(session, now, TrustKind.ROOT, wanted.version, wanted.sign(root_key))
    audit.record(session, now, None, "trust.root", f"trust:{wanted.version}", owners_needed=list(wanted.owners_needed))
    return wanted


def current_trust(session: Session) -> Trust:
    """What this site believes now: root, approver list, and the signed policy of every place that has one.

    Raises UnavailableError before the root is made.
    """
    root = _newest_root(session)
    if root is None:
        raise UnavailableError("The keys of this installation are not set up yet.",
                               advice="Finish the first-run page first.")
    listed = _newest(session, TrustKind.APPROVERS)
    approvers = ApproverList.from_bytes(listed.payload) if listed else None
    policies = {place_id: Policy.from_bytes(one.payload) for place_id, one in _signed_policies(session).items()}
    return Trust(root, approvers, policies)


def publish_approvers(session: Session, now: datetime, authority_key: Ed25519PrivateKey, approvers: Sequence[Approver],
                      revoked: Sequence[str]) -> ApproverList:
    """Sign and store the next version of the approver list. `revoked` are key ids."""
    held = current_trust(session)
    listed = ApproverList(site=held.site, version=(held.approvers.version + 1) if held.approvers else 1, issued=now,
                          expires=now + VALIDITY, approvers=tuple(approvers), revoked=tuple(sorted(revoked)))
    signed = listed.sign(authority_key)
    trust.read_approvers(signed, held, now)
    _store(session, now, TrustKind.APPROVERS, listed.version, signed)
    return listed


def trust_bundle(session: Session, place: Place) -> TrustBundle:
    """What a node at `place` is handed: root, approver list, and the signed policies from the top down to it."""
    root, listed = _newest(session, TrustKind.ROOT), _newest(session, TrustKind.APPROVERS)
    if root is None:
        raise UnavailableError("The keys of this installation are not set up yet.",
                               advice="Finish the first-run page first.")
    policies = _signed_policies(session, place.path_ids)
    return TrustBundle(root=envelope.to_dict(root), approvers=envelope.to_dict(listed) if listed else None,
                       policies=tuple(envelope.to_dict(policies[one]) for one in place.path_ids if one in policies))


def _says_the_same(held: TrustRoot, wanted: TrustRoot) -> bool:
    passing = {"version", "issued", "expires"}
    return held.model_dump(exclude=passing) == wanted.model_dump(exclude=passing)


def _newest_root(session: Session) -> TrustRoot | None:
    found = _newest(session, TrustKind.ROOT)
    return TrustRoot.from_bytes(found.payload) if found else None


def _newest(session: Session, kind: TrustKind) -> Envelope | None:
    query = select(TrustDocument).where(TrustDocument.kind == kind).order_by(col(TrustDocument.version).desc()).limit(1)
    row = session.exec(query).first()
    return envelope.decode(row.envelope) if row else None


def _signed_policies(session: Session, place_ids: Sequence[str] | None = None) -> dict[str, Envelope]:
    query = select(PolicyVersion.place_id, PolicyVersion.envelope).where(col(PolicyVersion.envelope).is_not(None))
    if place_ids is not None:
        query = query.where(col(PolicyVersion.place_id).in_(place_ids))
    newest_last = session.exec(query.order_by(col(PolicyVersion.version)))
    return {place_id: envelope.decode(raw) for place_id, raw in newest_last if raw is not None}


def _store(session: Session, now: datetime, kind: TrustKind, version: int, signed: Envelope) -> None:
    session.add(TrustDocument(kind=kind, version=version, envelope=envelope.encode(signed), made_at=now))
    log.append(session, now, signed)
