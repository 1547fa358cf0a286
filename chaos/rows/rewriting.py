"""Logs that somebody with the database rewrites."""

from chaos import rewriting
from chaos.frame import Outcome, Row, Scale


def _rewritten(scale: Scale) -> Outcome:
    result = rewriting.run(scale.pick(1000, 10_000), scale.seed)
    missed = ", ".join(f"{name} ×{count}" for name, count in result.missed.items())
    return Outcome(result.edits, result.missed.total(), f"{len(rewriting.EDITS)} kinds of edit" + (
        f"; not found: {missed}" if missed else ""))


ROWS = (Row("attacks", "Rewritten log", "chain check finds every edit", _rewritten),)
