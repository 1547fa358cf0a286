"""A link that doubles, shuffles and loses what nodes tell."""

from chaos import disorder
from chaos.frame import Outcome, Row, Scale


def _disordered(scale: Scale) -> Outcome:
    seen = disorder.run(10_000, scale.seed)
    return Outcome(seen.playbacks, seen.lost + seen.double,
                   f"{seen.messages:,} messages; {seen.lost} lost, {seen.double} double")


ROWS = (Row("faults", "Duplicates, reordering, loss", "one row per (node, broadcast)", _disordered),)
