"""The server's own misfortunes: killed, doubled, restored from an old copy, out of disk."""

import random
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import select

from chaos.frame import Outcome, Row, Scale
from chaos.pole import RealPole
from chaos.served import DidNotStartError, Served, free_port
from chaos.writers import TOKEN, Acknowledged, Commune, Editor, Pole, lost
from loudspeaker.conductor.opening import open_house
from loudspeaker.database import Database
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.orders.models import Order
from loudspeaker.playbacks.models import JournalMark
from loudspeaker.settings import Settings

BACK_S = 10.0
"""A killed server is healthy again within this."""


def kills(scale: Scale) -> Outcome:
    """SIGKILL at a random moment while two editors and a pole write; nothing acknowledged may be missing after."""
    draw, count = random.Random(scale.seed), scale.pick(8, 500)
    bad, slowest = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        commune, noted = Commune.make(Path(folder) / "data"), Acknowledged()
        pole = Pole(commune, noted)
        for _ in range(count):
            server = Served(commune.data, token=TOKEN).ready()
            slowest = max(slowest, server.started_s)
            editors = [Editor(server, commune, noted, name) for name in ("một", "hai")]
            pole.join(server)
            for editor in editors:
                editor.start()
            time.sleep(draw.uniform(0.3, 1.5))
            server.kill()
            pole.leave()
            for editor in editors:
                editor.ended.set()
                editor.join(15)
            bad += bool(lost(commune.data, commune, noted)) or server.started_s > BACK_S
    return Outcome(count, bad, f"{len(noted.bulletins):,} writes and {noted.receipted:,} journal entries acknowledged, "
                               f"back after {slowest:.1f} s at most")


def two_servers(scale: Scale) -> Outcome:
    """A second one is refused; a frozen leader that was overtaken ends when it wakes."""
    count, bad = scale.pick(1, 20), 0
    for _ in range(count):
        with tempfile.TemporaryDirectory() as folder:
            first, second = Path(folder) / "first", Path(folder) / "second"
            Commune.make(first)
            shutil.copytree(first, second)
            bad += not _one_leads(first, second, f"sqlite:///{first / 'loudspeaker.db'}")
    return Outcome(2 * count, bad, "the second is told who leads; the frozen one wakes up powerless")


def _one_leads(first: Path, second: Path, database: str) -> bool:
    leader = Served(first, database_url=database).ready()
    try:
        Served(second, database_url=database).ready()
    except DidNotStartError as said:
        refused = "another server works on this database" in " ".join(str(said).split())
    else:
        refused = False
    leader.process.send_signal(signal.SIGSTOP)
    follower = Served(second, database_url=database).ready()
    leader.process.send_signal(signal.SIGCONT)
    leader.wait()
    alone = follower.process.poll() is None and follower.client.get("/healthz").status_code == 200
    follower.kill()
    return refused and alone


def restores(scale: Scale) -> Outcome:
    """An older copy of everything is put back: the pole tells the lost journal again and takes a higher order."""
    count = scale.pick(1, 20)
    bad = sum(not _comes_back(scale.seed + number) for number in range(count))
    return Outcome(count, bad, "the journal comes again from the copy's own mark; the order is newer than the lost one")


def _comes_back(seed: int) -> bool:
    ports = {"port": str(free_port()), "broker_port": str(free_port())}
    with tempfile.TemporaryDirectory() as folder:
        data, copy = Path(folder) / "data", Path(folder) / "copy"
        commune = Commune.make(data)
        pole = RealPole(commune, Path(folder) / "pole", f"http://127.0.0.1:{ports['port']}", int(ports["broker_port"]))
        try:
            server = Served(data, **ports).ready()
            first = settled(data, Standing())
            server.stop()
            shutil.copytree(data, copy)
            with open_house(Settings(data=data)) as house, house.database.work() as session:
                session.get_one(Node, commune.node).volume = 31 + seed % 50
            server = Served(data, **ports).ready()
            lost_time = settled(data, first)
            server.kill()
            shutil.rmtree(data)
            shutil.copytree(copy, data)
            server = Served(data, **ports).ready()
            back = settled(data, Standing(lost_time.order, lost_time.journal - 1))
            server.stop()
        finally:
            pole.kill()
    return back.order > lost_time.order > first.order and back.journal >= lost_time.journal > first.journal


@dataclass(frozen=True)
class Standing:
    """How far a pole has come, as its server knows it."""

    order: int = 0
    journal: int = 0


def settled(data: Path, beyond: Standing) -> Standing:
    """Once the pole holds the newest order and its journal is stored, both beyond `beyond`; else after a minute."""
    until = time.monotonic() + 60
    seen = Standing()
    database = Database(Settings(data=data).database)
    try:
        while time.monotonic() < until:
            with database.read() as session:
                held = session.exec(select(NodeState.held_version)).one()
                newest = session.exec(select(Order.version)).first()
                seen = Standing(held, session.exec(select(JournalMark.seq)).first() or 0)
            if held == newest and seen.order > beyond.order and seen.journal > beyond.journal:
                break
            time.sleep(0.2)
    finally:
        database.close()
    return seen


ROWS = (
    Row("faults", "Restore from backup", "works, versions never reused", restores),
    Row("faults", "Server kill -9", "acknowledged writes kept, back ≤ 10 s", kills),
    Row("faults", "Two servers by mistake", "one leads, by a lease with a fence", two_servers),
)
