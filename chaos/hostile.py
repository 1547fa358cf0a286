"""A server in a thief's hands, with all its keys; and poles that write down what they let be heard."""

import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from firmware_bridge.contract.documents import AirClass, TrustBundle
from firmware_bridge.contract.envelope import Envelope, to_dict
from firmware_bridge.contract.topics import Down, of_node
from firmware_bridge.node.amplifier import NullAmplifier
from firmware_bridge.node.clocks import moment
from firmware_bridge.node.fetching import open_client
from firmware_bridge.node.inputs import Message
from firmware_bridge.node.players import Desk, WavSink
from firmware_bridge.node.runner import Runner
from firmware_bridge.node.timekeeping import Moment
from tests.firmware_bridge.builders import (
    COMMUNE,
    NODE,
    SITE,
    Commune,
    approved,
    broadcast,
    by_server,
    config,
    key,
    order,
    statement,
)
from tests.firmware_bridge.node.depot import Depot, serving, tone

GOOD_HZ, EVIL_HZ = 440, 1500
SOUND_S = 2.0
READY_S = 35.0
"""How long poles have to fetch and verify before the first thing is to air."""
WINDOW_S = 0.05
LOUD = 0.02


@dataclass(frozen=True)
class Heard:
    """Seconds with sound on one pole."""

    approved_s: float
    unapproved_s: float


def listen_to(poles: int, folder: Path, live: bool) -> list[Heard]:
    """What `poles` let be heard that knew whom to believe before the thief came.

    `live`: the server turns hostile while they run; else they start again and find it so.
    """
    start = datetime.now(UTC) + timedelta(seconds=READY_S)
    commune = Commune(issued=start - timedelta(days=1))
    wavs = [folder / f"{number}.wav" for number in range(poles)]
    with serving(Depot()) as depot, ExitStack() as runs:
        good = _sound(depot, folder, GOOD_HZ)
        depot.statements[good] = (_approved(good, depot, start),)
        depot.documents = {"trust": commune.bundle(), "order": _order(depot, start, 1, good)}
        with ExitStack() as before:
            runners = [(runs if live else before).enter_context(_running(depot, wav, commune)) for wav in wavs]
            _wait(lambda: all(one.state.trust.policies for one in runners), start)
            _turn_hostile(depot, folder, commune, start, good)
        if live:
            for runner in runners:
                for kind in (Down.TRUST, Down.ORDER):
                    runner.report(Message(of_node(SITE, NODE, kind), depot.documents[kind.value]))
        else:
            runners = [runs.enter_context(_running(depot, wav, commune)) for wav in wavs]
        time.sleep(max(0.0, (start - datetime.now(UTC)).total_seconds()) + 12 * SOUND_S)
        ordered = sum(one.state.seen == (1, 2) for one in runners)
    if ordered < poles:
        raise RuntimeError(f"the thief's order reached {ordered} of {poles} poles")
    return [_heard(wav) for wav in wavs]


def _wait(met: Callable[[], object], until: datetime) -> None:
    while not met():
        if datetime.now(UTC) > until:
            raise RuntimeError("the poles were not ready in time")
        time.sleep(0.1)


def _turn_hostile(depot: Depot, folder: Path, commune: Commune, start: datetime, good: str) -> None:
    """Sounds that nobody approved, each with another claim to be approved, before and after the good one."""
    evil = [_sound(depot, folder, EVIL_HZ + 10 * number) for number in range(8)]
    lie = statement(evil[0], duration_ms=_ms(SOUND_S), size=len(depot.recordings[evil[0]]),
                    issued=start - timedelta(hours=1))
    true = _approved(good, depot, start)
    claims: list[tuple[Envelope, ...]] = [
        (), (lie.model_copy(update={"recording": evil[1]}).sign(key("server")),),
        (_approved(evil[2], depot, start, "thief"),), (true,),
        (replace(true, payload=true.payload.replace(good.encode(), evil[4].encode())),),
        (_approved(evil[5], depot, start, "hoa", author="hoa"),),
        (_approved(evil[6], depot, start, valid_until=start - timedelta(minutes=1)),),
        (_approved(evil[7], depot, start, place="elsewhere"),)]
    for name, claim in zip(evil, claims, strict=True):
        depot.statements[name] = claim
    thieves = commune.but(version=9, approvers=(("thief", "thief", SITE),))
    depot.documents = {
        "trust": TrustBundle(root=to_dict(thieves.root().sign(key("server"))),
                             approvers=to_dict(thieves.approver_list().sign(key("server"))),
                             policies=(to_dict(thieves.policy(COMMUNE).sign(key("server"))),)).to_bytes(),
        "order": _order(depot, start, 2, evil[0], *evil[1:4], good, *evil[4:])}


def _order(depot: Depot, start: datetime, version: int, *names: str) -> bytes:
    begins = [start + timedelta(seconds=(SOUND_S + 0.25) * number) for number in range(len(names))]
    planned = [broadcast(f"b{number}-{name[:8]}", at, name, latest_s=2,
                         air_class=AirClass.EMERGENCY if number == 1 else AirClass.ORDINARY)
               for number, (at, name) in enumerate(zip(begins, names, strict=True))]
    return by_server(order(*planned, version=version, issued=datetime.now(UTC) - timedelta(seconds=1),
                           lengths=dict.fromkeys(names, _ms(SOUND_S)),
                           sizes={one: len(depot.recordings[one]) for one in names}))


def _approved(name: str, depot: Depot, start: datetime, *signers: str, **more: object) -> Envelope:
    return approved(name, *signers, size=len(depot.recordings[name]), duration_ms=_ms(SOUND_S),
                    issued=start - timedelta(hours=1), **more)


def _sound(depot: Depot, folder: Path, hertz: int) -> str:
    return depot.add(tone(folder / f"{hertz}.ogg", SOUND_S, hertz))


@contextmanager
def _running(depot: Depot, wav: Path, commune: Commune) -> Iterator[Runner]:
    settings = config(depot.url, 9, commune)
    with open_client(settings.server, settings.api_token) as client:
        runner = Runner(settings, wav.with_suffix(""), Desk(WavSink(wav)), NullAmplifier(), client, _synchronised)
        thread = threading.Thread(target=runner.run)
        thread.start()
        try:
            yield runner
        finally:
            runner.stop()
            thread.join()


def _synchronised() -> Moment:
    shown = moment()
    return Moment(shown.wall, shown.mono, 0.005)


def _heard(wav: Path) -> Heard:
    """By pitch: what was approved is low, all else is high."""
    if not wav.exists():
        return Heard(0.0, 0.0)
    with wave.open(str(wav)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(float) / 32768
    size = int(rate * WINDOW_S)
    windows = samples[:len(samples) // size * size].reshape(-1, size)
    loud = windows[np.sqrt((windows**2).mean(axis=1)) > LOUD]
    strongest = np.abs(np.fft.rfft(loud * np.hanning(size), axis=1)).argmax(axis=1) / WINDOW_S
    low = int((strongest < (GOOD_HZ + EVIL_HZ) / 2).sum())
    return Heard(low * WINDOW_S, (len(loud) - low) * WINDOW_S)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
