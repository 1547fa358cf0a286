"""The desk on a clock of our own: stalls, slow decoders, and a wav that stays true."""

import json
import threading
import time
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from firmware_bridge.node.effects import Cue
from firmware_bridge.node.inputs import CueEnded, CueStarted
from firmware_bridge.node.players import Desk, NullSink, WavSink
from firmware_bridge.node.players.decoder import Decoder

RATE = 16_000


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Memory:
    """A decoder that has `ready` bytes now."""

    def __init__(self, frames: int) -> None:
        self.left = frames
        self.ready = frames
        self.closed = False

    @property
    def finished(self) -> bool:
        return self.left == 0

    def read(self, count: int) -> bytes:
        taken = min(count // 2, self.ready, self.left)
        self.left -= taken
        self.ready -= taken
        return b"\x00\x20" * taken

    def close(self) -> None:
        self.closed = True


class Tape(NullSink):
    def __init__(self) -> None:
        super().__init__(RATE)
        self.sound = bytearray()

    def write(self, samples: bytes) -> None:
        self.sound += samples

    def loud(self) -> np.ndarray:
        return np.flatnonzero(np.frombuffer(bytes(self.sound), dtype="<i2"))


class Stage:
    """A desk that is turned by hand."""

    def __init__(self, decoder: Memory) -> None:
        self.clock, self.tape = Clock(), Tape()
        self.reports: list[Any] = []
        self.desk = Desk(self.tape, self.clock, lambda *_: cast(Decoder, decoder))
        self.desk._thread = threading.Thread(target=lambda: None)
        self.desk.start(self.reports.append)

    def turn(self, to: float) -> None:
        self.clock.now = to
        self.reports += self.desk._write_up_to(self.desk._frame(to))


CUE = Cue(1, "b", 0, "0" * 64, 0, 1000, 100)


def test_a_stall_of_the_desk_moves_no_sample() -> None:
    stage = Stage(Memory(RATE))
    stage.desk.prepare(CUE, Path("x"))
    stage.desk.play(CUE, Path("x"), 100.5)
    stage.turn(100.3)
    stage.turn(101.1)
    stage.turn(102.0)
    loud = stage.tape.loud()
    assert (loud[0], loud[-1]) == (RATE // 2, RATE // 2 + RATE - 1)
    assert [type(one) for one in stage.reports] == [CueStarted, CueEnded]
    assert stage.reports[0].mono == 100.5
    assert stage.reports[1].heard_ms == 1000


def test_a_decoder_that_is_not_ready_starts_where_it_really_comes_and_skips_nothing() -> None:
    decoder = Memory(RATE)
    decoder.ready = 0
    stage = Stage(decoder)
    stage.desk.play(CUE, Path("x"), 100.5)
    for tenth in range(1, 15):
        stage.turn(100 + tenth / 10)
    decoder.ready = RATE
    for tenth in range(15, 40):
        stage.turn(100 + tenth / 10)
    loud = stage.tape.loud()
    assert len(loud) == RATE
    assert abs(loud[0] / RATE - 1.4) < 0.3
    assert abs(stage.reports[0].mono - 100 - loud[0] / RATE) < 0.001
    assert stage.reports[-1].whole


def test_a_decoder_that_is_late_by_less_than_a_sound_cards_buffer_moves_no_sample() -> None:
    decoder = Memory(RATE)
    decoder.ready = 0
    stage = Stage(decoder)
    stage.desk.play(CUE, Path("x"), 100.5)
    stage.turn(100.6)
    decoder.ready = RATE
    stage.turn(102.0)
    assert stage.tape.loud()[0] == RATE // 2


def test_a_decoder_that_starves_in_the_middle_leaves_a_gap_but_loses_nothing() -> None:
    decoder = Memory(RATE)
    decoder.ready = RATE // 2
    stage = Stage(decoder)
    stage.desk.play(CUE, Path("x"), 100.1)
    for tenth in range(1, 20):
        stage.turn(100 + tenth / 10)
    decoder.ready = RATE
    for tenth in range(20, 50):
        stage.turn(100 + tenth / 10)
    assert len(stage.tape.loud()) == RATE
    assert stage.reports[-1].heard_ms == 1000


def test_sound_stops_at_the_approved_length_however_long_the_file_is() -> None:
    stage = Stage(Memory(10 * RATE))
    stage.desk.play(CUE, Path("x"), 100.1)
    stage.turn(105.0)
    assert len(stage.tape.loud()) == RATE
    assert stage.reports[-1].whole


def test_a_later_instant_given_again_moves_the_cue() -> None:
    stage = Stage(Memory(RATE))
    stage.desk.play(CUE, Path("x"), 100.2)
    stage.desk.play(CUE, Path("x"), 100.4)
    stage.turn(102.0)
    assert stage.tape.loud()[0] == round(0.4 * RATE)


def test_the_wav_is_valid_at_any_moment_and_continued_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "node.wav"
    first = datetime(2026, 3, 15, tzinfo=UTC)
    sink = WavSink(path)
    sink.open(first)
    sink.write(b"\x00\x20" * RATE)
    with wave.open(str(path)) as file:
        assert file.getnframes() == RATE
    again = WavSink(path)
    assert again.open(first + timedelta(seconds=3)) == 3 * RATE
    again.write(b"\x00\x20" * RATE)
    again.close()
    sink._file.close()
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    assert len(samples) == 4 * RATE
    assert not samples[RATE:3 * RATE].any()
    assert json.loads((tmp_path / "node.json").read_text()) == {
        "first_sample_utc": first.isoformat(), "sample_rate": RATE}


def test_a_desk_rests_its_sink_when_nothing_is_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    stage = Stage(Memory(RATE))
    monkeypatch.setattr(stage.tape, "rest", lambda: rests.append(stage.clock.now))
    for second in range(1, 30):
        stage.turn(100.0 + second)
        stage.desk._mind_rest()
    assert 2 <= len(rests) <= 3


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    desk = Desk(WavSink(tmp_path / "n.wav"))
    desk.start(lambda report: None)
    time.sleep(0.05)
    desk.close()
    desk.close()
