"""The site's trust documents: who stands at the top, who is listed as approver, and what a node is handed of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from pydantic import ValidationError
from sqlmodel import Session, col, select

from firmware_bridge.contract import envelope, trust
from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.documents import (
    Approver,
    ApproverList,
    PlaceAuthority,
    Policy,
    TrustBundle,
    TrustRoot,
)
from firmware_bridge.contract.envelope import MAX_SIGNATURES, Envelope
from firmware_bridge.contract.trust import Trust
from loudspeaker.audit import service as audit
from loudspeaker.errors import ConflictError, InvalidError, UnavailableError
from loudspeaker.places.models import Place, PolicyVersion
from loudspeaker.transparency import service as log
from loudspeaker.trust.models import TrustDocument, TrustKind
from loudspeaker.versions import next_version

ROOT_VALIDITY = timedelta(days=5 * 365)
LIST_VALIDITY = timedelta(days=400)
SIGNED_WITHIN = timedelta(days=1)
"""How old a document may be when its signature comes: the key may lie elsewhere."""
NEW_AUTHORITY = "authority"
"""Owner named for a place authority's key that belongs to no account (a key file)."""


@dataclass(frozen=True)
class RootChanges:
    """What the next trust root says otherwise than the held one; None: as it is. Keys are public halves in base64."""

    root_keys: Sequence[str] | None = None
    root_threshold: int | None = None
    server_key: str | None = None
    """Another one begins a new key epoch: nothing that the old one signed binds a node any more."""
    software_key: str | None = None
    place_authorities: Sequence[PlaceAuthority] | None = None
    owners_needed: tuple[int, int, int] | None = None
    owners_needed_by_kind: Mapping[str, int] | None = None


def held_root(session: Session) -> TrustRoot | None:
    """The newest trust root; None before the first is made."""
    found = _newest(session, TrustKind.ROOT)
    return TrustRoot.from_bytes(found.payload) if found else None


def held_list(session: Session) -> ApproverList | None:
    """The newest approver list; None before the first is signed."""
    found = _newest(session, TrustKind.APPROVERS)
    return ApproverList.from_bytes(found.payload) if found else None


def first_root(now: datetime, site: str, server_key: str, root_keys: Sequence[str], threshold: int,
               authority_key: str) -> TrustRoot:
    """The first trust root of a site, to be signed by its root keys. Raises InvalidError."""
    return _read_root({
        "site": site, "version": 1, "issued": now, "expires": now + ROOT_VALIDITY, "root_keys": tuple(root_keys),
        "root_threshold": threshold, "server_key": server_key,
        "place_authorities": (PlaceAuthority(place=site, owner=NEW_AUTHORITY, public_key=authority_key),)})


def next_root(session: Session, now: datetime, changes: RootChanges) -> TrustRoot:
    """The next trust root, to be signed by the thresholds of the held one and of itself. Raises InvalidError."""
    held = current_trust(session).root
    told = {one.name: value for one in fields(changes) if (value := getattr(changes, one.name)) is not None}
    stolen = changes.server_key not in (None, held.server_key)
    return _read_root(held.model_dump() | told | {
        "version": held.version + 1, "issued": now, "expires": now + ROOT_VALIDITY,
        "key_epoch": held.key_epoch + 1 if stolen else held.key_epoch})


def adopt_root(session: Session, actor_id: str | None, now: datetime, signed: Envelope, server_keys: Collection[str],
               site: str) -> TrustRoot:
    """Store the first or the next trust root, once everything holds that a node would ask, and the server can serve it.

    `server_keys` are the public halves that this server has. Raises InvalidError, ConflictError.
    """
    held = held_root(session)
    try:
        root = trust.read_root(signed, held or _first(signed), now)
    except (trust.Refused, MalformedPayload) as refused:
        raise InvalidError("The new trust root does not hold: %(reason)s.", code="root_refused", field="envelope",
                           reason=str(refused)[:200], advice="Sign it with the root keys of this installation."
                           ) from refused
    if root.version != (held.version + 1 if held else 1) or root.site != site:
        raise ConflictError("The trust root has changed meanwhile.", advice="Load the page again and sign once more.")
    if root.server_key not in server_keys:
        raise InvalidError("The new trust root names a server key that this server does not have.", field="envelope")
    if not root.place_authorities:
        raise InvalidError("The new trust root names nobody who may list approvers.", field="envelope")
    _must_keep_the_list(session, root)
    _store(session, now, TrustKind.ROOT, root.version, signed)
    audit.record(session, now, actor_id, "trust.root", f"trust:{root.version}", key_epoch=root.key_epoch,
                 owners_needed=list(root.owners_needed), owners_needed_by_kind=dict(root.owners_needed_by_kind),
                 authorities=[one.owner for one in root.place_authorities], root_keys=len(root.root_keys),
                 root_threshold=root.root_threshold)
    return root


def current_trust(session: Session) -> Trust:
    """What this site believes now: root, approver list, and the signed policy of every place that has one.

    Raises UnavailableError before the root is made.
    """
    root = held_root(session)
    if root is None:
        raise UnavailableError("The keys of this installation are not set up yet.",
                               advice="Finish the first-run page first.")
    listed = _newest(session, TrustKind.APPROVERS)
    approvers = ApproverList.from_bytes(listed.payload) if listed else None
    place = trust.listed_from(listed, root) if listed else None
    policies = {place_id: Policy.from_bytes(one.payload) for place_id, one in _signed_policies(session).items()}
    return Trust(root, approvers, policies, place)


