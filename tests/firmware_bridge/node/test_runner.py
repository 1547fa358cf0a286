"""The real node: files, threads, ffmpeg and a wav, without any broker."""

import json
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from firmware_bridge.node.amplifier import NullAmplifier
from firmware_bridge.node.cache import open_client
from firmware_bridge.node.clocks import moment
from firmware_bridge.node.players import Desk, Player, WavSink
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


def until(met: object, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_broadcast_from_a_signed_order_sounds_at_its_sample(tmp_path):
    now = datetime.now(UTC).replace(microsecond=0)
    commune = Commune(issued=now - timedelta(days=1))
    with serving(Depot()) as depot:
        raw = tone(tmp_path / "tone.ogg", 2.0)
        name = depot.add(raw)
        depot.statements[name] = (approved(name, size=len(raw), duration_ms=2000, issued=now - timedelta(hours=1)),)
        start = datetime.now(UTC).replace(microsecond=250_000) + timedelta(seconds=4)
        planned = order(broadcast("b1", start, name), issued=now, lengths={name: 2000}, sizes={name: len(raw)})
        depot.documents = {"trust": commune.bundle(), "order": by_server(planned)}
        wav = tmp_path / "node.wav"
        with running(depot, tmp_path / "data", Desk(WavSink(wav)), commune) as runner:
            until(lambda: any(one.kind == "play_end" for one in runner.entries()), 30)
            (end,) = [one for one in runner.entries() if one.kind == "play_end"]
    assert end.data["state"] == "played"
    assert abs(end.data["start_error_ms"]) < 1
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
    return abs(loud[0] / rate - begun)
