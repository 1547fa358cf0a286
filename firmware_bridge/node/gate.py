"""What the node's documents, its disk and a stop let be heard: the gate that the playing rules ask."""

from datetime import datetime, timedelta

from firmware_bridge.contract.documents import AirClass, OrderItem
from firmware_bridge.node.air import Bar
from firmware_bridge.node.airing import Airing, Line, from_order, lines_of, millis
from firmware_bridge.node.approvals import bar_recording, is_revoked_now
from firmware_bridge.node.playing import GRACE
from firmware_bridge.node.rules import Plan, Verdict, judge
from firmware_bridge.node.state import FateState, State

WAIT_FOR = frozenset({"no_policy"})
"""What a policy that is still on its way may lift before the latest start."""
LISTEN = timedelta(seconds=5)
UNPLANNED = millis(24 * 3600 * 1000)


def listens_until(state: State) -> datetime | None:
    """Until when a node that was just switched on joins nothing that has begun already; None when it may.

    A stop may have been pressed meanwhile: the order that tells it comes within a second or two of the connection.
    """
    if state.confirmed or state.power_on is None:
        return None
    return state.power_on + LISTEN


class NodeGate:
    """The gate of one state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def bar_airing(self, airing: Airing, at: datetime) -> Bar | None:
        """A stop in force, one that may have been missed while the node was off, or what the policy says."""
        if self.state.stop.active:
            return Bar("stopped")
        if (until := listens_until(self.state)) is not None and airing.start < until - LISTEN and at < until:
            return Bar("power")
        verdict = self._verdict(airing)
        return Bar(verdict.reason, verdict.reason not in WAIT_FOR) if verdict.reason else None

    def bar_line(self, airing: Airing, line: Line, at: datetime) -> Bar | None:
        """Not there, not approved for this, or revoked."""
        return bar_recording(self.state, airing, line, at)

    def limit(self, airing: Airing) -> tuple[datetime, str]:
        """Until when the airing may sound."""
        if airing.play_now:
            return airing.latest_start + UNPLANNED + GRACE, "no_room"
        return self._verdict(airing).limit(airing)

    def lines(self, airing: Airing) -> tuple[Line, ...]:
        """The lines in the first languages that are there."""
        order = self.state.order
        broadcast = next((one for one in order.broadcasts if one.id == airing.id), None) if order else None
        if airing.play_now or order is None or broadcast is None:
            return airing.lines
        if all(len(item.recordings) == 1 for item in broadcast.items):
            return airing.lines
        durations = durations_of(self.state)
        return lines_of(broadcast, order, durations, here(self.state) & durations.keys())

    def _verdict(self, airing: Airing) -> Verdict:
        if airing.air_class is AirClass.EMERGENCY:
            return Verdict()
        return self.state.verdicts.get(airing.id, Verdict(reason="no_policy"))


def here(state: State) -> frozenset[str]:
    """Recordings that are on the disk, approved and not revoked."""
    return frozenset(one for one, held in state.stored.items() if held.approved and not is_revoked_now(state, one))


def durations_of(state: State) -> dict[str, int]:
    """Lengths in milliseconds by recording: as the order says, else as approved."""
    known = {sha: held.approved[0].duration_ms for sha, held in state.stored.items() if held.approved}
    return known | {one.sha256: one.duration_ms for one in (state.order.recordings if state.order else ())}


def airings_of(state: State) -> tuple[Airing, ...]:
    """What the held order lets wait: its broadcasts that have neither begun nor ended."""
    if state.order is None:
        return ()
    return tuple(
        one for one in from_order(state.order, durations_of(state))
        if one.id not in state.fates or state.fates[one.id].state in (FateState.WAITING, FateState.DROPPED))


def verdicts_of(state: State) -> dict[str, Verdict]:
    """The policies' word on every broadcast known, those of the last two days included."""
    plans = {
        fate.id: Plan(fate.id, fate.air_class, fate.start, fate.end) for fate in state.fates.values()
        if fate.state not in (FateState.DROPPED, FateState.CANCELLED) and not fate.play_now}
    return judge(plans.values(), tuple(state.trust.policies[place] for place in state.who.place_path
                                       if place in state.trust.policies))


def play_now_line(state: State, recordings: dict[str, str]) -> Line | None:
    """The one line of a `play_now`: the first of the village's languages that is there as an emergency."""
    languages = state.order.languages if state.order else ()
    item = OrderItem(id="now", recordings=recordings)
    wanted = (*languages, "vi", *sorted(recordings))
    for sha in (item.recordings[one] for one in wanted if one in item.recordings):
        held = state.stored.get(sha)
        for one in held.approved if held else ():
            if one.air_class is AirClass.EMERGENCY:
                return Line("now", sha, one.duration_ms)
    return None
