"""Kills of a pole's program at every named crash point."""

from chaos import kills
from chaos.frame import Outcome, Row, Scale


def _killed(scale: Scale) -> Outcome:
    result = kills.run(scale.pick(500, 5000), scale.seed)
    points = sum(1 for count in result.kills.values() if count)
    fewest = min(result.kills[point] for point in kills.POINTS)
    note = f"{points} crash points, each ≥ {fewest} times"
    return Outcome(result.kills.total(), len(result.broken) + (points < len(kills.POINTS)),
                   note + "".join(f"; {one}" for one in result.broken[:3]))


ROWS = (Row("faults", "Node kill -9 at every crash point", "one terminal row, no replay, no gap", _killed),)
