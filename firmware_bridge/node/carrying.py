"""Carrying the highest head of the server's public log: what stands in it can never be taken back unseen."""

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import merkle
from firmware_bridge.contract import trust as rules
from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.documents import LogUpdate, TreeHead
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.messages import EntryKind, LogHead
from firmware_bridge.contract.trust import Reason, Refused
from firmware_bridge.node.link import tell_within
from firmware_bridge.node.turn import Turn

KEPT = "log_head"
TOLD_WITHIN_S = 30.0
"""How soon the server hears which head is carried now."""


def carry(turn: Turn, update: LogUpdate) -> None:
    """Take a head that goes on from the one carried; write down the refusal of one that does not."""
    try:
        _take(turn, update)
    except Refused as refused:
        turn.refuse(EntryKind.TRUST_REFUSED, refused.reason, {"part": "log", "detail": refused.detail[:200] or None})


def restored(kept: bytes) -> LogHead:
    """The head as it was kept over a restart."""
    return _short(TreeHead.from_bytes(dsse.decode(kept).payload))


def forget(turn: Turn) -> None:
    """A root of a new key epoch has begun a new log."""
    turn.set(log=None)
    turn.keep(KEPT, None)


def _take(turn: Turn, update: LogUpdate) -> None:
    held = turn.state.log
    size, root = (held.size, bytes.fromhex(held.root)) if held else (0, merkle.EMPTY)
    envelope = _read(update)
    if _size(envelope) > size != update.since:
        return  # the proof begins at a head that was carried before; the next hello brings the right one
    head = rules.read_tree_head(envelope, turn.state.trust, (size, root), [bytes.fromhex(one) for one in update.proof])
    if held is None or head.size > size:
        turn.set(log=_short(head))
        turn.keep(KEPT, dsse.encode(envelope))
    tell_within(turn, TOLD_WITHIN_S)  # also of the head that is held: the server does not know that it is


def _read(update: LogUpdate) -> Envelope:
    try:
        return dsse.from_dict(dict(update.head))
    except dsse.MalformedEnvelope as error:
        raise Refused(Reason.MALFORMED, str(error)) from error


def _size(envelope: Envelope) -> int:
    try:
        return TreeHead.from_bytes(envelope.payload).size
    except MalformedPayload as error:
        raise Refused(Reason.MALFORMED, str(error)[:200]) from error


def _short(head: TreeHead) -> LogHead:
    return LogHead(size=head.size, root=head.root)
