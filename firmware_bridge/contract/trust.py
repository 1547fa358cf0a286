"""Who may sign what: pure checks that turn an envelope into a document, or refuse it with a reason.

The same checks run on the server (before it stores) and on the node (before it believes). Keys are split as
Uptane splits them: the server key says what, where and when; only approvers' keys can say that a recording may air.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from firmware_bridge.contract import merkle
from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.documents import (
    AirClass,
    Approver,
    ApproverList,
    Command,
    Document,
    Policy,
    Receipt,
    RecordingStatement,
    RollCall,
    RunningOrder,
    TimeAnswer,
    TreeHead,
    TrustRoot,
)
from firmware_bridge.contract.envelope import Envelope, good_signers
from firmware_bridge.contract.keys import key_id

AHEAD = timedelta(minutes=5)
"""How far in the future a document may have been issued, for clocks that differ."""

FOREVER = datetime.max.replace(tzinfo=UTC)

D = TypeVar("D", bound=Document)


class Reason(StrEnum):
    """Why something was refused. Written to the journal, shown to people in words."""

    MALFORMED = "malformed"
    WRONG_TYPE = "wrong_type"
    WRONG_SITE = "wrong_site"
    WRONG_NODE = "wrong_node"
    WRONG_PLACE = "wrong_place"
    BAD_SIGNATURE = "bad_signature"
    FOREIGN_KEY = "foreign_key"
    OWN_APPROVAL = "own_approval"
    TOO_FEW_OWNERS = "too_few_owners"
    OLDER_VERSION = "older_version"
    VERSION_GAP = "version_gap"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    ALTERED = "altered"
    NOT_APPROVED = "not_approved"
    REVOKED = "revoked"
    CLASS_TOO_HIGH = "class_too_high"
    OUTSIDE_FRAMES = "outside_frames"
    QUIET_HOURS = "quiet_hours"
    SESSION_TOO_LONG = "session_too_long"
    TOO_MANY_SESSIONS = "too_many_sessions"
    NO_POLICY = "no_policy"
    REPEATED = "repeated"
    NOT_MEMBER = "not_member"
    RETAINED = "retained"
    CLOCK = "clock"
    STOPPED = "stopped"
    LOG_FORKED = "log_forked"
    LOG_SHRUNK = "log_shrunk"


class Refused(Exception):
    """A document or act was refused: `reason` for machines, `detail` for the journal."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Trust:
    """What a verifier believes: one root, the approvers listed under it, and the policies by place."""

    root: TrustRoot
    approvers: ApproverList | None = None
    policies: dict[str, Policy] = field(default_factory=dict)
    listed_from: str | None = None
    """The place whose authority signed the approver list: it counts there and below. None: the whole site."""

    @property
    def site(self) -> str:
        """The site that the root speaks for."""
        return self.root.site

    def for_what_was_verified(self) -> "Trust":
        """The same, for what it has vouched for already: that holds on when the approver list is past its end."""
        if self.approvers is None:
            return self
        return replace(self, approvers=self.approvers.model_copy(update={"expires": FOREVER}))


def read_root(envelope: Envelope, held: TrustRoot, now: datetime | None) -> TrustRoot:
    """The held root or the one after it: signed by the thresholds of the held root and of itself. Raises Refused.

    `now` is None where no clock may judge it: in a chain of roots only the last can be too old, and a root of a new key
    epoch is believed whatever a clock says that the old server key may have set.
    """
    root = _read(envelope, TrustRoot)
    _same_site(root.site, held.site)
    if root.version < held.version:
        raise Refused(Reason.OLDER_VERSION, f"{root.version} < {held.version}")
    if root.version > held.version + 1:
        raise Refused(Reason.VERSION_GAP, f"{root.version} does not follow {held.version}")
    if root.key_epoch < held.key_epoch:
        raise Refused(Reason.OLDER_VERSION, f"key epoch {root.key_epoch} < {held.key_epoch}")
    for judge in (held, root):
        keys = {key_id(key): key for key in judge.root_keys}
        if len(good_signers(envelope, keys)) < judge.root_threshold:
            raise Refused(Reason.BAD_SIGNATURE, f"root version {root.version} lacks signatures of {judge.version}")
    if now is not None and root.key_epoch == held.key_epoch:
        _not_expired(root.expires, now)
    return root


def listed_from(envelope: Envelope, root: TrustRoot) -> str | None:
    """The place whose authority signed this approver list; None where it is that of the whole site. Raises Refused."""
    authorities = {key_id(one.public_key): one for one in root.place_authorities}
    good = good_signers(envelope, {known: one.public_key for known, one in authorities.items()})
    if not good:
        raise Refused(_why_unsigned(envelope, authorities), "no place authority signed the approver list")
    places = [authorities[one].place for one in good]
    return None if root.site in places else places[0]


