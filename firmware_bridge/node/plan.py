"""From documents to what waits for its hour: fates of broadcasts, verdicts on them, what to fetch."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

from firmware_bridge.contract.base import write_instant
from firmware_bridge.contract.documents import AirClass, Command, Delivery, PlayNow, RunningOrder
from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.node.air import Waiting
from firmware_bridge.node.airing import Airing, from_order
from firmware_bridge.node.approvals import is_revoked_now
from firmware_bridge.node.budget import leave_for, local_day
from firmware_bridge.node.effects import Fetch, Remove, Want
from firmware_bridge.node.gate import airings_of, durations_of, play_now_line, verdicts_of
from firmware_bridge.node.rules import zone_of
from firmware_bridge.node.state import Fate, FateState
from firmware_bridge.node.turn import Turn

PREPARED_WITHIN = timedelta(hours=1)
"""Prepared emergencies are fetched before all but what airs within the hour."""
REMEMBER = timedelta(hours=48)
"""How long an ended broadcast counts for sessions after no order lists it any more."""


def plan_order(turn: Turn) -> None:
    """Make the fates follow the held order: new ones wait, those no longer listed are dropped."""
    listed = {one.id: one for one in listed_airings(turn)}
    fates = dict(turn.state.fates)
    for airing in listed.values():
        known = fates.get(airing.id)
        open_yet = known is None or known.state in (FateState.WAITING, FateState.DROPPED)
        if open_yet or (known is not None and _ended_wrongly(turn, known, airing)):
            if known is not None and known.state is FateState.DROPPED:
                turn.keep(f"fate/{airing.id}", None)
            fates[airing.id] = fate_of(airing)
    turn.set(fates=fates)
    for fate in fates.values():
        if fate.state is FateState.WAITING and fate.id not in listed and not fate.play_now:
            turn.set_fate(fate.model_copy(update={"state": FateState.DROPPED}))
    judge_again(turn)


def _ended_wrongly(turn: Turn, known: Fate, airing: Airing) -> bool:
    """An end that an older key epoch gave to a broadcast whose start is yet to come, or is another now."""
    return known.suspect and (airing.start > turn.now or airing.start != known.start)


def judge_again(turn: Turn) -> None:
    """Ask the policies anew."""
    turn.set(verdicts=verdicts_of(turn.state))


def fate_of(airing: Airing) -> Fate:
    """The fate of a broadcast that waits."""
    return Fate(id=airing.id, air_class=airing.air_class, start=airing.start, end=airing.end, closes=airing.closes,
                planned_ms=airing.sound_ms, play_now=airing.play_now)


def waiting_airings(turn: Turn) -> tuple[Airing, ...]:
    """What the order lets wait."""
    return airings_of(turn.state)


def listed_airings(turn: Turn) -> tuple[Airing, ...]:
    """All that the order lists, whatever has become of it."""
    order = turn.state.order
    return from_order(order, durations_of(turn.state)) if order else ()


def close_dropped(turn: Turn) -> None:
    """Write down what was cancelled once it cannot come back, and forget what is long over."""
    state = turn.state
    if _same((state.order, state.fates), state.tidied_for) and (state.tidy_at is None or turn.now <= state.tidy_at):
        return
    listed = {one.id for one in state.order.broadcasts} if state.order else set()
    for fate in list(state.fates.values()):
        if fate.state is FateState.DROPPED and fate.closes < turn.now:
            turn.write(EntryKind.PLAY_MISSED, fate.id, reason="cancelled", start=stamp(fate.start))
            turn.set_fate(fate.model_copy(update={"state": FateState.CANCELLED}))
        elif _is_over(fate, listed) and fate.end < turn.now - REMEMBER:
            turn.set(fates={one: kept for one, kept in turn.state.fates.items() if one != fate.id})
            turn.keep(f"fate/{fate.id}", None)
    dues = [fate.closes if fate.state is FateState.DROPPED else fate.end + REMEMBER
            for fate in turn.state.fates.values() if fate.state is FateState.DROPPED or _is_over(fate, listed)]
    turn.set(tidied_for=(turn.state.order, turn.state.fates), tidy_at=min(dues, default=None))


def _same(basis: tuple[object, ...], before: tuple[object, ...]) -> bool:
    """Whether nothing was replaced: what is frozen and the same is unchanged."""
    return len(basis) == len(before) and all(one is other for one, other in zip(basis, before, strict=True))


def _is_over(fate: Fate, listed: set[str]) -> bool:
    return fate.state in (FateState.DONE, FateState.CANCELLED) and fate.id not in listed


def accept_play_now(turn: Turn, command: Command, asked: PlayNow) -> None:
    """Know an emergency broadcast; it waits until its recording is here."""
    if asked.broadcast in turn.state.fates:
        return
    payload = command.to_bytes()
    turn.set(play_nows=turn.state.play_nows | {asked.broadcast: payload})
    turn.keep(f"play_now/{asked.broadcast}", payload)
    turn.set_fate(Fate(
        id=asked.broadcast, air_class=AirClass.EMERGENCY, start=turn.now, end=asked.latest_start,
        closes=asked.latest_start, planned_ms=0, play_now=True))


def admit_play_nows(turn: Turn) -> None:
    """Let those wait for the node whose recording is here; close those for which it came too late."""
    air = turn.state.air
    if air is None:
        return
    for broadcast, payload in list(turn.state.play_nows.items()):
        fate = turn.state.fates.get(broadcast)
        if fate is None or fate.state is not FateState.WAITING:
            forget_play_now(turn, broadcast)
        elif not any(one.airing.id == broadcast for one in air.waiting):
            asked = Command.from_bytes(payload).play_now
            line = play_now_line(turn.state, dict(asked.recordings)) if asked else None
            if asked and line and turn.now <= asked.latest_start:
                airing = Airing(broadcast, AirClass.EMERGENCY, fate.start, asked.latest_start, (line,),
                                asked.volume, play_now=True)
                air = replace(air, waiting=(*air.waiting, Waiting(airing)))
            elif turn.now > fate.closes:
                turn.write(EntryKind.PLAY_MISSED, broadcast, reason=_why_absent(turn), start=stamp(fate.start))
                turn.set_fate(fate.model_copy(update={"state": FateState.DONE}))
    turn.set(air=air)


def forget_play_now(turn: Turn, broadcast: str) -> None:
    """It has ended."""
    turn.set(play_nows={one: kept for one, kept in turn.state.play_nows.items() if one != broadcast})
    turn.keep(f"play_now/{broadcast}", None)


def fetch_wanted(turn: Turn) -> None:
    """Tell the cache what is missing, soonest first, and what to hold; drop what is revoked."""
    _remove_revoked(turn)
    state, order = turn.state, turn.state.order
    day = local_day(turn.now, _zone_of(order)).isoformat()
    basis = (order, state.fates, state.stored, state.play_nows, state.revoked)
    if state.fetching is not None and not state.fetching.wants and state.fetching.day == day and _same(
            basis, state.fetched_for):
        return
    turn.set(fetched_for=basis)
    sizes = {one.sha256: one.bytes for one in order.recordings} if order else {}
    by: dict[str, datetime] = {}
    at_once = set(order.prepared) if order else set()
    for broadcast, payload in state.play_nows.items():
        asked = Command.from_bytes(payload).play_now
        for sha in asked.recordings.values() if asked else ():
            at_once.add(sha)
            by.setdefault(sha, state.fates[broadcast].start if broadcast in state.fates else turn.now)
    for one in sorted(order.broadcasts, key=lambda each: each.start) if order else ():
        fate = state.fates.get(one.id)
        if fate is None or fate.state in (FateState.WAITING, FateState.STARTED):
            for sha in (sha for item in one.items for sha in item.recordings.values() if sha in sizes):
                by.setdefault(sha, one.start)
                if one.air_class is AirClass.EMERGENCY:
                    at_once.add(sha)
    for sha in order.prepared if order else ():
        by.setdefault(sha, (order.issued if order else turn.now) + PREPARED_WITHIN)
    needed = frozenset(by) | frozenset(sizes)
    missing = [sha for sha in by if sha not in state.stored or not state.stored[sha].approved]
    delivery = order.delivery if order else Delivery()
    zone = _zone_of(order)
    leaves = {sha: leave_for(by[sha], turn.now, delivery, zone, sha in at_once) for sha in missing}
    wants = sorted((Want(sha, sizes.get(sha), by[sha], leaves[sha]) for sha in missing
                    if not is_revoked_now(state, sha)), key=lambda want: (want.by, want.sha256))
    fetch = Fetch(tuple(wants), needed, delivery.bytes_a_day, day)
    if fetch != state.fetching:
        turn.set(fetching=fetch)
        turn.do(fetch)


def _zone_of(order: RunningOrder | None) -> tzinfo:
    try:
        return zone_of(order.zone) if order else UTC
    except KeyError:
        return UTC


def remove(turn: Turn, sha256: str, reason: str) -> None:
    """Take a recording off the disk."""
    held = turn.state.stored.get(sha256)
    if held is None:
        return
    turn.set(stored={one: kept for one, kept in turn.state.stored.items() if one != sha256},
             vouched=turn.state.vouched - {sha256})
    turn.keep(f"vouched/{sha256}", None)
    turn.write(EntryKind.RECORDING_REMOVED, recording=sha256, reason=reason, bytes=held.bytes)
    turn.do(Remove(sha256))


def _remove_revoked(turn: Turn) -> None:
    for sha in list(turn.state.stored):
        if is_revoked_now(turn.state, sha):
            remove(turn, sha, "revoked")


def _why_absent(turn: Turn) -> str:
    return "stopped" if turn.state.stop.active else "not_stored"


def stamp(instant: datetime) -> str:
    """The instant as the journal writes it."""
    return write_instant(instant)
