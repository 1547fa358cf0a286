"""Taking in a trust bundle: the roots, the approver list and the policies, each judged for itself."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import trust as rules
from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.documents import TrustBundle, TrustRoot
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.contract.trust import Reason, Refused
from firmware_bridge.node import carrying
from firmware_bridge.node.approvals import weigh
from firmware_bridge.node.epoch import begin_key_epoch
from firmware_bridge.node.link import heard_from_server
from firmware_bridge.node.plan import judge_again
from firmware_bridge.node.turn import Turn

MOST_ROOTS = 64
"""Of a chain that are walked at once; the rest comes with the answer to the next hello."""


def on_trust(turn: Turn, raw: bytes) -> None:
    """Accept what is newer of a bundle; a part that is refused does not spoil the others. Raises Refused.

    While the time is unknown only roots are believed: one may free the pole from whoever moved its clock.
    """
    try:
        bundle = TrustBundle.from_bytes(raw)
    except MalformedPayload as error:
        raise Refused(Reason.MALFORMED, str(error)[:200]) from error
    before = turn.state.trust
    for step in bundle.roots[:MOST_ROOTS]:
        _try(turn, "root", step, partial(_take_root, last=False))
    _try(turn, "root", bundle.root, partial(_take_root, last=True))
    if turn.knows_time:
        if bundle.approvers is not None:
            _try(turn, "approvers", bundle.approvers, _take_approvers)
        for policy in bundle.policies:
            _try(turn, "policy", policy, _take_policy)
        heard_from_server(turn)
    if turn.state.trust.root.key_epoch > before.root.key_epoch:
        carrying.forget(turn)
    if bundle.log is not None:
        carrying.carry(turn, bundle.log)
    if turn.state.trust != before:
        trust = turn.state.trust
        turn.write(EntryKind.TRUST_ACCEPTED, root=trust.root.version, key_epoch=trust.root.key_epoch or None,
                   approvers=trust.approvers.version if trust.approvers else 0,
                   policies={place: policy.version for place, policy in trust.policies.items()})
        weigh_all(turn)
        judge_again(turn)
        turn.set_link(heartbeat_due=turn.mono)


def weigh_all(turn: Turn) -> None:
    """Judge every stored recording under the trust held now."""
    state = turn.state
    turn.set(stored={sha: weigh(held, state.trust, state.who.place_path, turn.now, vouched=sha in state.vouched)
                     for sha, held in state.stored.items()})
    note_vouched(turn)


def note_vouched(turn: Turn) -> None:
    """Remember, also over a restart, what the approver list has vouched for while it held."""
    fresh = {sha for sha, held in turn.state.stored.items() if held.approved} - turn.state.vouched
    for sha in sorted(fresh):
        turn.keep(f"vouched/{sha}", b"1")
    if fresh:
        turn.set(vouched=turn.state.vouched | fresh)


def _try(turn: Turn, part: str, value: Mapping[str, object], take: Callable[[Turn, Envelope], None]) -> None:
    try:
        try:
            envelope = dsse.from_dict(dict(value))
        except dsse.MalformedEnvelope as error:
            raise Refused(Reason.MALFORMED, str(error)) from error
        take(turn, envelope)
    except Refused as refused:
        turn.refuse(EntryKind.TRUST_REFUSED, refused.reason, {"part": part, "detail": refused.detail[:200] or None})


def _take_root(turn: Turn, envelope: Envelope, last: bool) -> None:
    trust = turn.state.trust
    if not last and _version_of(envelope) <= trust.root.version:
        return
    root = rules.read_root(envelope, trust.root, turn.safe_now if last and turn.knows_time else None)
    if root.version > trust.root.version:
        turn.set(trust=replace(trust, root=root))
        turn.keep("root", dsse.encode(envelope))
        _drop_orphaned_list(turn)
        if root.key_epoch > trust.root.key_epoch:
            begin_key_epoch(turn)


def _version_of(envelope: Envelope) -> int:
    try:
        return TrustRoot.from_bytes(envelope.payload).version
    except MalformedPayload as error:
        raise Refused(Reason.MALFORMED, str(error)[:200]) from error


def _drop_orphaned_list(turn: Turn) -> None:
    """A list counts only as long as the root knows who signed it; without one its version binds nobody."""
    signed, trust = turn.state.approvers_envelope, turn.state.trust
    if signed is None:
        return
    try:
        turn.set(trust=replace(trust, listed_from=rules.listed_from(signed, trust.root)))
    except Refused:
        turn.set(trust=replace(trust, approvers=None, listed_from=None), approvers_envelope=None, vouched=frozenset())
        turn.keep("approvers", None)
        for sha in turn.state.stored:
            turn.keep(f"vouched/{sha}", None)


def _take_approvers(turn: Turn, envelope: Envelope) -> None:
    trust = turn.state.trust
    listed = rules.read_approvers(envelope, trust, turn.safe_now)
    if trust.approvers is None or listed.version > trust.approvers.version:
        turn.set(trust=replace(trust, approvers=listed, listed_from=rules.listed_from(envelope, trust.root)),
                 approvers_envelope=envelope, trust_alarm=False)
        turn.keep("approvers", dsse.encode(envelope))


def _take_policy(turn: Turn, envelope: Envelope) -> None:
    state, trust = turn.state, turn.state.trust
    binding = {place: one for place, one in trust.policies.items()
               if not _is_disowned(state.policies.get(place), trust)}
    policy = rules.read_policy(envelope, replace(trust, policies=binding), state.who.place_path, turn.now)
    held = binding.get(policy.place)
    if held is None or policy.version > held.version:
        turn.set(trust=replace(trust, policies=trust.policies | {policy.place: policy}),
                 policies=state.policies | {policy.place: envelope})
        turn.keep(f"policy/{policy.place}", dsse.encode(envelope))


def _is_disowned(policy: Envelope | None, trust: rules.Trust) -> bool:
    """All who signed it are revoked: it holds until another comes, but its version binds nobody."""
    revoked = trust.approvers.revoked if trust.approvers else ()
    return policy is not None and {one.key_id for one in policy.signatures} <= set(revoked)
