"""`python -m chaos`: every fault and attack, with n, seed, result and the 95 % bound."""

import sys
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from chaos import mutants
from chaos.child import Seen, run_apart, tell
from chaos.frame import Matrix, Row, Scale, all_rows

TITLES: dict[Matrix, str] = {"faults": "Faults and promises", "attacks": "Attacks and promises"}


def main(
    row: Annotated[str, typer.Option(help="Run this one row here and tell its outcome.")] = "",
    only: Annotated[str, typer.Option(help="Only rows (or mutants) whose name holds this text.")] = "",
    seed: Annotated[int, typer.Option(help="Where chance begins.")] = 0,
    long: Annotated[bool, typer.Option("--long", help="The full numbers; takes hours.")] = False,
    planted: Annotated[bool, typer.Option("--mutants", help="Plant bugs and see the checks go red.")] = False,
) -> None:
    """Run the fault and attack matrices; exit code 1 when a promise is not met."""
    scale = Scale(long, seed or time.time_ns() % 1_000_000)
    if row:
        tell(next(one for one in all_rows() if one.name == row).run(scale))
        return
    console = Console(width=None if sys.stdout.isatty() else 200)
    if planted:
        raise typer.Exit(0 if mutants.run(console, only) else 1)
    chosen = [one for one in all_rows() if only.casefold() in one.name.casefold()]
    seen = [_watched(console, one, scale) for one in chosen]
    for matrix, title in TITLES.items():
        console.print(_table(title, [one for one in seen if one.row.table == matrix], scale))
    if not seen or not all(one.met for one in seen):
        raise typer.Exit(1)


def _watched(console: Console, row: Row, scale: Scale) -> Seen:
    with console.status(row.name):
        seen = run_apart(row, scale)
    console.print(f"{'✓' if seen.met else '✗'} {row.name} ({seen.seconds:.0f} s) {seen.failure}", highlight=False,
                  markup=False)
    return seen


def _table(title: str, listed: list[Seen], scale: Scale) -> Table:
    table = Table("what", "promise", "n", "broken", "≤ (95 %)", "seed", "", "seen", title=title)
    for one in listed:
        result = one.outcome
        table.add_row(one.row.name, one.row.promise, f"{result.n:,}", str(result.bad), f"{result.bound:.2%}",
                      str(scale.seed), "[green]✓[/green]" if one.met else "[red]✗[/red]", one.failure or result.note)
    return table


if __name__ == "__main__":
    typer.run(main)
