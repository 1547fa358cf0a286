"""The self-test's ear: tells a good, a weak and a dead loudspeaker apart, whatever else is to be heard."""

from array import array
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.horn import WavMicrophone, World, through
from firmware_bridge.node.amplifier import NullAmplifier
from firmware_bridge.node.hardware.microphone import NoMicrophone, NullMicrophone
from firmware_bridge.node.hearing import (
    BANDS,
    RATE,
    SECONDS,
    Heard,
    Levels,
    Verdict,
    compare,
    listen,
    reference_of,
    tones,
)
from firmware_bridge.node.players import Desk, WavSink
from firmware_bridge.node.soundcheck import AFTER_S, AHEAD_S, SoundCheck
from tests.firmware_bridge.builders import NOON

PLAYED = np.concatenate([np.zeros(round(AHEAD_S * RATE)), np.array(tones(), float), np.zeros(round(AFTER_S * RATE))])
QUIET = 60.0
"""dB of signal over noise."""
LOSSES = {Verdict.GOOD: 0.0, Verdict.WEAK: -12.0, Verdict.SILENT: None}


def heard(seed: int, snr_db: float, gain_db: float | None) -> Levels:
    return listen(through(PLAYED, gain_db, World(seed, snr_db), RATE))


REFERENCE = reference_of(heard(0, QUIET, 0.0))


def test_every_band_is_measured_at_installation() -> None:
    assert set(REFERENCE) == set(BANDS)
    assert max(REFERENCE.values()) - min(REFERENCE.values()) < 1.0


@pytest.mark.parametrize("expected", LOSSES)
def test_good_weak_and_silent_are_told_apart_each_time_with_noise_around(expected: Verdict) -> None:
    verdicts = [compare(REFERENCE, heard(seed, snr, LOSSES[expected])).verdict
                for seed, snr in enumerate([20, 10, 6, 3, 0] * 7)]
    assert set(verdicts) == {expected}


def test_how_much_is_lost_is_told_for_each_band() -> None:
    told = compare(REFERENCE, heard(7, 20.0, -12.0)).bands
    assert all(loss == pytest.approx(-12.0, abs=0.5) for loss in told.values())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(list(LOSSES)), st.floats(-30.0, 0.0))
def test_whatever_the_noise_a_bad_loudspeaker_is_never_good_and_a_good_one_never_silent(
        seed: int, state: Verdict, snr_db: float) -> None:
    verdict = compare(REFERENCE, heard(seed, snr_db, LOSSES[state])).verdict
    if state is Verdict.SILENT:
        assert verdict in (Verdict.SILENT, Verdict.UNCLEAR)
    if state is Verdict.GOOD:
        assert verdict is not Verdict.SILENT


def test_noise_over_everything_leaves_the_question_open() -> None:
    assert compare(REFERENCE, heard(3, -25.0, None)).verdict is Verdict.UNCLEAR


def test_silence_is_no_reference_and_half_a_recording_nothing_to_listen_to() -> None:
    with pytest.raises(ValueError, match="too little"):
        reference_of(heard(1, QUIET, None))
    with pytest.raises(ValueError, match="were recorded"):
        listen(array("h", [0] * round(SECONDS * RATE - 1)))
    with pytest.raises(ValueError, match="no tone"):
        compare({}, heard(1, QUIET, 0.0))


def check(folder: Path, gain_db: list[float | None]) -> tuple[SoundCheck, Desk, NullAmplifier]:
    desk, amplifier = Desk(WavSink(folder / "pole.wav", RATE)), NullAmplifier()
    desk.start(lambda report: None)
    ear = WavMicrophone(folder / "pole.wav", World(5, 10.0), lambda: gain_db[0])
    return SoundCheck(desk, amplifier, ear, folder), desk, amplifier


def test_the_tones_go_out_by_the_player_and_come_back_by_the_wav(tmp_path: Path) -> None:
    gain: list[float | None] = [0.0]
    sound, desk, amplifier = check(tmp_path, gain)
    assert sound.test() is None, "there is no reference yet"
    taken = sound.take_reference(NOON)
    assert sound.reference() == taken
    gain[0] = -12.0
    told = sound.test()
    desk.close()
    assert isinstance(told, Heard)
    assert told.verdict is Verdict.WEAK
    assert not amplifier.on


def test_without_a_microphone_no_tone_lasts(tmp_path: Path) -> None:
    sound, desk, amplifier = check(tmp_path, [0.0])
    deaf = SoundCheck(desk, amplifier, NullMicrophone(), tmp_path)
    with pytest.raises(NoMicrophone):
        deaf.take_reference(NOON)
    desk.close()
    assert not amplifier.on
    assert sound.reference() is None
