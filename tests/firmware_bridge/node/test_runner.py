"""The real node: files, threads, ffmpeg and a wav, without any broker."""

import json
import sqlite3
import threading
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.node.amplifier import NullAmplifier
from firmware_bridge.node.clocks import moment
from firmware_bridge.node.effects import Cue, Keep, Write
from firmware_bridge.node.fetching import open_client
from firmware_bridge.node.inputs import Boot
from firmware_bridge.node.players import Desk, NullSink, Player, WavSink
from firmware_bridge.node.runner import Runner
from firmware_bridge.node.timekeeping import Moment
from tests.firmware_bridge.builders import Commune, approved, broadcast, by_server, config, order
from tests.firmware_bridge.node.depot import Depot, serving, tone


def synchronised() -> Moment:
    """The machine's clock, vouched for."""
    shown = moment()
    return Moment(shown.wall, shown.mono, 0.005)


@contextmanager
def running(depot: Depot, data: Path, player: Player, commune: Commune) -> Iterator[Runner]:
    settings = config(depot.url, 9, commune)
    with open_client(settings.server, settings.api_token) as client:
        runner = Runner(settings, data, player, NullAmplifier(), client, synchronised)
        thread = threading.Thread(target=runner.run)
        thread.start()
        try:
            yield runner
        finally:
            runner.stop()
            thread.join()


def until(met: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_broadcast_from_a_signed_order_sounds_at_its_sample(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    commune = Commune(issued=now - timedelta(days=1))
    with serving(Depot()) as depot:
        raw = tone(tmp_path / "tone.ogg", 2.0)
        name = depot.add(raw)
        depot.statements[name] = (approved(name, size=len(raw), duration_ms=2000, issued=now - timedelta(hours=1)),)
        start = datetime.now(UTC).replace(microsecond=250_000) + timedelta(seconds=10)
        planned = order(broadcast("b1", start, name), issued=now, lengths={name: 2000}, sizes={name: len(raw)})
        depot.documents = {"trust": commune.bundle(), "order": by_server(planned)}
        wav = tmp_path / "node.wav"
        with running(depot, tmp_path / "data", Desk(WavSink(wav)), commune) as runner:
            until(lambda: any(one.kind == "play_end" for one in runner.entries()), 30)
            (end,) = [one for one in runner.entries() if one.kind == "play_end"]
    assert end.data["state"] == "played"
    error_ms = end.data["start_error_ms"]
    assert isinstance(error_ms, float)
    assert abs(error_ms) < 1
    assert loud_from(wav, start, 2.0) < 0.005


def loud_from(wav: Path, start: datetime, seconds: float) -> float:
    """Seconds between `start` and the first loud sample; nothing may be heard outside."""
    about = json.loads(wav.with_suffix(".json").read_text())
    with wave.open(str(wav)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(float) / 32768
    rate = about["sample_rate"]
    loud = np.flatnonzero(np.abs(samples) > 0.05)
    begun = (start - datetime.fromisoformat(about["first_sample_utc"])).total_seconds()
    assert abs((loud[-1] - loud[0]) / rate - seconds) < 0.05
    return float(abs(loud[0] / rate - begun))


class BrokenDesk(Desk):
    """A player whose every call fails in a way that nobody foresaw."""

    def prepare(self, cue: Cue, path: Path) -> None:
        raise RuntimeError("the sound card caught fire")

    def play(self, cue: Cue, path: Path, at: float) -> None:
        raise RuntimeError("the sound card caught fire")


def test_nothing_that_goes_wrong_in_the_main_loop_ends_the_node(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    commune = Commune(issued=now - timedelta(days=1))
    with serving(Depot()) as depot:
        raw = tone(tmp_path / "tone.ogg", 1.0)
        name = depot.add(raw)
        depot.statements[name] = (approved(name, size=len(raw), duration_ms=1000, issued=now - timedelta(hours=1)),)
        planned = order(broadcast("b1", datetime.now(UTC) + timedelta(seconds=10), name, latest_s=3), issued=now,
                        lengths={name: 1000}, sizes={name: len(raw)})
        depot.documents = {"trust": commune.bundle(), "order": by_server(planned)}
        with running(depot, tmp_path / "data", BrokenDesk(NullSink()), commune) as runner:
            until(lambda: any(one.data.get("what") == "main_loop" for one in runner.entries()), 30)
            until(lambda: any(one.kind in ("play_end", "play_missed") for one in runner.entries()), 30)


def test_a_full_disk_uses_the_reserve_and_the_node_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commune = Commune(issued=datetime.now(UTC) - timedelta(days=1))
    with serving(Depot()) as depot, open_client(depot.url, "token") as client:
        runner = Runner(config(depot.url, 9, commune), tmp_path / "data", Desk(NullSink()), NullAmplifier(), client,
                        synchronised)
        runner._ledger.hold_reserve()
        commit, failures = runner._ledger.journal.commit, [disk_is_full()]

        def failing(writes: Sequence[Write | Keep]) -> None:
            if failures:
                raise failures.pop()
            commit(writes)

        monkeypatch.setattr(runner._ledger.journal, "commit", failing)
        runner.take(Boot("b", "m", runner._ledger.journal.mark()))
        assert runner.entries()[0].kind == "boot"
        assert not (tmp_path / "data" / "reserve").exists()
        runner._ledger.close()


def disk_is_full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error