def read_approvers(envelope: Envelope, trust: Trust, now: datetime) -> ApproverList:
    """A newer approver list, signed by a place authority of the root. Raises Refused.

    What was revoked stays so. For which place it counts tells `listed_from`.
    """
    listed = _read(envelope, ApproverList)
    _same_site(listed.site, trust.site)
    listed_from(envelope, trust.root)
    held = trust.approvers
    if held is not None and listed.version < held.version:
        raise Refused(Reason.OLDER_VERSION, f"{listed.version} < {held.version}")
    if held is not None and not set(held.revoked) <= set(listed.revoked):
        raise Refused(Reason.REVOKED, "a revoked key is not revoked any more")
    if listed.issued > now + AHEAD:
        raise Refused(Reason.NOT_YET_VALID, str(listed.issued))
    if len({one.public_key for one in listed.approvers}) != len(listed.approvers):
        raise Refused(Reason.MALFORMED, "one public key is listed twice")
    _not_expired(listed.expires, now)
    return listed


def read_policy(envelope: Envelope, trust: Trust, place_path: Iterable[str], now: datetime) -> Policy:
    """A newer policy of a place on `place_path` (top first), signed by an approver at or above it. Raises Refused."""
    path = tuple(place_path)
    policy = _read(envelope, Policy)
    _same_site(policy.site, trust.site)
    if policy.place not in path:
        raise Refused(Reason.WRONG_PLACE, policy.place)
    above = path[:path.index(policy.place) + 1]
    _list_holds(trust, now)
    _signers(envelope, trust, above, policy.issued)
    held = trust.policies.get(policy.place)
    if held is not None and policy.version < held.version:
        raise Refused(Reason.OLDER_VERSION, f"{policy.version} < {held.version}")
    if policy.issued > now + AHEAD:
        raise Refused(Reason.NOT_YET_VALID, str(policy.issued))
    return policy


def read_recording(envelope: Envelope, trust: Trust, place_path: Iterable[str], now: datetime) -> RecordingStatement:
    """A recording statement that holds now for a node under `place_path`: enough distinct owners, none the author.

    Raises Refused. That the bytes on disk match `recording` is the caller's to check.
    """
    path = tuple(place_path)
    statement = _read(envelope, RecordingStatement)
    _same_site(statement.site, trust.site)
    if statement.place not in path:
        raise Refused(Reason.WRONG_PLACE, statement.place)
    if statement.second_listener == statement.author:
        raise Refused(Reason.OWN_APPROVAL, "the author is no second listener")
    above = path[:path.index(statement.place) + 1]
    _list_holds(trust, now)
    owners = {one.owner for one in _signers(envelope, trust, above, now)}
    owners.discard(statement.second_listener or "")  # who vouches for what it says is not who decides that it airs
    if statement.author in owners:
        owners.discard(statement.author)
        if not owners:
            raise Refused(Reason.OWN_APPROVAL, statement.author)
    needed = trust.root.owners_for(statement.air_class, statement.kind)
    if len(owners) < needed:
        raise Refused(Reason.TOO_FEW_OWNERS, f"{len(owners)} of {needed}")
    if now < statement.valid_from:
        raise Refused(Reason.NOT_YET_VALID, str(statement.valid_from))
    _not_expired(statement.valid_until, now)
    return statement


def check_class(statement: RecordingStatement, wanted: AirClass) -> None:
    """An order may ask for at most the class that the approvers signed. Raises Refused."""
    if wanted > statement.air_class:
        raise Refused(Reason.CLASS_TOO_HIGH, f"{wanted.name} > {statement.air_class.name}")


def read_order(envelope: Envelope, trust: Trust, node: str, held: tuple[int, int], now: datetime) -> RunningOrder:
    """A running order for `node`, newer than `held` (epoch, version) and not expired. Raises Refused."""
    order = _from_server(envelope, RunningOrder, trust)
    _same_node(order.node, node)
    if (order.epoch, order.version) <= held:
        raise Refused(Reason.OLDER_VERSION, f"{order.epoch}.{order.version} <= {held[0]}.{held[1]}")
    _fresh(order.issued, order.expires, now)
    return order


def read_command(envelope: Envelope, trust: Trust, node: str, groups: Iterable[str], now: datetime) -> Command:
    """A command for `node` or one of its groups, in its time. Raises Refused. Repeats are the caller's to check."""
    command = _from_server(envelope, Command, trust)
    if command.target.startswith("node:"):
        _same_node(command.target.removeprefix("node:"), node)
    elif command.target not in {f"group:{group}" for group in groups}:
        raise Refused(Reason.NOT_MEMBER, command.target)
    _fresh(command.issued, command.expires, now)
    return command


def read_receipt(envelope: Envelope, trust: Trust, node: str) -> Receipt:
    """A receipt for `node`'s journal. Raises Refused."""
    receipt = _from_server(envelope, Receipt, trust)
    _same_node(receipt.node, node)
    return receipt


