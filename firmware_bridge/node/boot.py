"""Waking up: what was kept is read back, and what a crash left open is closed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract.base import Instant, Payload
from firmware_bridge.contract.documents import ApproverList, Policy, RunningOrder, StandingStop, TrustRoot
from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.contract.trust import listed_from
from firmware_bridge.node import carrying, intake, plan, software
from firmware_bridge.node.approvals import weigh
from firmware_bridge.node.effects import Subscribe
from firmware_bridge.node.inputs import Boot
from firmware_bridge.node.link import SYNC_AFTER_S
from firmware_bridge.node.state import Approval, Fate, FateState, KeptSoftware
from firmware_bridge.node.timing import restore_time
from firmware_bridge.node.trusting import note_vouched
from firmware_bridge.node.turn import Turn


class KeptGroups(Payload):
    """Since when the node belongs to its groups."""

    since: dict[str, Instant]


def on_boot(turn: Turn, boot: Boot) -> None:
    """Read back what was kept. All of it was verified when it was accepted."""
    turn.set(boot=boot.boot, machine_boot=boot.machine_boot, boot_mono=turn.mono, journal=boot.journal)
    turn.set_link(sync_due=turn.mono + SYNC_AFTER_S * turn.draw() / 4)
    _restore_trust(turn, boot)
    if carrying.KEPT in boot.kept:
        turn.set(log=carrying.restored(boot.kept[carrying.KEPT]))
    _restore_small(turn, boot)
    if software.KEPT in boot.kept:
        turn.set(software=KeptSoftware.from_bytes(boot.kept[software.KEPT]))
    restore_time(turn, boot)
    order = boot.kept.get("order")
    if order is not None:
        turn.set(order=RunningOrder.from_bytes(dsse.decode(order).payload))
    state = turn.state
    turn.set(stored={one.sha256: weigh(Approval(one.sha256, one.bytes, one.statements), state.trust,
                                       state.who.place_path, turn.safe_now, vouched=one.sha256 in state.vouched)
                     for one in boot.on_disk})
    note_vouched(turn)
    turn.write(EntryKind.BOOT, boot=boot.boot, firmware=turn.state.who.firmware, journal=boot.journal.id,
               previous_journal=boot.broken_journal)
    if boot.broken_journal is not None:
        turn.write(EntryKind.FAULT, what="journal_broken", detail=boot.broken_journal)
    _close_open(turn)
    plan.plan_order(turn)
    turn.do(Subscribe(intake.subscriptions(turn.state)))


def _restore_trust(turn: Turn, boot: Boot) -> None:
    trust, kept = turn.state.trust, boot.kept
    if "root" in kept:
        root = TrustRoot.from_bytes(dsse.decode(kept["root"]).payload)
        trust = replace(trust, root=root if root.version > trust.root.version else trust.root)
    if "approvers" in kept:
        signed = dsse.decode(kept["approvers"])
        trust = replace(trust, approvers=ApproverList.from_bytes(signed.payload),
                        listed_from=listed_from(signed, trust.root))
        turn.set(approvers_envelope=signed)
    policies = {key.removeprefix("policy/"): dsse.decode(raw)
                for key, raw in kept.items() if key.startswith("policy/")}
    read = {place: Policy.from_bytes(one.payload) for place, one in policies.items()}
    turn.set(trust=replace(trust, policies=read), policies=policies,
             vouched=frozenset(key.removeprefix("vouched/") for key in kept if key.startswith("vouched/")))


def _restore_small(turn: Turn, boot: Boot) -> None:
    kept = boot.kept
    epoch, version = (int(one) for one in kept.get("seen", b"0 0").split())
    fates = [Fate.from_bytes(raw) for key, raw in kept.items() if key.startswith("fate/")]
    turn.set(
        seen=(epoch, version),
        stop=StandingStop.from_bytes(kept["stop"]) if "stop" in kept else StandingStop(),
        groups=dict(KeptGroups.from_bytes(kept["groups"]).since) if "groups" in kept else {},
        commands=_instants(kept, "command/"), revoked=_instants(kept, "revoked/"),
        play_nows={key.removeprefix("play_now/"): raw for key, raw in kept.items() if key.startswith("play_now/")},
        volume=int(kept["volume"]) if "volume" in kept else None,
        fates={fate.id: fate for fate in fates})
    receipted = int(kept.get("receipted", b"0"))
    turn.set_link(receipted=receipted if receipted <= boot.journal.last else 0)


def _close_open(turn: Turn) -> None:
    """A start without an end: nobody knows how much was heard."""
    for fate in list(turn.state.fates.values()):
        if fate.state is FateState.STARTED:
            turn.write(EntryKind.PLAY_END, fate.id, state="unknown", start=plan.stamp(fate.start),
                       planned_ms=fate.planned_ms, segments=[], reason="crash")
            turn.set_fate(fate.model_copy(update={"state": FateState.DONE}))


def _instants(kept: Mapping[str, bytes], prefix: str) -> dict[str, datetime]:
    return {key.removeprefix(prefix): datetime.fromisoformat(raw.decode())
            for key, raw in kept.items() if key.startswith(prefix)}
