import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import pytest

from audio.engine import Engine, find_ffmpeg
from audio.errors import AudioError
from audio.formats import FLAC, MP3
from audio.limits import MIB, Limits
from audio.process import run_shut_in
from tests.audio.sounds import silence, talk

ENDLESS = ["-f", "lavfi", "-re", "-i", "anullsrc=r=48000:cl=mono", "-f", "null", "-"]


def children(parent: int) -> list[tuple[int, str]]:
    """Process ids and names of the living children of a process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name, rest = (folder / "stat").read_text().split(" (", 1)[1].rsplit(") ", 1)
            if int(rest.split()[1]) == parent and rest[0] != "Z":
                found.append((int(folder.name), name))
    return found


def ffmpeg_child(parent: int) -> int:
    for _ in range(200):
        for pid, name in children(parent):
            if name.startswith("ffmpeg"):
                return pid
        time.sleep(0.02)
    raise AssertionError("no ffmpeg was started")


def refusal_while(engine: Engine, act: Callable[[int], None]) -> AudioError:
    """Run an endless ffmpeg, let `act` do something to its process, and return the error."""
    helper = threading.Thread(target=lambda: act(ffmpeg_child(os.getpid())))
    helper.start()
    try:
        with pytest.raises(AudioError) as caught:
            Engine(engine.ffmpeg, replace(engine.limits, timeout_seconds=10)).run(ENDLESS, reads=[])
    finally:
        helper.join()
    return caught.value


def test_a_killed_ffmpeg_is_a_clear_error(engine: Engine) -> None:
    error = refusal_while(engine, lambda pid: os.kill(pid, signal.SIGKILL))
    assert (error.code, error.params) == ("engine_stopped", {"signal": 9})


def test_a_stopped_ffmpeg_is_given_up_and_leaves_no_process(engine: Engine) -> None:
    impatient = Engine(engine.ffmpeg, Limits(stall_seconds=1.0))
    stopped: list[int] = []

    def stop(pid: int) -> None:
        stopped.append(pid)
        os.kill(pid, signal.SIGSTOP)

    assert refusal_while(impatient, stop).code == "timed_out"
    assert not Path(f"/proc/{stopped[0]}").exists()


def test_an_endless_ffmpeg_is_ended_in_time(engine: Engine) -> None:
    started = time.monotonic()
    with pytest.raises(AudioError, match="timed out"):
        Engine(engine.ffmpeg, Limits(timeout_seconds=0.7)).run(ENDLESS, reads=[])
    assert time.monotonic() - started < 3


def test_a_run_can_be_cancelled_from_another_thread(engine: Engine) -> None:
    cancelled = threading.Event()
    threading.Timer(0.4, cancelled.set).start()
    with pytest.raises(AudioError, match="cancelled"):
        engine.run(ENDLESS, reads=[], cancelled=cancelled)
    assert not [name for _, name in children(os.getpid()) if name.startswith("ffmpeg")]


def test_a_killed_server_leaves_no_ffmpeg(engine: Engine) -> None:
    code = (
        "import sys; from pathlib import Path; from audio.engine import Engine;"
        f"Engine(Path({str(engine.ffmpeg)!r})).run({ENDLESS!r}, reads=[])"
    )
    server = subprocess.Popen([sys.executable, "-c", code])
    try:
        orphan = ffmpeg_child(server.pid)
    finally:
        server.kill()
        server.wait()
    time.sleep(0.3)
    assert (orphan, "ffmpeg") not in [(pid, name[:6]) for pid, name in children(1)]


def test_a_full_disk_is_named(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="disk full"):
        engine.run(
            ["-f", "lavfi", "-i", "sine", "-t", "5", "-f", "s16le", "file:/dev/full"], reads=[], writes=[Path("/dev")]
        )


def test_more_output_than_the_cap_is_refused(engine: Engine, tmp_path: Path) -> None:
    small = Engine(engine.ffmpeg, Limits(max_seconds=1))
    with pytest.raises(AudioError, match="too long"):
        small.run(
            ["-f", "lavfi", "-i", "sine", "-t", "400", "-f", "s16le", f"file:{tmp_path}/a"], reads=[], writes=[tmp_path]
        )
    assert (tmp_path / "a").stat().st_size <= 61 * 96_000


def test_decoded_seconds_are_capped_before_the_disk_fills(engine: Engine, tmp_path: Path) -> None:
    bomb = silence(tmp_path / "bomb.flac", 600)
    raw = tmp_path / "out.raw"
    Engine(engine.ffmpeg, Limits(max_seconds=9)).decode(bomb, FLAC, raw)
    assert raw.stat().st_size == 10 * 96_000


def test_memory_is_capped(engine: Engine, tmp_path: Path) -> None:
    hungry = Engine(engine.ffmpeg, Limits(memory_bytes=40 * MIB))
    with pytest.raises(AudioError):
        hungry.run(["-f", "lavfi", "-i", "sine", "-t", "1", "-f", "null", "-"], reads=[])


def test_progress_rises_to_one(engine: Engine, tmp_path: Path) -> None:
    steps: list[float] = []
    engine.decode(talk(tmp_path / "a.mp3"), MP3, tmp_path / "a.raw", expected_seconds=2.0, progress=steps.append)
    assert steps == sorted(steps)
    assert steps[-1] == 1.0


def test_the_system_ffmpeg_is_taken_first_and_the_one_from_the_wheel_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert find_ffmpeg() == Path("/usr/bin/ffmpeg").resolve() or find_ffmpeg().name.startswith("ffmpeg")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "imageio_ffmpeg" in str(find_ffmpeg())


def test_a_missing_ffmpeg_comes_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nowhere() -> str:
        raise RuntimeError("no ffmpeg")

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", nowhere)
    with pytest.raises(AudioError) as caught:
        find_ffmpeg()
    assert caught.value.code == "engine_missing"
    assert "apt-get install ffmpeg" in str(caught.value.params["install"])


def test_a_program_that_went_away_is_missing_not_failing() -> None:
    with pytest.raises(AudioError, match="engine missing"):
        run_shut_in(["/nowhere/ffmpeg"], Limits(), file_bytes=0)


def test_the_child_inherits_no_secrets_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUDSPEAKER_SECRET", "geheim")
    assert "geheim" not in "".join(run_shut_in(["/usr/bin/env"], Limits(), file_bytes=0).log)