def next_list(session: Session, now: datetime, approvers: Sequence[Approver], revoked: Collection[str]) -> ApproverList:
    """The next approver list, to be signed by a place authority. `revoked` are key ids; what was stays so.

    Its version is never given twice, even from an older copy of the database.
    """
    held = held_list(session)
    version = next_version(held.version if held else 0, now)
    return ApproverList(site=current_trust(session).site, version=version, issued=now,
                        expires=now + LIST_VALIDITY, approvers=tuple(approvers),
                        revoked=tuple(sorted(set(revoked) | set(held.revoked if held else ()))))


def adopt_list(session: Session, actor_id: str | None, now: datetime, signed: Envelope) -> ApproverList:
    """Store the next approver list, once everything holds that a node would ask. Raises InvalidError, ConflictError."""
    held = current_trust(session)
    try:
        listed = trust.read_approvers(signed, held, now)
    except trust.Refused as refused:
        raise InvalidError("The approver list does not hold: %(reason)s.", code="list_refused", field="envelope",
                           reason=str(refused)[:200],
                           advice="It must be signed with the key of a place authority.") from refused
    if not _was_drawn_from(session, now, listed, held.approvers):
        raise ConflictError("The approver list has changed meanwhile.",
                            advice="Load the page again and sign once more.")
    _store(session, now, TrustKind.APPROVERS, listed.version, signed)
    audit.record(session, now, actor_id, "trust.approvers", f"trust:{listed.version}",
                 approvers=len(listed.approvers), revoked=len(listed.revoked),
                 keys=[one.key_id for one in signed.signatures])
    return listed


def _was_drawn_from(session: Session, now: datetime, listed: ApproverList, held: ApproverList | None) -> bool:
    """Whether `listed` is a next list, and no other came to count since it was drawn up."""
    last = held.version if held else 0
    if not last < listed.version <= next_version(last, now):
        return False
    if held is None:
        return True
    adopted = session.get_one(TrustDocument, (TrustKind.APPROVERS, held.version)).made_at
    to_the_ms = adopted.replace(microsecond=adopted.microsecond // 1000 * 1000)  # as precise as documents are
    return listed.issued >= to_the_ms


def trust_bundle(session: Session, place: Place) -> TrustBundle:
    """What a node at `place` is handed: the roots, the approver list, and the signed policies from the top down."""
    roots, listed = _roots(session), _newest(session, TrustKind.APPROVERS)
    if not roots:
        raise UnavailableError("The keys of this installation are not set up yet.",
                               advice="Finish the first-run page first.")
    *before, root = roots
    policies = _signed_policies(session, place.path_ids)
    return TrustBundle(root=envelope.to_dict(root), roots=tuple(envelope.to_dict(one) for one in before),
                       approvers=envelope.to_dict(listed) if listed else None,
                       policies=tuple(envelope.to_dict(policies[one]) for one in place.path_ids if one in policies))


def _read_root(values: Mapping[str, object]) -> TrustRoot:
    try:
        root = TrustRoot.model_validate(values)
    except ValidationError as error:
        raise InvalidError("The trust root cannot be so: %(reason)s.", reason=str(error.errors()[0]["msg"])) from error
    if len(set(root.root_keys)) < root.root_threshold:
        raise InvalidError("There are fewer root keys than must sign.", field="root_threshold")
    if len(set(root.root_keys)) > MAX_SIGNATURES // 2:
        raise InvalidError("There are too many root keys: at most %(limit)s.", field="root_keys",
                           limit=MAX_SIGNATURES // 2)
    return root


def _first(signed: Envelope) -> TrustRoot:
    """The first root judges itself."""
    return TrustRoot.from_bytes(signed.payload)


def _must_keep_the_list(session: Session, root: TrustRoot) -> None:
    """A root that no longer names who signed the approver list would leave the loudspeakers without one."""
    signed = _newest(session, TrustKind.APPROVERS)
    if signed is None:
        return
    try:
        trust.listed_from(signed, root)
    except trust.Refused as refused:
        raise ConflictError(
            "Nobody of the new place authorities has signed the approver list yet.", code="list_orphaned",
            advice="First let the new authority stand beside the old one and sign the list; then take the old one out."
        ) from refused


def _newest(session: Session, kind: TrustKind) -> Envelope | None:
    query = select(TrustDocument).where(TrustDocument.kind == kind).order_by(col(TrustDocument.version).desc()).limit(1)
    row = session.exec(query).first()
    return envelope.decode(row.envelope) if row else None


def _roots(session: Session) -> list[Envelope]:
    """The chain of roots: a node that was away for years still walks it."""
    rows = session.exec(select(TrustDocument.envelope).where(TrustDocument.kind == TrustKind.ROOT)
                        .order_by(col(TrustDocument.version)))
    return [envelope.decode(one) for one in rows]


def _signed_policies(session: Session, place_ids: Sequence[str] | None = None) -> dict[str, Envelope]:
    query = select(PolicyVersion.place_id, PolicyVersion.envelope).where(col(PolicyVersion.envelope).is_not(None))
    if place_ids is not None:
        query = query.where(col(PolicyVersion.place_id).in_(place_ids))
    newest_last = session.exec(query.order_by(col(PolicyVersion.version)))
    return {place_id: envelope.decode(raw) for place_id, raw in newest_last if raw is not None}


def _store(session: Session, now: datetime, kind: TrustKind, version: int, signed: Envelope) -> None:
    session.add(TrustDocument(kind=kind, version=version, envelope=envelope.encode(signed), made_at=now))
    log.append(session, now, signed)
