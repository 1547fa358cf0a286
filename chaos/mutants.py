"""Bugs planted in a copy of the sources: a check that stays green beside its bug is no check."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chaos.planted import MUTANTS, Mutant

ROOT = Path(__file__).parent.parent
SOURCES = ("loudspeaker", "schedules", "audio", "firmware_bridge", "chaos", "benchmarks", "scripts", "tests", "docs",
           "pyproject.toml")
LIMIT_S = 240.0
NO_TESTS_FAILED, TESTS_FAILED = 0, 1
"""Pytest's exit codes for all green and for red."""


@dataclass(frozen=True)
class Verdict:
    """What the named check said with the bug in place."""

    mutant: Mutant
    caught: bool
    why: str


def run(console: Console, only: str = "") -> bool:
    """Plant each bug, run its check, print the list; True when every check was green before and red after."""
    chosen = [one for one in MUTANTS if only.casefold() in one.name.casefold()]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = _copied(Path(folder))
        sound = _red(copy, sorted({check for one in chosen for check in one.checks}))
        if sound is not None:
            console.print(f"The checks are not green without a bug: {sound}", markup=False)
            return False
        verdicts = []
        for one in chosen:
            with console.status(one.name):
                verdicts.append(_judge(copy, one))
            console.print(f"{'✓' if verdicts[-1].caught else '✗'} {one.name}", markup=False, highlight=False)
    console.print(_table(verdicts))
    return bool(verdicts) and all(one.caught for one in verdicts)


def _judge(copy: Path, mutant: Mutant) -> Verdict:
    path = copy / mutant.file
    text = path.read_text()
    if text.count(mutant.line) != 1:
        return Verdict(mutant, False, f"the line to change is there {text.count(mutant.line)} times, not once")
    path.write_text(text.replace(mutant.line, mutant.planted))
    try:
        red = _red(copy, list(mutant.checks))
    finally:
        path.write_text(text)
    return Verdict(mutant, red is not None, red or "the check stayed green")


def _red(copy: Path, checks: list[str]) -> str | None:
    """What went red, None when all is green. Raises RuntimeError when the checks could not be run."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *checks]
    try:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=LIMIT_S,
                              check=False)
    except subprocess.TimeoutExpired:
        return f"hangs (more than {LIMIT_S:.0f} s)"
    if done.returncode == NO_TESTS_FAILED:
        return None
    if done.returncode != TESTS_FAILED:
        raise RuntimeError(f"pytest ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return next((line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))), "red")


def _copied(folder: Path) -> Path:
    """The sources, so that the bugs never touch the tree that people work in."""
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def _table(verdicts: list[Verdict]) -> Table:
    table = Table("planted bug", "where", "", "the check says", title="Planted bugs")
    for one in verdicts:
        table.add_row(one.mutant.name, one.mutant.file, "[green]✓[/green]" if one.caught else "[red]✗[/red]", one.why)
    return table
