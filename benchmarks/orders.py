"""Running orders for ten thousand nodes and eight days, on one core, and whether the work grows with their number."""

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from loudspeaker.conductor.expand import expand
from loudspeaker.conductor.opening import open_house
from loudspeaker.conductor.orders import Signing, build_orders
from loudspeaker.demo.district import Size, make_district
from loudspeaker.settings import Settings

NODES, FEWER = 10_000, 2_500
LIMIT_S, LIMIT_MB = 60.0, 500.0
LINEAR = 1.3
"""Four times the nodes may take this much more than four times the time."""
A_DAY = 4
HORIZON = timedelta(days=8)
MIDNIGHT = datetime(2026, 3, 1, 17, 0, tzinfo=UTC)


def run() -> list[dict[str, object]]:
    """Seconds and memory of a process that builds all orders anew, against the limits; and against a quarter of it."""
    fewer_s, _ = _apart(FEWER)
    all_s, peak_mb = _apart(NODES)
    growth = all_s / fewer_s / (NODES / FEWER)
    what = f"running orders for {NODES:,} nodes × 8 days"
    detail = f"{all_s:.0f} s, {peak_mb:.0f} MB, {A_DAY} broadcasts a day"
    return [
        {"what": what, "against": f"{LIMIT_S:.0f} s on one core", "ratio": round(all_s / LIMIT_S, 2), "limit": 1.0,
         "ok": all_s <= LIMIT_S, "detail": detail},
        {"what": what, "against": f"{LIMIT_MB:.0f} MB", "ratio": round(peak_mb / LIMIT_MB, 2), "limit": 1.0,
         "ok": peak_mb <= LIMIT_MB, "detail": detail},
        {"what": what, "against": f"{NODES // FEWER} × those of {FEWER:,} nodes", "ratio": round(growth, 2),
         "limit": LINEAR, "ok": growth <= LINEAR, "detail": f"{fewer_s:.1f} s for {FEWER:,}"},
    ]


def _apart(nodes: int) -> tuple[float, float]:
    """CPU seconds and peak megabytes of building the orders of so many nodes, in a process of its own on one core."""
    with tempfile.TemporaryDirectory(prefix="bench-orders-") as folder:
        _call("make", folder, nodes)
        seconds, peak_mb = _call("build", folder, nodes).split()
        return float(seconds), float(peak_mb)


def _call(part: str, folder: str, nodes: int) -> str:
    command = [sys.executable, "-m", "benchmarks.orders", part, folder, str(nodes)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]


def _make(folder: Path, nodes: int) -> None:
    with open_house(Settings(data=folder), lambda: MIDNIGHT) as house:
        make_district(house, Size(nodes, A_DAY), MIDNIGHT)
        with house.database.work() as session:
            expand(session, MIDNIGHT, HORIZON)
    print("made")


def _build(folder: Path) -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with open_house(Settings(data=folder), lambda: MIDNIGHT) as house:
        began = time.process_time()
        with house.database.work() as session:
            build_orders(session, MIDNIGHT, Signing(house.site, house.keys.server, HORIZON))
        seconds = time.process_time() - began
    print(seconds, peak_mb("self"))


def peak_mb(process: str) -> float:
    """The most memory that a process (its id, or `self`) has held, in megabytes."""
    told = Path(f"/proc/{process}/status").read_text()
    line = next(one for one in told.splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    if sys.argv[1] == "make":
        _make(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        _build(Path(sys.argv[2]))
