"""Clocks that are wrong in every way."""

from chaos import clocks
from chaos.frame import Outcome, Row, Scale


def _lied_to(scale: Scale) -> Outcome:
    result = clocks.run(scale.pick(10_000, 100_000), scale.seed)
    note = f"{result.heard:,} broadcasts heard by the true time"
    return Outcome(result.steps, len(result.broken) + (result.heard == 0),
                   note + "".join(f"; {one}" for one in result.broken[:3]))


ROWS = (Row("faults", "Clock at 1970, stepped by seconds to years, drifting 2/20/50 ppm",
            "no wrong-time play, no repeat, no burst", _lied_to),)
