"""Which of a node's own words are faults: what it refused because a stranger may have said it, and its defects."""

from collections.abc import Iterable, Mapping

from firmware_bridge.contract.messages import Entry, EntryKind
from firmware_bridge.contract.trust import Reason
from loudspeaker.faults.models import FaultKind
from loudspeaker.faults.system import Finding
from loudspeaker.playbacks.journal import ChainBreak, Said

REFUSALS = frozenset({EntryKind.ORDER_REFUSED, EntryKind.TRUST_REFUSED, EntryKind.RECORDING_REFUSED,
                      EntryKind.COMMAND_REFUSED})
HARMLESS = frozenset({Reason.OLDER_VERSION, Reason.EXPIRED, Reason.NOT_YET_VALID, Reason.REPEATED, Reason.CLOCK,
                      Reason.NOT_APPROVED, Reason.REVOKED, Reason.NO_POLICY, Reason.STOPPED})
"""What late, repeated or crossing messages bring about as well; it stands in the journal, and alarms nobody."""
ALARMING = frozenset(Reason) - HARMLESS
BROKEN = frozenset({"player", "disk", "journal_broken", "place_path", "order_expired", "approvers_expired", "main_loop",
                    "time_backwards"})
"""What a node says is wrong with itself; it stays open until a technician closes it."""
CHAIN = "journal_chain"


def findings_of(said: Iterable[Said], places: Mapping[str, str]) -> list[Finding]:
    """The findings among journal entries; `places` gives each node's place id."""
    found = []
    for one in said:
        told = _told(one.entry)
        if told is not None:
            kind, reason = told
            held_back = one.entry.data.get("suppressed")
            found.append(Finding(kind, places[one.node_id], one.node_id, reason,
                                 f"{one.entry.kind}: {one.entry.data.get('detail', '')}",
                                 1 + (held_back if isinstance(held_back, int) and held_back > 0 else 0)))
    return found


def findings_of_breaks(breaks: Iterable[ChainBreak], places: Mapping[str, str]) -> list[Finding]:
    """A journal that contradicts itself is never passed over in silence."""
    return [Finding(FaultKind.SECURITY, places[one.node_id], one.node_id, CHAIN,
                    f"journal {one.journal_id} at {one.seq}") for one in breaks]


def _told(entry: Entry) -> tuple[FaultKind, str] | None:
    what, reason = entry.data.get("what"), entry.data.get("reason")
    if entry.kind == EntryKind.FAULT and isinstance(what, str) and what in BROKEN:
        return FaultKind.OTHER, what
    refused = entry.kind in REFUSALS or (entry.kind == EntryKind.FAULT and what == "refused_message")
    return (FaultKind.SECURITY, reason) if refused and isinstance(reason, str) and reason in ALARMING else None
