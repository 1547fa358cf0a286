"""A new key epoch: the server key was stolen, and nothing that it ever signed binds this pole any more.

What approvers and place authorities signed stays. So a pole recovers from the thief's orders, stops, revocations,
receipts and times by a new root alone, without a visit.
"""

from dataclasses import replace

from firmware_bridge.contract.documents import StandingStop
from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.node import plan
from firmware_bridge.node.state import FateState
from firmware_bridge.node.timekeeping import Timekeeper
from firmware_bridge.node.turn import Turn

FORGOTTEN = ("order", "seen", "stop", "groups", "volume", "time", "receipted")
"""What is kept under these names came from the server key."""


def begin_key_epoch(turn: Turn) -> None:
    """Forget everything that the old server key said, also on the disk; ask for the time and say hello anew."""
    state = turn.state
    for name in (*FORGOTTEN, *(f"command/{one}" for one in state.commands),
                 *(f"revoked/{one}" for one in state.revoked)):
        turn.keep(name, None)
    turn.set(order=None, seen=(0, 0), stop=StandingStop(), groups={}, commands={}, revoked={}, volume=None,
             order_alarm=False, time=Timekeeper())
    turn.set_link(receipted=0, receipt_issued=None, upload_due=None, upload_tries=0, nonce=None, time_due=turn.mono,
                  hello_due=turn.mono if state.link.up else None, hello_tries=0)
    turn.reading = turn.state.time.read(turn.moment)
    _close_commanded(turn)
    for fate in list(turn.state.fates.values()):
        if fate.state in (FateState.DONE, FateState.CANCELLED) and not fate.suspect:
            turn.set_fate(fate.model_copy(update={"suspect": True}))
    plan.plan_order(turn)


def _close_commanded(turn: Turn) -> None:
    """Emergencies that were commanded and wait for their recording."""
    for broadcast in list(turn.state.play_nows):
        fate = turn.state.fates.get(broadcast)
        if fate is not None and fate.state is FateState.WAITING:
            turn.write(EntryKind.PLAY_MISSED, broadcast, reason="cancelled", start=plan.stamp(fate.start))
            turn.set_fate(fate.model_copy(update={"state": FateState.DONE}))
        plan.forget_play_now(turn, broadcast)
    air = turn.state.air
    if air is not None:
        turn.set(air=replace(air, waiting=tuple(one for one in air.waiting if not one.airing.play_now)))
