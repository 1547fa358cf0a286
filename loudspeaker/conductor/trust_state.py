"""The trust of this site in a form that people and pages read, and what about it needs somebody's hand."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from firmware_bridge.contract.documents import Approver, PlaceAuthority, TrustRoot
from firmware_bridge.contract.keys import key_id, public_to_base64
from loudspeaker.approvals.keys import waiting_for_authority
from loudspeaker.approvals.models import SigningKey
from loudspeaker.conductor import keys
from loudspeaker.conductor.house import House
from loudspeaker.faults.models import FaultKind
from loudspeaker.faults.system import Finding, close_reasons, open_faults, top_place
from loudspeaker.places.models import Place
from loudspeaker.trust import service as trust
from loudspeaker.users.models import User

WARN_AHEAD = timedelta(days=60)
ROOT_ENDS, LIST_ENDS, KEYS_END = "root_expires", "approvers_expire", "signing_keys_expire"
KEYS_ONLINE, FOREIGN_SERVER_KEY, UNSIGNED = "keys_online", "server_key_unknown", "list_unsigned"
CONCERNS = (ROOT_ENDS, LIST_ENDS, KEYS_END, KEYS_ONLINE, FOREIGN_SERVER_KEY, UNSIGNED)


@dataclass(frozen=True)
class Holder:
    """Somebody whose key counts, and where. `place` is empty for the whole site."""

    key_id: str
    owner: str
    place: str
    valid_until: datetime | None = None
    user_id: str | None = None


@dataclass(frozen=True)
class Pending:
    """A key that waits for a place authority's signature, to be listed or to be revoked."""

    key_id: str
    owner: str
    user_id: str
    place: str
    act: str
    """`list` or `revoke`."""


@dataclass(frozen=True)
class Concern:
    """Something that a person must do: a word of `CONCERNS`, and the day by which."""

    what: str
    until: datetime | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrustState:
    """Root and list in force. Versions are 0 and instants None where there is none yet."""

    site: str
    root_version: int = 0
    root_issued: datetime | None = None
    root_expires: datetime | None = None
    key_epoch: int = 0
    root_keys: tuple[str, ...] = ()
    """Key ids."""
    root_threshold: int = 1
    server_key: str = ""
    owners_needed: tuple[int, int, int] = (1, 1, 1)
    owners_needed_by_kind: dict[str, int] | None = None
    authorities: tuple[Holder, ...] = ()
    list_version: int = 0
    list_issued: datetime | None = None
    list_expires: datetime | None = None
    approvers: tuple[Holder, ...] = ()
    revoked: int = 0
    waiting: tuple[Pending, ...] = ()
    concerns: tuple[Concern, ...] = ()


def trust_state(session: Session, house: House) -> TrustState:
    """What holds, what waits, and what needs somebody's hand."""
    root, listed = trust.held_root(session), trust.held_list(session)
    if root is None:
        return TrustState(house.site, concerns=_concerns(session, house))
    return TrustState(
        site=house.site, root_version=root.version, root_issued=root.issued, root_expires=root.expires,
        key_epoch=root.key_epoch, root_keys=tuple(key_id(one) for one in root.root_keys),
        root_threshold=root.root_threshold, server_key=key_id(root.server_key), owners_needed=root.owners_needed,
        owners_needed_by_kind=dict(root.owners_needed_by_kind),
        authorities=tuple(_authority(session, root, one) for one in root.place_authorities),
        list_version=listed.version if listed else 0, list_issued=listed.issued if listed else None,
        list_expires=listed.expires if listed else None,
        approvers=tuple(_approver(session, one) for one in listed.approvers) if listed else (),
        revoked=len(listed.revoked) if listed else 0, waiting=_waiting(session), concerns=_concerns(session, house))


def trust_versions(session: Session) -> tuple[int, int]:
    """Of root and approver list; 0 where there is none."""
    root, listed = trust.held_root(session), trust.held_list(session)
    return root.version if root else 0, listed.version if listed else 0


def watch_trust(session: Session, house: House) -> None:
    """Open a fault for every concern that has none yet; close those that are over."""
    place, concerns = top_place(session), _concerns(session, house)
    if place is None:
        return
    findings = [Finding(FaultKind.OTHER, place, reason=one.what, detail=_detail(one)) for one in concerns]
    open_faults(session, house.now(), findings, count_again=False)
    over = set(CONCERNS) - {one.what for one in concerns}
    close_reasons(session, house.now(), FaultKind.OTHER, over)


def _detail(concern: Concern) -> str:
    return " ".join((*concern.names, f"{concern.until:%Y-%m-%d}" if concern.until else "")).strip()


def _concerns(session: Session, house: House) -> tuple[Concern, ...]:
    root, listed, soon = trust.held_root(session), trust.held_list(session), house.now() + WARN_AHEAD
    found = [Concern(KEYS_ONLINE, names=tuple(one.name for one in online))] if (
        online := keys.left_online(house.key_folder)) else []
    if root is None:
        return tuple(found)
    if root.expires < soon:
        found.append(Concern(ROOT_ENDS, root.expires))
    if root.server_key != public_to_base64(house.keys.server):
        found.append(Concern(FOREIGN_SERVER_KEY))
    if listed is not None and listed.expires < soon:
        found.append(Concern(LIST_ENDS, listed.expires))
    ending = [one for one in listed.approvers if house.now() < one.valid_until < soon] if listed else []
    if ending:
        found.append(Concern(KEYS_END, min(one.valid_until for one in ending), tuple(one.name for one in ending)))
    revoking = [one for one in _waiting(session) if one.act == "revoke"]
    if revoking:
        found.append(Concern(UNSIGNED, names=tuple(one.owner for one in revoking)))
    return tuple(found)


def _waiting(session: Session) -> tuple[Pending, ...]:
    return tuple(Pending(key.id, owner.name, owner.id, _place_name(session, key.place_id),
                         "revoke" if key.revoked_at else "list") for key, owner in waiting_for_authority(session))


def _authority(session: Session, root: TrustRoot, one: PlaceAuthority) -> Holder:
    name = key_id(one.public_key)
    key = session.get(SigningKey, name)
    owner = session.get(User, key.user_id) if key else None
    place = "" if one.place == root.site else _place_name(session, one.place)
    return Holder(name, owner.name if owner else one.owner, place, user_id=owner.id if owner else None)


def _approver(session: Session, one: Approver) -> Holder:
    return Holder(key_id(one.public_key), one.name, _place_name(session, one.place), one.valid_until, one.owner)


def _place_name(session: Session, place_id: str | None) -> str:
    place = session.get(Place, place_id) if place_id else None
    return place.name if place else place_id or ""
