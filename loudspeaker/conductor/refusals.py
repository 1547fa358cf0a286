"""Which of a node's own words are a security event: what it refused because somebody may not have said it."""

from collections.abc import Iterable, Mapping

from firmware_bridge.contract.messages import EntryKind
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
CHAIN = "journal_chain"


def findings_of(said: Iterable[Said], places: Mapping[str, str]) -> list[Finding]:
    """The security findings among journal entries; `places` gives each node's place id."""
    found = []
    for one in said:
        reason = one.entry.data.get("reason")
        told = one.entry.kind in REFUSALS or (one.entry.kind == EntryKind.FAULT
                                              and one.entry.data.get("what") == "refused_message")
        if told and isinstance(reason, str) and reason in ALARMING:
            found.append(Finding(FaultKind.SECURITY, places[one.node_id], one.node_id, reason,
                                 f"{one.entry.kind}: {one.entry.data.get('detail', '')}"))
    return found


def findings_of_breaks(breaks: Iterable[ChainBreak], places: Mapping[str, str]) -> list[Finding]:
    """A journal that contradicts itself is never passed over in silence."""
    return [Finding(FaultKind.SECURITY, places[one.node_id], one.node_id, CHAIN,
                    f"journal {one.journal_id} at {one.seq}") for one in breaks]
