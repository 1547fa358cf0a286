"""A thousand poles at a real server: its broker wiped, and everything silenced at once."""

import asyncio
import shutil
import time

from chaos.fleet_site import Site, site
from chaos.frame import Outcome, Row, Scale
from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.fleet.pole import Pole
from firmware_bridge.fleet.summary import percentiles
from loudspeaker.demo.district import Size

NODES = 300
"""Of the short form; the long one has a thousand."""
CONVERGED_S = 60.0
SILENT_S = 3.0
SOON_S = 60.0
FIRST_S = 150.0
"""How long all may take to hold their first order: everything is fetched then."""


def broker_wiped(scale: Scale) -> Outcome:
    """Killed with all it had, while a programme is taken back: every pole holds the new order, and airs no old one."""
    return asyncio.run(_broker_wiped(scale.pick(NODES, 1000), scale.seed))


async def _broker_wiped(nodes: int, seed: int) -> Outcome:
    async with site(Size(nodes, programmes=8), seed=seed) as one:
        await _all_here(one)
        programme = (await one.ask("GET", "/api/v1/programmes"))[0]
        before = one.orders()
        one.kill_broker()
        shutil.rmtree(one.settings.data / "broker", ignore_errors=True)
        began = time.monotonic()
        await one.ask("DELETE", f"/api/v1/programmes/{programme['id']}?revision={programme['revision']}")
        await one.until(lambda pole, orders: orders[pole.node] != before[pole.node], CONVERGED_S)
        await one.converged(CONVERGED_S * 2)
        took = time.monotonic() - began
        late = sum(pole.state.seen != one.orders()[pole.node] for pole in one.fleet.poles)
        late = late if took <= CONVERGED_S else max(late, 1)
        stale = sum(map(stale_plays, one.fleet.poles))
        summary = one.fleet.summary()
        return Outcome(nodes, late + stale, f"all converged after {took:.0f} s, {stale} stale plays, "
                                            f"{summary.unreceipted} entries not receipted")


def stale_plays(pole: Pole) -> int:
    """Broadcasts begun that the order held then does not list."""
    count, listed = 0, set[str]()
    orders = iter(pole.seen.listed)
    for entry in pole.disk.entries():
        if entry.kind == EntryKind.ORDER_ACCEPTED:
            listed = next(orders)
        elif entry.kind == EntryKind.PLAY_START:
            count += entry.broadcast not in listed
    return count


def everything_stopped(scale: Scale) -> Outcome:
    """The stop is pressed while all poles are on air: how long until the last is silent."""
    return asyncio.run(_everything_stopped(scale.pick(NODES, 1000), scale.seed))


async def _everything_stopped(nodes: int, seed: int) -> Outcome:
    async with site(Size(nodes, programmes=1, seconds=3600.0, soon=SOON_S), seed=seed) as one:
        await _all_here(one)
        await one.fleet.until(lambda pole: pole.player.sounds, SOON_S + 30.0)
        playing = sum(pole.player.sounds for pole in one.fleet.poles)
        pressed = one.fleet.moment().mono
        await one.ask("POST", "/api/v1/stop", json={"scope": "all", "active": True, "confirm": True})
        await one.fleet.until(lambda pole: not pole.player.sounds, 30.0)
        silent = [pole.player.heard[-1].ends - pressed for pole in one.fleet.poles if pole.player.heard]
        late = sum(seconds > SILENT_S for seconds in silent) + nodes - len(silent)
        allowed = nodes // 100
        times = percentiles(silent)
        return Outcome(playing, max(0, late - allowed),
                       f"silent after p50 {times['p50']:.2f} s, p99 {times['p99']:.2f} s, last {times['max']:.2f} s")


async def _all_here(one: Site) -> None:
    if await one.converged(FIRST_S) is None:
        raise RuntimeError(f"not all poles came: {one.fleet.summary().line()}")


ROWS = (
    Row("faults", "Broker killed, its data wiped", "1,000 poles hold order and trust within 60 s, nothing stale airs",
        broker_wiped),
    Row("faults", "Emergency stop", "1,000 poles on air are silent, p99 within 3 s", everything_stopped),
)
