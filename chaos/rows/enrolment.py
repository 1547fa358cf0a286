"""Who would become a pole with somebody else's token, stay one with stolen credentials, or be one twice."""

import random
import tempfile
from collections import Counter
from pathlib import Path

from chaos.enrolment import Clock, alarms, cut_off_s, doubled, lonely, site, try_token
from chaos.frame import Outcome, Row, Scale

CUT_OFF_S = 60.0


def tokens(scale: Scale) -> Outcome:
    """Tokens used twice, late, after being cancelled, guessed, altered, without the key, elsewhere."""
    chance, clock = random.Random(scale.seed), Clock()
    tried: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    with site(clock) as at:
        for _ in range(scale.pick(150, 5000)):
            what, broken = try_token(at, clock, chance)
            tried[what] += 1
            bad[what] += broken
    broken_ones = ", ".join(what for what, count in bad.items() if count)
    return Outcome(tried.total(), bad.total(), broken_ones or f"{len(tried)} ways")


def stolen_credentials(scale: Scale) -> Outcome:
    """Logins of cut-off poles at the embedded broker, over TLS."""
    with tempfile.TemporaryDirectory() as folder, site(tls="own") as at:
        took = [cut_off_s(at, Path(folder), CUT_OFF_S) for _ in range(scale.pick(5, 50))]
    return Outcome(len(took), sum(one > CUT_OFF_S for one in took), f"out after at most {max(took):.2f} s")


def clones(scale: Scale) -> Outcome:
    """Lives of one machine (no alarm) and of two under one name (an alarm)."""
    chance = random.Random(scale.seed)
    number = scale.pick(10_000, 100_000)
    false = sum(alarms(lonely(chance)) for _ in range(number))
    missed = sum(not alarms(doubled(chance)) for _ in range(number))
    return Outcome(2 * number, false + missed, f"{missed} of {number} clones missed, {false} false alarms")


ROWS = (
    Row("attacks", "Stolen, late and guessed enrolment tokens", "0 strangers become a pole", tokens),
    Row("attacks", "Stolen credentials, cut off", "out of the broker within 60 s, for good", stolen_credentials),
    Row("attacks", "A copied controller", "seen when the first comes back; a single one never", clones),
)
