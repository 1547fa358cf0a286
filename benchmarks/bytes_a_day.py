"""What a pole costs on 4G: a real node on a real server over TLS, through a line that counts every byte.

Counted are TCP payloads, TLS included, with IP and TCP headers, acknowledgements and handshakes as a modem sends them.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import httpx2

from chaos.proxy import HEADERS, SEGMENT, Proxy
from firmware_bridge.bridge.broker.child import free_port
from firmware_bridge.contract import keys
from firmware_bridge.contract.documents import RunningOrder, TimeAnswer
from firmware_bridge.contract.envelope import decode, encode
from firmware_bridge.contract.messages import TimeRequest
from firmware_bridge.node.link import TIME_AGAIN, TIME_EVERY_S
from loudspeaker.conductor.house import House
from loudspeaker.conductor.opening import open_house, utc_now
from loudspeaker.demo.processes import Child, stop_all
from loudspeaker.demo.sample import Sample, approve_all, make_sample, morning_programmes
from loudspeaker.orders.models import Order
from loudspeaker.settings import Settings

HOST = "127.0.0.1"
DAY_S = 24 * 3600.0
IDLE_MB = 1.0
SHARE = 0.1
STREAM_BYTES_A_SECOND = 128_000 / 8
BULLETIN_S = 15 * 60
SESSIONS, SESSION_S = 2, 30 * 60
"""The day that is compared: half an hour in the morning, and the same in the evening. A quarter of an hour is new each
day and airs twice; the rest (signature tunes, music, notices of the week) has aired before and lies on the disk.
"""
MQTT_AND_TLS = 2 + 70 + 29
"""Of one message: its header, its topic, and a TLS record around it."""
SETTLED_S = 45.0
"""After the last recording: by then the pole has said hello, and its first questions of the time are answered."""
WINDOW_S = 300.0
"""One round of telemetry; seven or eight heartbeats."""


def run() -> list[dict[str, object]]:
    """Two rows: an idle day, and a day with its broadcasts."""
    with tempfile.TemporaryDirectory(prefix="bench-bytes-") as folder, ExitStack() as stack:
        seen = _measure(Path(folder), stack)
    idle_mb = (seen.idle_bytes / WINDOW_S * DAY_S + DAY_S / TIME_EVERY_S * _time_exchange()) / 1e6
    bulletin = BULLETIN_S * seen.recording_bytes / seen.recording_s * (1 + 1.5 * HEADERS / SEGMENT + 0.02)
    day_mb = idle_mb + (seen.beginning_bytes - seen.recording_bytes + bulletin) / 1e6
    stream_mb = SESSIONS * SESSION_S * STREAM_BYTES_A_SECOND * (1 + HEADERS / SEGMENT) / 1e6
    return [
        {"what": "bytes of an idle day", "against": "1 MB", "ratio": round(idle_mb / IDLE_MB, 2), "limit": 1.0,
         "ok": idle_mb <= IDLE_MB, "detail": f"{idle_mb:.2f} MB, TLS and headers included; "
                                             f"{seen.idle_bytes} bytes in {WINDOW_S:.0f} s"},
        {"what": f"bytes of a day, {SESSION_S // 60} min in the morning and again in the evening",
         "against": "streaming them at 128 kb/s", "ratio": round(day_mb / stream_mb, 3), "limit": SHARE,
         "ok": day_mb <= SHARE * stream_mb,
         "detail": f"{day_mb:.1f} MB, streaming {stream_mb:.1f} MB; {BULLETIN_S // 60} min are new and repeated in the"
                   f" evening, {(SESSION_S - BULLETIN_S) // 60} min aired on earlier days"},
    ]


class Seen:
    """What went over the line: from the start until all is on the disk, and idle for `WINDOW_S`."""

    beginning_bytes = 0
    idle_bytes = 0
    recording_bytes = 0
    recording_s = 0.0


def _measure(folder: Path, stack: ExitStack) -> Seen:
    settings = Settings(data=folder / "data", host=HOST, port=free_port(HOST), broker_port=free_port(HOST), tls="own")
    house = stack.enter_context(open_house(settings))
    sample = make_sample(house, folder)
    server = _child("server", ["-m", "loudspeaker", "serve", "--json"], folder, settings)
    stack.callback(lambda: stop_all([server]))
    server.start()
    _until("the sample bulletins are spoken", lambda: _spoken(server, house, sample), 180)
    _plan(settings, sample)
    config = json.loads(next(iter(sample.configs.values())).read_text())
    web = stack.enter_context(Proxy(HOST, settings.port))
    broker = stack.enter_context(Proxy(HOST, settings.broker_port))
    config["server"] = f"https://{HOST}:{web.port}"
    config["brokers"] = [one | {"host": HOST, "port": broker.port} for one in config["brokers"]]
    (folder / "pole.json").write_text(json.dumps(config))
    (folder / "pole.json").chmod(0o600)
    pole = _child("pole", ["-m", "firmware_bridge.node", "run", "--config", str(folder / "pole.json"), "--data",
                           str(folder / "pole"), "--player", "null"], folder, settings)
    stack.callback(lambda: stop_all([pole]))
    pole.start()
    _until("the pole holds what its order needs", lambda: _holds(folder / "pole/recordings", house, pole), 300)
    return _watch(folder / "pole/recordings", pole, (web, broker))


def _holds(recordings: Path, house: House, pole: Child) -> bool:
    """Whether all that the order of the one pole that runs names lies on its disk."""
    pole.must_live()
    node = json.loads((recordings.parent.parent / "pole.json").read_text())["node"]
    with house.database.read() as session:
        order = session.get(Order, node)
    if order is None:
        return False
    needed = RunningOrder.from_bytes(decode(order.envelope).payload).recordings
    return 0 < len(needed) <= len(list(recordings.glob("*.statements.json")))


def _watch(recordings: Path, pole: Child, lines: tuple[Proxy, Proxy]) -> Seen:
    seen = Seen()
    time.sleep(SETTLED_S)
    pole.must_live()
    seen.beginning_bytes = sum(one.carried.on_the_wire for one in lines)
    held = [path.stat().st_size for path in recordings.glob("*.ogg")]
    seen.recording_bytes = sum(held)
    seen.recording_s = sum(_seconds(path) for path in recordings.glob("*.ogg"))
    time.sleep(WINDOW_S)
    pole.must_live()
    seen.idle_bytes = sum(one.carried.on_the_wire for one in lines) - seen.beginning_bytes
    return seen


def _seconds(path: Path) -> float:
    """An Ogg Opus file ends with a page that tells how many samples of 48 kHz came before it."""
    raw = path.read_bytes()
    last = raw.rindex(b"OggS")
    return int.from_bytes(raw[last + 6:last + 14], "little") / 48_000


def _time_exchange() -> int:
    """Bytes of the questions of the time that are asked every quarter of an hour."""
    now, key = utc_now(), keys.new_key()
    asked = TimeRequest(nonce="0" * 16, sent=now).to_bytes()
    told = encode(TimeAnswer(site="s" * 16, node="n" * 20, nonce="0" * 16, received=now, sent=now).sign(key))
    return TIME_AGAIN * (len(asked) + len(told) + 2 * (MQTT_AND_TLS + HEADERS) + HEADERS)


def _plan(settings: Settings, sample: Sample) -> None:
    """The morning's programmes, far enough away that none sounds while we count."""
    begins: datetime = utc_now() + timedelta(hours=1)
    with httpx2.Client(base_url=f"https://{HOST}:{settings.port}", verify=False, trust_env=False,
                       headers={"Authorization": f"Bearer {sample.editor_token}"}, timeout=30) as client:
        for programme in morning_programmes(sample, begins):
            client.post("/api/v1/programmes", json=programme).raise_for_status()


def _spoken(server: Child, house: House, sample: Sample) -> bool:
    server.must_live()
    return approve_all(house, sample)


def _child(name: str, words: list[str], folder: Path, settings: Settings) -> Child:
    return Child(name, [sys.executable, *words], folder / f"{name}.log", {
        "LOUDSPEAKER_DATA": str(settings.data), "LOUDSPEAKER_PORT": str(settings.port), "LOUDSPEAKER_TLS": "own",
        "LOUDSPEAKER_BROKER_PORT": str(settings.broker_port), "PYTHONPATH": os.getcwd()})


def _until(what: str, reached: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.2)
