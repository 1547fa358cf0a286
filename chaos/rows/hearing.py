"""The self-test's ear, by wav loop-back with noise."""

import numpy as np

from chaos.frame import Outcome, Row, Scale
from chaos.horn import World, through
from firmware_bridge.node.hearing import RATE, Verdict, compare, listen, reference_of, tones

GAINS = {Verdict.GOOD: 0.0, Verdict.WEAK: -12.0, Verdict.SILENT: None}
"""dB under the reference."""
SNR_DB = (20.0, 10.0, 6.0, 3.0, 0.0)


def told_apart(scale: Scale) -> Outcome:
    """Good, 12 dB weak and silent, at noise from a tenth of the tones to as strong as they are."""
    played = np.concatenate([np.zeros(RATE), np.array(tones(), float), np.zeros(RATE)])
    reference = reference_of(listen(through(played, 0.0, World(scale.seed, 40.0), RATE)))
    runs = scale.pick(100, 1000)
    wrong: list[str] = []
    for expected, gain in GAINS.items():
        for run in range(runs):
            world = World(scale.seed + run, SNR_DB[run % len(SNR_DB)])
            verdict = compare(reference, listen(through(played, gain, world, RATE))).verdict
            if verdict is not expected:
                wrong.append(f"{expected} heard as {verdict}")
    return Outcome(runs * len(GAINS), len(wrong), "; ".join(wrong[:3]) or f"{runs} of each, noise 0 to 20 dB below")


ROWS = (Row("faults", "Loudspeaker weak or dead", "the self-test tells good, 12 dB weak and silent apart", told_apart),)
