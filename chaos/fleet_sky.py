"""The server on the virtual clock of a fleet: real database, ingest, orders, publishing and rounds, without threads."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlmodel import col, select

from firmware_bridge.bridge.server import Bridge
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.fleet.sky import Member, Nature, Sky
from firmware_bridge.fleet.world import Act, World
from firmware_bridge.node.effects import Want
from firmware_bridge.node.inputs import OnDisk
from firmware_bridge.wire import Address
from loudspeaker.approvals.service import statements_of
from loudspeaker.conductor.commands import ALL, stop
from loudspeaker.conductor.house import House
from loudspeaker.conductor.intake import Intake
from loudspeaker.conductor.jobs import Rounds
from loudspeaker.conductor.opening import open_house
from loudspeaker.conductor.publish import Publisher
from loudspeaker.demo.district import District, Size, make_district
from loudspeaker.demo.sample import acting
from loudspeaker.nodes.models import Node
from loudspeaker.orders.models import Order
from loudspeaker.settings import Settings

EVENING = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
"""23:00 in Việt Nam: nothing is on air for some hours."""
MIDNIGHT = EVENING + timedelta(hours=1)
TICK_S, HEALTH_S, SWEEP_S = 1.0, 5.0, 30.0
POWERED_S = 30.0
"""Within this all poles are switched on."""
AT_ONCE = 2000
"""Messages that one round takes in."""
NOWHERE = Address("sky", 1, "server", "", "")


class Conductor:
    """One server process from `start` to `stop`; what it kept is in the house."""

    def __init__(self, house: House, sky: Sky) -> None:
        self._house, self._sky, self._is_up = house, sky, False
        house.bridge = self.bridge = Bridge(
            NOWHERE, house.site, house.keys.server, self._key_of, house.now, make_link=sky.make_link,
            draw=sky.world.chance.random)
        self.publisher = Publisher(house, self.bridge)
        self.intake = Intake(house, self.bridge)
        self._rounds = Rounds(house, self.bridge)
        house.nudge = self._rebuild_soon
        with house.database.read() as session:
            self._keys = dict(session.exec(select(col(Node.id), col(Node.public_key))).all())

    def start(self) -> None:
        """Serve."""
        self._is_up = True
        self.bridge.start()
        self.publisher.rebuild()
        self.publisher.resume()
        self._every(TICK_S, self._tick)
        self._every(HEALTH_S, self._rounds.health)
        self._every(SWEEP_S, self._rounds.sweep)

    def stop(self) -> None:
        """End; nothing is heard any more."""
        self._is_up = False
        self.bridge.stop()

    def _every(self, seconds: float, act: Act) -> None:
        def again() -> None:
            if self._is_up:
                act()
                self._sky.world.after(seconds, again)

        self._sky.world.after(seconds, again)

    def _tick(self) -> None:
        self.intake.take(self.bridge.drain(AT_ONCE, 0.0, 0.0).received)
        self.publisher.send_due()

    def _rebuild_soon(self) -> None:
        self._sky.world.after(0.1, self._rebuild)

    def _rebuild(self) -> None:
        if self._is_up:
            self.publisher.rebuild()
            self.publisher.send_due()

    def _key_of(self, node: str) -> str | None:
        return self._keys.get(node)


class Stock:
    """Recordings with their statements, as the server would give them."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._known: dict[str, tuple[Envelope, ...]] = {}

    def __call__(self, want: Want) -> OnDisk | None:
        if want.sha256 not in self._known:
            with self._house.database.read() as session:
                self._known[want.sha256] = tuple(statements_of(session, want.sha256))
        return OnDisk(want.sha256, want.bytes or 0, self._known[want.sha256])


@dataclass
class Commune:
    """A district under the sky. `conductor` is the server process that runs, or ran last."""

    house: House
    district: District
    sky: Sky
    conductor: Conductor

    @property
    def world(self) -> World:
        """The clock."""
        return self.sky.world

    @property
    def members(self) -> list[Member]:
        """The poles."""
        return self.sky.members

    def orders(self) -> dict[str, tuple[int, int]]:
        """The newest order of each node, as the database has it."""
        with self.house.database.read() as session:
            return {node: (epoch, version) for node, epoch, version in session.exec(
                select(col(Order.node_id), col(Order.epoch), col(Order.version)))}

    def is_settled(self) -> bool:
        """Whether every pole holds its newest order, all recordings, and has nothing left to tell."""
        orders = self.orders()
        return all(one.pole.state.seen == orders.get(one.pole.node) and not one.pole.wants
                   and one.pole.state.journal.last == one.pole.state.link.receipted for one in self.members)

    def settle(self, seconds: float) -> float:
        """Let time pass until all is settled; how many seconds. Raises RuntimeError after `seconds`."""
        began = self.world.seconds
        while not self.is_settled():
            if self.world.seconds - began > seconds:
                raise RuntimeError(f"not settled after {seconds:.0f} s")
            self.world.run_for(1.0)
        return self.world.seconds - began

    def press_stop(self) -> None:
        """Stop everything, as the editor does."""
        with self.house.database.work() as session:
            actor = acting(session, self.house, self.district.people["hoa"])
            stop(session, actor, self.world.now, self.house, ALL, True)

    def restart(self) -> None:
        """A new server process on the same data."""
        self.conductor = Conductor(self.house, self.sky)
        self.conductor.start()


@contextmanager
def commune(size: Size, nature: Nature, seed: int = 0, begins: datetime = EVENING) -> Iterator[Commune]:
    """Server and poles are up, all holds what it should, and it is `begins` and some minutes."""
    world = World(begins, seed)
    with tempfile.TemporaryDirectory(prefix="sky-") as folder:
        settings = Settings(data=Path(folder) / "data")
        with open_house(settings, lambda: world.now) as house:
            district = make_district(house, size, MIDNIGHT)
            sky = Sky(world, district.configs, nature, Stock(house))
            made = Commune(house, district, sky, Conductor(house, sky))
            made.conductor.start()
            sky.power_on(POWERED_S)
            world.run_for(POWERED_S)
            made.settle(1800.0)
            yield made
            made.conductor.stop()
