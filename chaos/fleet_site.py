"""A district of real size: a real server with its broker, each a process of its own, and a fleet of all its poles."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from chaos.served import Served, free_port
from firmware_bridge.fleet.line import Line
from firmware_bridge.fleet.pole import Pole
from firmware_bridge.fleet.running import Fleet
from firmware_bridge.wire import Backoff
from loudspeaker.conductor.opening import open_house
from loudspeaker.database import Database
from loudspeaker.demo.district import District, Size, make_district
from loudspeaker.orders.models import Order
from loudspeaker.settings import Settings

MOBILE = Line(latency_s=0.04, jitter_s=0.06, loss=0.005)
"""A 4G line on an ordinary day."""
LOOK_S = 0.25


@dataclass
class Site:
    """What runs. All times are seconds."""

    settings: Settings
    district: District
    served: Served
    fleet: Fleet
    database: Database

    def broker_pid(self) -> int:
        """The process of the server's own broker. Raises LookupError."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(self.settings.data / "broker").encode() in b" ".join(words) and b"nats-server" in words[0]:
                return int(folder.name)
        raise LookupError("the broker does not run")

    def kill_broker(self) -> None:
        """As a crash would."""
        os.kill(self.broker_pid(), signal.SIGKILL)

    async def ask(self, method: str, path: str, **given: Any) -> Any:
        """A request to the server's API, as the editor; the answer's JSON. Raises RuntimeError on a refusal."""
        answer = await asyncio.to_thread(lambda: self.served.client.request(method, path, **given))
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    def orders(self) -> dict[str, tuple[int, int]]:
        """The newest order of each node, as the database has it."""
        with self.database.read() as session:
            return {node: (epoch, version) for node, epoch, version in session.exec(
                select(col(Order.node_id), col(Order.epoch), col(Order.version)))}

    async def converged(self, seconds: float) -> float | None:
        """Wait until every pole holds its newest order and trust, and nothing is left to receipt; the seconds it took.

        None when that is more than `seconds`.
        """
        return await self.until(lambda pole, orders: (
            pole.state.link.up and pole.state.seen == orders.get(pole.node) and pole.state.trust.approvers is not None
            and pole.state.journal.last == pole.state.link.receipted), seconds)

    async def until(self, good: Callable[[Pole, dict[str, tuple[int, int]]], bool], seconds: float) -> float | None:
        """Wait until all poles are `good` beside the newest orders; the seconds it took, None when more."""
        began = time.monotonic()
        while True:
            orders = await asyncio.to_thread(self.orders)
            if len(orders) == len(self.fleet.poles) and all(good(pole, orders) for pole in self.fleet.poles):
                return time.monotonic() - began
            if time.monotonic() - began > seconds:
                return None
            await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def site(size: Size, line: Line = MOBILE, within_s: float = 10.0, seed: int = 0) -> AsyncIterator[Site]:
    """Everything started; it lives as long as the block."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        folder = Path(name)
        settings = Settings(data=folder / "data", port=free_port(), broker_port=free_port())
        district = await asyncio.to_thread(_made, settings, size)
        served = Served(settings.data, token=district.token, port=str(settings.port),
                        broker_port=str(settings.broker_port))
        database = Database(settings.database)
        fleet = Fleet(district.configs, line=line, seed=seed, backoff=Backoff(cap_s=10.0))
        try:
            await asyncio.to_thread(served.ready)
            fleet.start(within_s)
            yield Site(settings, district, served, fleet, database)
        finally:
            await fleet.stop()
            database.close()
            await asyncio.to_thread(served.stop)


def _made(settings: Settings, size: Size) -> District:
    with open_house(settings) as house:
        today = house.now().replace(hour=17, minute=0, second=0, microsecond=0) - timedelta(days=1)
        return make_district(house, size, today, settings.broker_port)
