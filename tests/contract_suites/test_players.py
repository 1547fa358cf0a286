"""One suite over every player: whatever the sink, cues sound at their instants, one at a time, and tell the truth."""

import os
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware_bridge.node.clocks import monotonic
from firmware_bridge.node.effects import Cue
from firmware_bridge.node.inputs import CueEnded, CueStarted
from firmware_bridge.node.players import Desk, NullSink, Player, Sink, SystemSink, WavSink
from firmware_bridge.node.players.sinks import find_output
from tests.firmware_bridge.node.depot import tone

Sinks = dict[str, Callable[[Path], Sink]]
SINKS: Sinks = {
    "null": lambda folder: NullSink(),
    "wav": lambda folder: WavSink(folder / "node.wav"),
    "system": lambda folder: SystemSink(),
}


class Stage:
    """A player with its reports."""

    def __init__(self, player: Player, sound: Path) -> None:
        self.player, self.sound = player, sound
        self.reports: queue.SimpleQueue[CueStarted | CueEnded] = queue.SimpleQueue()
        player.start(self.reports.put)

    def cue(self, number: int, to_ms: int = 500, from_ms: int = 0, volume: int = 100) -> Cue:
        return Cue(number, f"b{number}", 0, "0" * 64, from_ms, to_ms, volume)

    def prepare(self, *cues: Cue) -> None:
        """Open the decoders and wait until they have something, however busy the machine is."""
        for cue in cues:
            self.player.prepare(cue, self.sound)
        deadline = time.monotonic() + 20
        while not all(self.player.is_ready(cue.id) for cue in cues):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def play(self, cue: Cue, at: float) -> None:
        self.player.play(cue, self.sound, at)

    def started(self) -> CueStarted:
        found = self.reports.get(timeout=10)
        assert isinstance(found, CueStarted)
        return found

    def ended(self) -> CueEnded:
        found = self.reports.get(timeout=10)
        assert isinstance(found, CueEnded)
        return found


def silent_card(folder: Path) -> Path:
    """An ALSA configuration whose default device takes everything: this machine may have no sound card."""
    path = folder / "asound.conf"
    path.write_text("</usr/share/alsa/alsa.conf>\npcm.!default { type null }\n")
    return path


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "tone.ogg"
    tone(path, 5.0)
    return path


@pytest.fixture(params=sorted(SINKS))
def stage(request: pytest.FixtureRequest, tmp_path: Path, sound: Path,
          monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(silent_card(tmp_path)))
    if request.param == "system":
        assert find_output(48_000), "install one of: alsa-utils, mpv, ffmpeg"
    player = Desk(SINKS[request.param](tmp_path))
    held = Stage(player, sound)
    yield held
    player.close()


def test_a_prepared_cue_sounds_at_its_instant(stage: Stage) -> None:
    cue = stage.cue(1)
    stage.prepare(cue)
    at = monotonic() + 0.2
    stage.play(cue, at)
    assert abs(stage.started().mono - at) < 0.002
    ended = stage.ended()
    assert ended.whole
    assert abs(ended.heard_ms - 500) <= 1
    assert 0.1 < ended.rms <= ended.peak <= 1.0


def test_a_cue_that_was_not_prepared_comes_late_and_says_so_but_plays_whole(stage: Stage) -> None:
    at = monotonic() - 1.0
    stage.play(stage.cue(1), at)
    assert stage.started().mono > at + 0.9
    assert abs(stage.ended().heard_ms - 500) <= 1


def test_a_cue_keeps_real_time(stage: Stage) -> None:
    stage.prepare(stage.cue(1))
    began = monotonic()
    stage.play(stage.cue(1), began + 0.1)
    stage.started()
    stage.ended()
    assert 0.55 < monotonic() - began < 1.5


