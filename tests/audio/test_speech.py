import sys
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

import audio.speech
from audio.errors import AudioError
from audio.limits import Limits
from audio.pcm import blocks
from audio.process import Finished
from audio.speech import MAX_CHARACTERS, VOICES, Speaker, Voice, find_library_speaker, find_speaker

GREETING = "Đài truyền thanh xã Bình Minh, kính chào bà con."


@pytest.fixture(params=["program", "library"])
def speaker(request: pytest.FixtureRequest) -> Speaker:
    found = find_speaker() if request.param == "program" else find_library_speaker()
    wanted = "ProgramSpeaker" if request.param == "program" else "LibrarySpeaker"
    assert type(found).__name__ == wanted, "the speech suite needs the system's espeak-ng: apt-get install espeak-ng"
    return found


def length(path: Path) -> float:
    with wave.open(str(path)) as spoken:
        return float(spoken.getnframes() / spoken.getframerate())


def refusal(speaker: Speaker, path: Path, text: str, language: str = "vi") -> AudioError:
    with pytest.raises(AudioError) as caught:
        speaker.speak(text, language, path)
    assert not path.exists()
    return caught.value


def test_vietnamese_text_is_spoken_and_the_voice_is_named(speaker: Speaker, tmp_path: Path) -> None:
    spoken = tmp_path / "lời chào.wav"
    voice = speaker.speak(GREETING, "vi", spoken)
    assert (voice.engine, voice.voice) == ("espeak-ng", "vi")
    assert voice.version[0].isdigit()
    assert 1.5 < length(spoken) < 8
    assert any(any(block) for block in blocks(spoken, 100))


def test_more_words_a_minute_take_less_time(speaker: Speaker, tmp_path: Path) -> None:
    slow, fast = tmp_path / "slow.wav", tmp_path / "fast.wav"
    speaker.speak(GREETING, "vi", slow, 100)
    speaker.speak(GREETING, "vi", fast, 250)
    assert length(fast) < 0.7 * length(slow)


def test_every_voice_on_the_list_exists(speaker: Speaker, tmp_path: Path) -> None:
    for language in VOICES:
        assert isinstance(speaker.speak("xin chào", language, tmp_path / f"{language}.wav"), Voice)


def test_text_is_never_taken_for_an_option_or_for_markup(speaker: Speaker, tmp_path: Path) -> None:
    canary = tmp_path / "canary.wav"
    speaker.speak(f'-w {canary} <audio src="{canary}"/> [[vi]] xin chào', "vi", tmp_path / "a.wav")
    assert not canary.exists()


def test_nothing_to_say_and_too_much_to_say_are_refused(speaker: Speaker, tmp_path: Path) -> None:
    assert refusal(speaker, tmp_path / "a.wav", " \n…!").code == "zero_length"
    error = refusal(speaker, tmp_path / "a.wav", "a " * MAX_CHARACTERS)
    assert (error.code, error.params["limit_characters"]) == ("too_long", MAX_CHARACTERS)


def test_a_language_without_a_voice_is_refused(speaker: Speaker, tmp_path: Path) -> None:
    error = refusal(speaker, tmp_path / "a.wav", "nyob zoo", "hmn")
    assert (error.code, error.params["language"]) == ("unsupported", "hmn")


def test_a_whole_page_is_spoken(speaker: Speaker, tmp_path: Path) -> None:
    speaker.speak(GREETING * 60, "vi", tmp_path / "a.wav", 300)
    assert length(tmp_path / "a.wav") > 60


@pytest.mark.parametrize("find", [find_speaker, find_library_speaker])
def test_too_little_room_for_a_speech_is_seen_before(find: Callable[[Limits], Speaker], tmp_path: Path) -> None:
    assert refusal(find(Limits(free_bytes=1 << 60)), tmp_path / "a.wav", GREETING).code == "disk_full"


def test_a_crash_of_the_library_stays_in_its_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crash = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"]
    speaker = find_library_speaker()
    monkeypatch.setattr(audio.speech, "library_command", lambda *_: crash)
    error = refusal(speaker, tmp_path / "a.wav", GREETING)
    assert (error.code, error.params["status"]) == ("speech_failed", -11)


def test_half_a_speech_is_not_kept_when_time_is_up(tmp_path: Path) -> None:
    hurried = find_library_speaker(Limits(timeout_seconds=0.5))
    assert refusal(hurried, tmp_path / "a.wav", GREETING * 1200).code == "timed_out"


def test_the_library_of_the_wheel_speaks_where_there_is_no_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert type(find_speaker()).__name__ == "LibrarySpeaker"


def test_no_speech_at_all_comes_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(audio.speech, "run_shut_in", lambda *_, **__: Finished(1, ()))
    with pytest.raises(AudioError) as caught:
        find_speaker()
    assert caught.value.code == "engine_missing"
    assert "apt-get install espeak-ng" in str(caught.value.params["install"])