def read_time(envelope: Envelope, trust: Trust, node: str, nonce: str) -> TimeAnswer:
    """The answer to this node's own time request. Raises Refused."""
    answer = _from_server(envelope, TimeAnswer, trust)
    _same_node(answer.node, node)
    if answer.nonce != nonce:
        raise Refused(Reason.REPEATED, "not the nonce that was asked with")
    return answer


def read_roll_call(envelope: Envelope, trust: Trust) -> RollCall:
    """The server's call for hellos. Raises Refused."""
    return _from_server(envelope, RollCall, trust)


def read_tree_head(envelope: Envelope, trust: Trust, held: tuple[int, bytes], proof: Iterable[bytes]) -> TreeHead:
    """A head of the server's log that goes on from `held` (size, root) by `proof`, which begins there. Raises Refused.

    LOG_SHRUNK: fewer entries than held. LOG_FORKED: not the same log, or a proof that does not show it.
    """
    head = _from_server(envelope, TreeHead, trust)
    size, root = held
    if head.size < size:
        raise Refused(Reason.LOG_SHRUNK, f"{head.size} entries, {size} were held")
    if not merkle.goes_on(size, root, head.size, bytes.fromhex(head.root), tuple(proof)):
        raise Refused(Reason.LOG_FORKED, f"{head.size} under {head.root} does not go on from {size} under {root.hex()}")
    return head


def _from_server(envelope: Envelope, kind: type[D], trust: Trust) -> D:
    document = _read(envelope, kind)
    _same_site(getattr(document, "site", ""), trust.site)
    keys = {key_id(trust.root.server_key): trust.root.server_key}
    if not good_signers(envelope, keys):
        raise Refused(_why_unsigned(envelope, keys), "not signed by the server key")
    return document


def _signers(envelope: Envelope, trust: Trust, places: tuple[str, ...], now: datetime) -> list[Approver]:
    """Listed approvers of `places` whose signatures hold and whose keys are valid at `now`. Raises Refused if none."""
    if trust.approvers is None:
        raise Refused(Reason.FOREIGN_KEY, "no approver list is held")
    listed = {key_id(one.public_key): one for one in trust.approvers.approvers}
    good = good_signers(envelope, {known: key for known, one in listed.items() if (key := one.verifier) is not None})
    if not good:
        raise Refused(_why_unsigned(envelope, listed), "no listed approver signed")
    unrevoked = [listed[one] for one in good if one not in trust.approvers.revoked]
    if not unrevoked:
        raise Refused(Reason.REVOKED, "the approver's key is revoked")
    counted = _counted(trust, places)
    here = [one for one in unrevoked if one.place in counted]
    if not here:
        raise Refused(Reason.WRONG_PLACE, "the approver's key does not count at this place")
    valid = [one for one in here if one.valid_from <= now < one.valid_until]
    if not valid:
        raise Refused(Reason.EXPIRED, "the approver's key is out of its validity")
    return valid


def _list_holds(trust: Trust, now: datetime) -> None:
    """An approver list past its end vouches for nothing new. Raises Refused."""
    if trust.approvers is not None and now >= trust.approvers.expires:
        raise Refused(Reason.EXPIRED, f"the approver list expired at {trust.approvers.expires}")


def _counted(trust: Trust, places: tuple[str, ...]) -> tuple[str, ...]:
    """Of `places` (top first) those that the list's authority may list approvers for."""
    if trust.listed_from is None:
        return places
    return places[places.index(trust.listed_from):] if trust.listed_from in places else ()


def _read(envelope: Envelope, kind: type[D]) -> D:
    if envelope.payload_type != kind.TYPE:
        raise Refused(Reason.WRONG_TYPE, envelope.payload_type)
    try:
        return kind.from_bytes(envelope.payload)
    except MalformedPayload as error:
        raise Refused(Reason.MALFORMED, str(error)[:300]) from error


def _why_unsigned(envelope: Envelope, known: Iterable[str]) -> Reason:
    """A known key with a signature that fails, or nobody we know."""
    named = {one.key_id for one in envelope.signatures}
    return Reason.BAD_SIGNATURE if named & set(known) else Reason.FOREIGN_KEY


def _same_site(site: str, own: str) -> None:
    if site != own:
        raise Refused(Reason.WRONG_SITE, site)


def _same_node(node: str, own: str) -> None:
    if node != own:
        raise Refused(Reason.WRONG_NODE, node)


def _fresh(issued: datetime, expires: datetime, now: datetime) -> None:
    if issued > now + AHEAD:
        raise Refused(Reason.NOT_YET_VALID, str(issued))
    _not_expired(expires, now)


def _not_expired(expires: datetime, now: datetime) -> None:
    if now >= expires:
        raise Refused(Reason.EXPIRED, str(expires))
