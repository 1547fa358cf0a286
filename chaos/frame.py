"""What a row of the fault and attack matrices is, and how sure its result makes us."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scipy.stats import beta

from chaos import rows

Matrix = Literal["faults", "attacks"]


@dataclass(frozen=True)
class Scale:
    """How much to run, and from which seed."""

    long: bool
    seed: int

    def pick(self, short: int, long: int) -> int:
        """The number of trials for this scale."""
        return long if self.long else short


@dataclass(frozen=True)
class Outcome:
    """What was seen: `n` trials of which `bad` broke the promise; `note` holds the figures."""

    n: int
    bad: int
    note: str = ""

    @property
    def met(self) -> bool:
        """Tried at all, and never broken."""
        return self.n > 0 and self.bad == 0

    @property
    def bound(self) -> float:
        """The promise breaks at most this often, with 95 % confidence (one-sided Clopper-Pearson)."""
        if self.n == 0 or self.bad >= self.n:
            return 1.0
        return float(beta.ppf(0.95, self.bad + 1, self.n - self.bad))


@dataclass(frozen=True)
class Row:
    """One fault or attack, what is promised, and the trial that shows it."""

    table: Matrix
    name: str
    promise: str
    run: Callable[[Scale], Outcome]


def all_rows() -> tuple[Row, ...]:
    """Every row of `chaos.rows`, faults first. Raises ValueError when two share a name."""
    found: list[Row] = []
    for module in sorted(pkgutil.iter_modules(rows.__path__), key=lambda one: one.name):
        found += getattr(importlib.import_module(f"chaos.rows.{module.name}"), "ROWS", ())
    names = [row.name for row in found]
    if len(set(names)) != len(names):
        raise ValueError(f"two rows share a name: {sorted(name for name in names if names.count(name) > 1)}")
    return tuple(sorted(found, key=lambda row: row.table != "faults"))