def test_the_next_cue_cuts_the_one_that_sounds(stage: Stage) -> None:
    first, second = stage.cue(1, to_ms=4000), stage.cue(2)
    stage.prepare(first, second)
    at = monotonic() + 0.2
    stage.play(first, at)
    stage.play(second, at + 0.6)
    assert stage.started().cue == 1
    cut = stage.ended()
    assert (cut.cue, cut.whole) == (1, False)
    assert abs(cut.heard_ms - 600) <= 2
    assert abs(stage.started().mono - at - 0.6) < 0.002
    assert stage.ended().whole


def test_cues_in_a_row_do_not_cut_each_other(stage: Stage) -> None:
    first, second = stage.cue(1), stage.cue(2)
    stage.prepare(first, second)
    at = monotonic() + 0.2
    stage.play(first, at)
    stage.play(second, at + 0.5)
    stage.started()
    assert stage.ended().whole
    assert abs(stage.started().mono - at - 0.5) < 0.002
    assert stage.ended().whole


def test_silence_ends_a_cue_and_tells_what_was_heard(stage: Stage) -> None:
    cue = stage.cue(1, to_ms=4000)
    stage.prepare(cue)
    stage.play(cue, monotonic() + 0.05)
    began = stage.started().mono
    stage.player.silence(1, began + 0.4)
    ended = stage.ended()
    assert not ended.whole
    assert abs(ended.heard_ms - 400) <= 2


def test_silence_before_the_instant_means_nothing_is_heard(stage: Stage) -> None:
    cue = stage.cue(1)
    stage.player.prepare(cue, stage.sound)
    stage.play(cue, monotonic() + 0.5)
    stage.player.silence(1, monotonic())
    ended = stage.ended()
    assert (ended.heard_ms, ended.started) == (0, None)


def test_a_prepared_cue_that_is_dropped_says_nothing(stage: Stage) -> None:
    stage.player.prepare(stage.cue(1), stage.sound)
    stage.player.silence(1, monotonic())
    time.sleep(0.2)
    assert stage.reports.empty()


def test_a_cue_begins_in_the_middle_when_asked(stage: Stage) -> None:
    cue = stage.cue(1, from_ms=4200, to_ms=5000)
    stage.prepare(cue)
    stage.play(cue, monotonic() + 0.1)
    stage.started()
    assert abs(stage.ended().heard_ms - 800) <= 20


def test_volume_makes_it_softer(stage: Stage) -> None:
    loud, soft = stage.cue(1), stage.cue(2, volume=25)
    stage.prepare(loud, soft)
    at = monotonic() + 0.1
    stage.play(loud, at)
    stage.play(soft, at + 0.6)
    stage.started()
    first = stage.ended()
    stage.started()
    assert abs(stage.ended().rms / first.rms - 0.25) < 0.02


def test_a_file_that_is_no_sound_ends_with_an_error(stage: Stage, tmp_path: Path) -> None:
    broken = tmp_path / "broken.ogg"
    broken.write_bytes(b"OggS" + os.urandom(2000))
    stage.player.play(stage.cue(1), broken, monotonic() + 0.2)
    ended = stage.ended()
    assert ended.heard_ms == 0
    assert not ended.whole
    assert ended.error


def test_closing_is_quick_even_while_it_plays(stage: Stage) -> None:
    cue = stage.cue(1, to_ms=4000)
    stage.play(cue, monotonic())
    stage.started()
    began = time.monotonic()
    stage.player.close()
    assert time.monotonic() - began < 0.8


def test_a_sound_card_that_fails_ends_the_cue_with_an_error_and_the_next_one_plays(tmp_path: Path, sound: Path) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    command = ["sh", "-c", f"test -e {broken} && exit 1; exec cat >/dev/null"]
    held = Stage(Desk(SystemSink(command=command)), sound)
    first, second = held.cue(1, to_ms=3000), held.cue(2)
    held.prepare(first)
    held.play(first, monotonic() + 0.1)
    ended = held.ended() if not isinstance(told := held.reports.get(timeout=10), CueEnded) else told
    assert not ended.whole
    assert "sound output" in (ended.error or "")
    broken.unlink()
    held.prepare(second)
    held.play(second, monotonic() + 0.1)
    held.started()
    assert held.ended().whole
    held.player.close()
