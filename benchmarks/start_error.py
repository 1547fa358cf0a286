"""How far from its instant the sound begins: over links with jitter, and with the decoder opened ahead or cold.

Every clock here is the test host's, so the errors are of what the node believes and does, not of the machine.
"""

import random
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from firmware_bridge.node.clocks import monotonic
from firmware_bridge.node.effects import Cue
from firmware_bridge.node.inputs import CueEnded, CueStarted
from firmware_bridge.node.players import Desk, NullSink
from firmware_bridge.node.players.decoder import find_ffmpeg
from firmware_bridge.node.timekeeping import DRIFT, Moment, Timekeeper, answered

NODES = 500
SAMPLES = 32
JITTER_S = (0.030, 0.150)
"""Delay of each way, drawn anew for every message."""
CLOCK_OFF_S = 5.0
LIMIT_MS = 50.0
STARTS = 12
AHEAD_S = 1.0


def run() -> list[dict[str, Any]]:
    """Rows `what, against, ratio, limit, ok, detail`; a row is good when its ratio is at most its limit."""
    clocks = _clock_errors_ms()
    with tempfile.TemporaryDirectory() as folder:
        sound = _sound(Path(folder))
        ready = [_prepared_start_ms(sound, number) for number in range(STARTS)]
        cold = [_cold_start_ms(sound) for _ in range(STARTS)]
    together = sorted(abs(one + random.Random(number).choice(ready)) for number, one in enumerate(clocks))
    p95, p99 = _percentile(together, 0.95), _percentile(together, 0.99)
    gain = statistics.median(cold) / max(statistics.median(ready), 0.01)
    return [
        _row(f"start error of {NODES} nodes, link jitter 30–150 ms each way, p99", "50 ms on the host's clock",
             p99 / LIMIT_MS, 1.0, f"p95 {p95:.1f} ms, p99 {p99:.1f} ms; min-RTT of {SAMPLES} samples"),
        _row("start with the decoder opened ahead, median", "a cold ffmpeg, in the same run", 1 / gain, 0.2,
             f"{statistics.median(ready):.2f} ms against {statistics.median(cold):.1f} ms"),
    ]


def _row(what: str, against: str, ratio: float, limit: float, detail: str) -> dict[str, Any]:
    return {"what": what, "against": against, "ratio": round(ratio, 3), "limit": limit, "ok": ratio <= limit,
            "detail": detail}


def _clock_errors_ms() -> list[float]:
    """What each simulated node believes the time to be, minus the time, after its questions were answered."""
    return [_one_node(random.Random(seed)) for seed in range(NODES)]


def _one_node(dice: random.Random) -> float:
    """Ask 32 times, a second apart, by the node's own crystal, which is off and drifts."""
    true = datetime(2026, 3, 15, 5, 0, tzinfo=UTC)
    drift = 1 + dice.uniform(-DRIFT, DRIFT)
    off = dice.uniform(-CLOCK_OFF_S, CLOCK_OFF_S)
    keeper, passed = Timekeeper(), 0.0
    for _ in range(SAMPLES):
        asked = passed * drift
        there = passed + dice.uniform(*JITTER_S)
        back = there + dice.uniform(*JITTER_S)
        server = true + timedelta(seconds=there)
        keeper = keeper.with_sample(answered(asked, back * drift, server, server))
        passed = back + 1.0
    now = true + timedelta(seconds=passed)
    reading = keeper.read(Moment(now + timedelta(seconds=off), passed * drift))
    return (reading.now - now).total_seconds() * 1000


def _prepared_start_ms(sound: Path, number: int) -> float:
    """From the instant aimed at to the first sample, with the decoder opened in good time."""
    reports: SimpleQueue[CueStarted | CueEnded] = SimpleQueue()
    desk = Desk(NullSink())
    desk.start(reports.put)
    cue = Cue(number, "bench", 0, "0" * 64, 0, 200, 100)
    desk.prepare(cue, sound)
    time.sleep(AHEAD_S)
    at = monotonic() + 0.05
    desk.play(cue, sound, at)
    began = reports.get(timeout=10)
    desk.close()
    return abs(began.mono - at) * 1000 if isinstance(began, CueStarted) else float("inf")


def _cold_start_ms(sound: Path) -> float:
    """From starting ffmpeg to its first sample."""
    began = monotonic()
    command = [find_ffmpeg(), "-loglevel", "error", "-nostdin", "-f", "ogg", "-i", str(sound), "-f", "s16le",
               "-ac", "1", "-ar", "16000", "pipe:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        if child.stdout is not None:
            child.stdout.read(2)
        taken = (monotonic() - began) * 1000
        child.kill()
    return taken


def _sound(folder: Path) -> Path:
    path = folder / "tone.ogg"
    subprocess.run([find_ffmpeg(), "-loglevel", "error", "-f", "lavfi", "-i", "sine=duration=3", "-c:a", "libopus",
                    "-ac", "1", str(path)], check=True)
    return path


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


if __name__ == "__main__":
    for row in run():
        print(row)
