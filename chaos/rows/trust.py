"""Attacks on who is believed: forged documents, TUF's list, a stolen server key, one insider."""

import random
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from fastapi.testclient import TestClient

from chaos import forgeries
from chaos.attacks import ATTACKS, killed, unharmed
from chaos.forgeries import accepts, alter, kinds
from chaos.frame import Outcome, Row, Scale
from chaos.hostile import SOUND_S, listen_to
from chaos.insider import Insider
from chaos.robbery import recovers
from firmware_bridge.contract.topics import Down
from loudspeaker.app import create_app
from loudspeaker.settings import Settings
from loudspeaker.users.models import Role
from tests.firmware_bridge.builders import NOON
from tests.firmware_bridge.node.pole import Pole
from tests.loudspeaker.builders import SetClock

AGENT_EVERY = 20
"""Of the altered documents, one in so many goes through the whole agent as well."""


def forged(scale: Scale) -> Outcome:
    """Alterations of every type of document: the reader believes none, the agent changes nothing and never fails."""
    draw, every, bad = random.Random(scale.seed), kinds(), 0
    count = scale.pick(12_000, 100_000)
    pole, through = _quiet_pole(), 0
    for number in range(count):
        kind = every[number % len(every)]
        raw = alter(draw, kind, every)
        bad += accepts(kind, raw)
        if number % AGENT_EVERY == 0:
            through += 1
            before = _believed(pole)
            pole.receive(raw, kind.topic or Down.TRUST)
            if _believed(pole) != before:
                bad, pole = bad + 1, _quiet_pole()
    return Outcome(count, bad, f"{len(every)} types; {through:,} through the whole agent")


def repository_attacks(scale: Scale) -> Outcome:
    """Each attack with and without a kill in between."""
    rounds = scale.pick(1, 20)
    failed = [f"{attack.__name__}{' (killed)' if kill is killed else ''}"
              for _ in range(rounds) for attack in ATTACKS for kill in (unharmed, killed) if not attack(kill)]
    return Outcome(rounds * len(ATTACKS) * 2, len(failed), ", ".join(failed[:5]) or f"{len(ATTACKS)} attacks")


def stolen_server_key(scale: Scale) -> Outcome:
    """Poles that a thief holds in every way the key allows; one root by the offline keys, and they air on time."""
    draw, count = random.Random(scale.seed), scale.pick(20, 500)
    bad = sum(not recovers(ntp=draw.random() < 0.5, killed=draw.random() < 0.5,
                           ahead=timedelta(minutes=draw.randint(10, 120))) for _ in range(count))
    return Outcome(count, bad, "without a visit, with and without kills and NTP")


def stolen_server(scale: Scale) -> Outcome:
    """Cold and live: what poles let be heard, by their wav, while a thief orders eight sounds that nobody approved."""
    poles = scale.pick(10, 20)
    with tempfile.TemporaryDirectory() as cold, tempfile.TemporaryDirectory() as live, ThreadPoolExecutor(2) as both:
        runs = [both.submit(listen_to, poles, Path(folder), folder is live) for folder in (cold, live)]
        heard = [one for run in runs for one in run.result()]
    bad = sum(one.unapproved_s > 0 or one.approved_s < SOUND_S / 2 for one in heard)
    return Outcome(len(heard), bad, f"{sum(one.unapproved_s for one in heard):.1f} s unapproved and "
                                    f"{sum(one.approved_s for one in heard):.0f} s approved audio heard")


def one_insider(scale: Scale) -> Outcome:
    """A person with every pair of roles tries to air what nobody else has heard: nothing is approved."""
    roles, bad, tried = list(Role), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        clock = SetClock()
        app = create_app(Settings(data=Path(folder), site="xa-minh-tan", disk_floor_bytes=0), clock, connected=False)
        with TestClient(app):
            insider = Insider(app, clock)
            for first in roles:
                for second in roles:
                    tried += 1
                    bad += insider.gets_something_approved_alone({first, second})
    return Outcome(tried, bad, f"{len(roles)} × {len(roles)} pairs of roles, on the server and on a pole")


def _quiet_pole() -> Pole:
    return Pole(forgeries.HELD).ready()


def _believed(pole: Pole) -> tuple[object, ...]:
    state = pole.state
    return (state.trust, state.order, state.seen, state.stop, state.volume, state.commands, state.link.receipted,
            state.time.samples, NOON)


ROWS = (
    Row("attacks", "Forged, altered, truncated documents", "none is accepted, nothing crashes", forged),
    Row("attacks", "Replay, rollback, swap, freeze, fast-forward, laundering", "none succeeds, also after kills",
        repository_attacks),
    Row("attacks", "Stolen server key, key epoch", "every pole is back without a visit", stolen_server_key),
    Row("attacks", "Stolen server, cold and live", "0 seconds of unapproved audio", stolen_server),
    Row("attacks", "One insider", "nobody approves alone, whatever the roles", one_insider),
)
