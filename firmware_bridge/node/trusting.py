"""Taking in a trust bundle: the root, the approver list and the policies, each judged for itself."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import trust as rules
from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.documents import TrustBundle
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.contract.trust import Reason, Refused
from firmware_bridge.node.approvals import weigh
from firmware_bridge.node.link import heard_from_server
from firmware_bridge.node.plan import judge_again
from firmware_bridge.node.turn import Turn


def on_trust(turn: Turn, raw: bytes) -> None:
    """Accept what is newer of a bundle; a part that is refused does not spoil the others. Raises Refused."""
    if not turn.knows_time:
        return
    try:
        bundle = TrustBundle.from_bytes(raw)
    except MalformedPayload as error:
        raise Refused(Reason.MALFORMED, str(error)[:200]) from error
    before = turn.state.trust
    _try(turn, "root", bundle.root, _take_root)
    if bundle.approvers is not None:
        _try(turn, "approvers", bundle.approvers, _take_approvers)
    for policy in bundle.policies:
        _try(turn, "policy", policy, _take_policy)
    heard_from_server(turn)
    if turn.state.trust != before:
        trust = turn.state.trust
        turn.write(EntryKind.TRUST_ACCEPTED, root=trust.root.version,
                   approvers=trust.approvers.version if trust.approvers else 0,
                   policies={place: policy.version for place, policy in trust.policies.items()})
        weigh_all(turn)
        judge_again(turn)
        turn.set_link(heartbeat_due=turn.mono)


def weigh_all(turn: Turn) -> None:
    """Judge every stored recording under the trust held now."""
    state = turn.state
    turn.set(stored={sha: weigh(held, state.trust, state.who.place_path, turn.now)
                     for sha, held in state.stored.items()})


def _try(turn: Turn, part: str, value: Mapping[str, object], take: Callable[[Turn, Envelope], None]) -> None:
    try:
        try:
            envelope = dsse.from_dict(dict(value))
        except dsse.MalformedEnvelope as error:
            raise Refused(Reason.MALFORMED, str(error)) from error
        take(turn, envelope)
    except Refused as refused:
        turn.refuse(EntryKind.TRUST_REFUSED, refused.reason, {"part": part, "detail": refused.detail[:200] or None})


def _take_root(turn: Turn, envelope: Envelope) -> None:
    trust = turn.state.trust
    root = rules.read_root(envelope, trust.root, turn.safe_now)
    if root.version > trust.root.version:
        time = turn.state.time
        if root.key_epoch > trust.root.key_epoch:
            time = replace(time, lower_bound=None)
        turn.set(trust=replace(trust, root=root), root_envelope=envelope, time=time)
        turn.keep("root", dsse.encode(envelope))


def _take_approvers(turn: Turn, envelope: Envelope) -> None:
    trust = turn.state.trust
    listed = rules.read_approvers(envelope, trust, turn.safe_now)
    if trust.approvers is None or listed.version > trust.approvers.version:
        turn.set(trust=replace(trust, approvers=listed))
        turn.keep("approvers", dsse.encode(envelope))


def _take_policy(turn: Turn, envelope: Envelope) -> None:
    trust = turn.state.trust
    policy = rules.read_policy(envelope, trust, turn.state.who.place_path, turn.now)
    held = trust.policies.get(policy.place)
    if held is None or policy.version > held.version:
        turn.set(trust=replace(trust, policies=trust.policies | {policy.place: policy}))
        turn.keep(f"policy/{policy.place}", dsse.encode(envelope))
