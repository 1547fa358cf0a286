"""Days and hundreds of poles on a virtual clock, with the real agent, the real conductor and a real database."""

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from multiprocessing import get_context

from sqlmodel import col, select

from chaos.fleet_sky import EVENING, Commune, commune
from chaos.frame import Outcome, Row, Scale
from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.fleet.line import Line
from firmware_bridge.fleet.sky import Member, Nature
from loudspeaker.demo.district import Size
from loudspeaker.faults.models import Fault, FaultKind, FaultState
from loudspeaker.playbacks.models import Playback, PlaybackState

AWAY = timedelta(days=7)
POLES_AWAY = 72
A_DAY = 20
"""Broadcasts of each pole: 7 days of 72 poles are more than 10,000."""
STOPPED, SILENT = 200, 50
SEEN_S = 100.0
MOBILE = Line(latency_s=0.04, jitter_s=0.06, loss=0.005)
"""A 4G line on an ordinary day."""
SHARES = 2
"""Processes, each with a commune of its own."""
BACK_S = 900.0


def server_away(scale: Scale) -> Outcome:
    """Server and broker gone for seven days: what was to air, by the as-run log after their return."""
    with ProcessPoolExecutor(SHARES, get_context("spawn")) as pool:
        poles = scale.pick(POLES_AWAY, 4 * POLES_AWAY) // SHARES
        told = list(pool.map(away_for, [poles] * SHARES, range(scale.seed, scale.seed + SHARES)))
    n, missed, again = (sum(int(one[place]) for one in told) for place in range(3))
    return Outcome(n, missed + again, f"{missed} missed, {again} repeated; the log is complete "
                                      f"{max(one[3] for one in told):.0f} s after the return")


def away_for(poles: int, seed: int, away: timedelta = AWAY) -> tuple[int, int, int, float]:
    """Broadcasts, how many of them missed and repeated, and how long until the log was complete."""
    with commune(Size(poles, A_DAY), Nature(), seed) as one:
        gone = one.world.now
        one.conductor.stop()
        one.sky.broker.down()
        one.world.run_until(gone + away)
        back = one.world.now
        one.sky.broker.back()
        one.restart()
        settled = one.settle(BACK_S)
        rows = as_run(one, gone, back)
        return len(rows), sum(row.state != PlaybackState.PLAYED for row in rows), repeated(one), settled


def as_run(one: Commune, since: datetime, until: datetime) -> list[Playback]:
    """The as-run log of what was to begin in between."""
    with one.house.database.read() as session:
        return list(session.exec(select(Playback).where(col(Playback.start) >= since, col(Playback.start) < until)))


def repeated(one: Commune) -> int:
    """Broadcasts that a pole began more than once, or of which more was heard than there is."""
    count = 0
    for member in one.members:
        begun = Counter(entry.broadcast for entry in member.pole.disk.entries() if entry.kind == EntryKind.PLAY_START)
        heard = Counter(sound.broadcast for sound in member.pole.player.heard)
        count += sum(times > 1 for times in (begun | heard).values())
    return count


def stopped_while_away(scale: Scale) -> Outcome:
    """Half of the poles lose their line, half their power; then the stop is pressed; they come back at airtime."""
    poles = scale.pick(STOPPED, 10 * STOPPED)
    seconds = stopped_content(poles, scale.seed)
    return Outcome(poles, sum(one > 0 for one in seconds), f"{sum(seconds):.1f} s of stopped content")


def stopped_content(poles: int, seed: int) -> list[float]:
    """Seconds of sound at each pole after it came back."""
    airtime = EVENING + timedelta(minutes=20)
    size = Size(poles, programmes=1, seconds=1200.0, soon=(airtime - EVENING).total_seconds())
    with commune(size, Nature(MOBILE), seed) as one:
        one.world.run_until(airtime - timedelta(minutes=10))
        for number, member in enumerate(one.members):
            (member.cut if number % 2 else member.power_off)()
        one.world.run_for(60.0)
        one.press_stop()
        heard_before = [len(member.pole.player.heard) for member in one.members]
        _come_back(one, airtime)
        one.world.run_until(airtime + timedelta(minutes=10))
        return [_sounded(member, before) for member, before in zip(one.members, heard_before, strict=True)]


def _come_back(one: Commune, airtime: datetime) -> None:
    """Who lost the line, before airtime; who lost power, before it or in its midst."""
    for number, member in enumerate(one.members):
        draw = one.world.chance.random()
        seconds = -60.0 + 50.0 * draw if number % 2 else -60.0 + 240.0 * draw
        back = airtime + timedelta(seconds=seconds)
        one.world.after((back - one.world.now).total_seconds(), member.mend if number % 2 else member.power_on)


def _sounded(member: Member, before: int) -> float:
    """Seconds of sound since then, what still sounds included."""
    member.pole.player.stop(member.moment().mono)
    return sum(sound.ends - sound.at for sound in member.pole.player.heard[before:])


def commune_offline(scale: Scale) -> Outcome:
    """All lines of a commune are cut for minutes: the incidents that people see, then what is left of them."""
    bad, most, rounds = 0, 0.0, scale.pick(2, 100)
    with commune(Size(SILENT, programmes=2), Nature(MOBILE), scale.seed) as one:
        for _ in range(rounds):
            one.world.run_for(60.0 + 120.0 * one.world.chance.random())
            before, cut = {fault.id for fault in silent(one)}, one.world.now
            for member in one.members:
                member.cut()
            one.world.run_for(150.0)
            new = [fault for fault in silent(one) if fault.id not in before]
            for member in one.members:
                member.mend()
            one.world.run_for(150.0)
            left = [fault for fault in silent(one) if fault.state != FaultState.CLOSED]
            late = max(((fault.opened_at - cut).total_seconds() for fault in new), default=SEEN_S + 1)
            bad, most = bad + (len(new) != 1 or bool(left) or late > SEEN_S), max(most, late)
    return Outcome(rounds, bad, f"{SILENT} poles each time, seen after at most {most:.0f} s")


def silent(one: Commune) -> list[Fault]:
    """All faults of silence so far."""
    with one.house.database.read() as session:
        return list(session.exec(select(Fault).where(Fault.kind == FaultKind.OFFLINE)))


ROWS = (
    Row("faults", "Node away while stop is pressed", "200 nodes silent on return: 0 s of stopped content",
        stopped_while_away),
    Row("faults", "Whole commune offline", "50 nodes: one incident within 100 s, cleared by level", commune_offline),
    Row("faults", "Server down 7 days", "10,000 broadcasts on a virtual clock: 0 missed, 0 repeated", server_away),
)
