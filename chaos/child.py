"""One row in a process of its own, so that what it breaks breaks nothing else."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from chaos.frame import Outcome, Row, Scale

ROOT = Path(__file__).parent.parent
LIMIT_S = {False: 180.0, True: 3600.0}
"""Longest time of one row, short and long."""
MARK = "chaos-outcome:"


@dataclass(frozen=True)
class Seen:
    """A row's outcome and how long it took; `failure` tells what ended it before it had one."""

    row: Row
    outcome: Outcome
    seconds: float
    failure: str = ""

    @property
    def met(self) -> bool:
        """The row came to its end and its promise held."""
        return not self.failure and self.outcome.met


def run_apart(row: Row, scale: Scale) -> Seen:
    """Run the row in a child process; a crash or a hang is a failed row, never the end of the run."""
    command = [sys.executable, "-m", "chaos", "--row", row.name, "--seed", str(scale.seed)]
    began = time.monotonic()
    child = subprocess.Popen([*command, *(["--long"] if scale.long else [])], cwd=ROOT, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, err = child.communicate(timeout=LIMIT_S[scale.long])
        failure = "" if child.returncode == 0 else _last_line(err) or f"exit code {child.returncode}"
    except subprocess.TimeoutExpired:
        out, failure = "", f"not done after {LIMIT_S[scale.long]:.0f} s"
    finally:
        _end(child)
    seconds = time.monotonic() - began
    told = next((line.removeprefix(MARK) for line in out.splitlines() if line.startswith(MARK)), None)
    if told is None:
        return Seen(row, Outcome(0, 0), seconds, failure or "no outcome was told")
    return Seen(row, Outcome(**json.loads(told)), seconds, failure)


def tell(outcome: Outcome) -> None:
    """The child's last word."""
    sys.stdout.write(MARK + json.dumps(asdict(outcome)) + "\n")
    sys.stdout.flush()


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")[:300]


def _end(child: subprocess.Popen[str]) -> None:
    """Nothing of the row's own process group stays behind."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    child.communicate()
