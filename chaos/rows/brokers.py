"""Brokers killed, wiped, replaced, and one of two gone for good, while journals come in."""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from chaos.frame import Outcome, Row
from chaos.under_load import Load, under_load
from firmware_bridge.bridge.broker import (
    Admin,
    Broker,
    EmbeddedMosquitto,
    EmbeddedNats,
    Mosquitto,
    MosquittoProcess,
    SeveralBrokers,
)

SETTLED_S = 60.0
ADMIN = Admin("admin", "chaos-admin-password")


def wiped(make: Callable[[Path, str], EmbeddedNats | EmbeddedMosquitto], kills: int, poles: int,
          between_s: float) -> Outcome:
    """SIGKILL; each start finds nothing of the one before."""
    with tempfile.TemporaryDirectory() as folder:
        made: list[EmbeddedNats | EmbeddedMosquitto] = []

        def broker(site: str) -> Broker:
            made.append(make(Path(folder) / "broker", site))
            return made[0]

        with under_load(Path(folder), broker, poles) as load:
            for _ in range(kills):
                time.sleep(between_s)
                kill(made[0])
            return _settled(load, f"{kills} kills")


def replaced(kills: int, poles: int, between_s: float) -> Outcome:
    """Somebody else's Mosquitto comes back without a single user: the server puts them back."""
    with tempfile.TemporaryDirectory() as folder:
        foreign: list[MosquittoProcess] = []

        def broker(site: str) -> Broker:
            foreign.append(process := MosquittoProcess(Path(folder) / "broker", site, ADMIN))
            process.start()
            return Mosquitto(process.address, site, ADMIN)

        with under_load(Path(folder), broker, poles) as load:
            for _ in range(kills):
                time.sleep(between_s)
                kill(foreign[0])
            seen = _settled(load, f"{kills} times replaced")
        foreign[0].stop()
        return seen


def one_gone(poles: int, between_s: float) -> Outcome:
    """Of two independent brokers either one ends for good; its poles go on at the other."""
    outcomes = [_one_gone(gone, poles, between_s) for gone in (0, 1)]
    return Outcome(sum(one.n for one in outcomes), sum(one.bad for one in outcomes),
                   "; ".join(one.note for one in outcomes))


def _one_gone(gone: int, poles: int, between_s: float) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        two: list[Broker] = []

        def broker(site: str) -> Broker:
            two.extend(EmbeddedNats(Path(folder) / f"broker-{at}", site) for at in range(2))
            return SeveralBrokers(two)

        with under_load(Path(folder), broker, poles) as load:
            time.sleep(between_s)
            two[gone].stop()
            time.sleep(between_s)
            return _settled(load, f"without broker {gone + 1}")


def kill(broker: EmbeddedNats | EmbeddedMosquitto | MosquittoProcess) -> None:
    """As a power cut would; waits while it is not there."""
    deadline = time.monotonic() + 20
    while (pid := broker.pid) is None:
        if time.monotonic() > deadline:
            raise RuntimeError("the broker did not come back")
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)


def _settled(load: Load, what: str) -> Outcome:
    took = load.settle(SETTLED_S)
    written = sum(one.written for one in load.poles)
    return Outcome(written, load.broken(), f"{what}, {len(load.poles)} poles, all receipted after {took:.0f} s")


ROWS = (
    Row("faults", "Broker wiped under load, embedded NATS", "every journal entry stored once, then receipted",
        lambda scale: wiped(lambda folder, site: EmbeddedNats(folder, site), scale.pick(3, 50), 20, 4.0)),
    Row("faults", "Broker wiped under load, Mosquitto", "every journal entry stored once, then receipted",
        lambda scale: wiped(lambda folder, site: EmbeddedMosquitto(folder, site), scale.pick(3, 50), 20, 4.0)),
    Row("faults", "Broker replaced by an empty one under load", "its users are put back; nothing receipted is lost",
        lambda scale: replaced(scale.pick(3, 50), 20, 4.0)),
    Row("faults", "One of two brokers gone for good", "its poles go on at the other; nothing is lost",
        lambda scale: one_gone(scale.pick(20, 100), scale.pick(4, 30))),
)
