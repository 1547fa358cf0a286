"""What entries make of a playback does not depend on their order, nor on how often they come."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract.messages import Entry
from loudspeaker.playbacks.models import PlaybackState
from loudspeaker.playbacks.outcome import Outcome, apply
from tests.loudspeaker.builders import START

REASONS = st.sampled_from(["power", "late", "stopped", "cancelled"])


@st.composite
def entries(draw: st.DrawFn) -> tuple[str, Entry]:
    """An entry about one broadcast, of one of two journals; what it says depends on its key alone."""
    journal, seq = draw(st.sampled_from(["j1", "j2"])), draw(st.integers(1, 8))
    kind = ["play_start", "preempted", "resumed", "play_end", "play_missed", "play_end", "clock", "play_end"][seq - 1]
    heard = seq * 1000 + (500 if journal == "j2" else 0)
    said: dict[str, dict[str, Any]] = {
        "play_end": {"state": ["played", "partial", "unknown"][seq % 3], "heard_ms": heard, "planned_ms": 60_000},
        "play_missed": {"reason": "power"}}
    return journal, Entry(seq=seq, at=START + timedelta(seconds=seq), kind=kind, broadcast="b", data=said.get(kind, {}))


def outcome_of(said: list[tuple[str, Entry]], start: Outcome | None = None) -> Outcome:
    """All entries applied, in the order given."""
    outcome = start or Outcome(planned_ms=60_000)
    for journal, entry in said:
        outcome = apply(entry, journal, outcome)
    return outcome


@given(st.lists(entries(), max_size=12), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_give_the_same_outcome(said: list[tuple[str, Entry]], dice: object) -> None:
    shuffled = said * 3
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert outcome_of(shuffled) == outcome_of(said)


@given(st.lists(entries(), max_size=6), st.lists(entries(), max_size=6))
def test_applying_again_what_is_known_changes_nothing(first: list[tuple[str, Entry]],
                                                      second: list[tuple[str, Entry]]) -> None:
    known = outcome_of(first + second)
    assert outcome_of(first, known) == known


def test_nothing_said_is_awaiting() -> None:
    assert outcome_of([]).state == PlaybackState.AWAITING


def test_evidence_of_sound_outweighs_a_later_word_of_a_new_disk() -> None:
    played = Entry(seq=9, at=START, kind="play_end", broadcast="b",
                   data={"state": "played", "heard_ms": 60_000, "planned_ms": 60_000})
    missed = Entry(seq=1, at=START + timedelta(hours=1), kind="play_missed", broadcast="b", data={"reason": "power"})
    assert outcome_of([("old", played), ("new", missed)]).state == PlaybackState.PLAYED


def test_what_the_server_concluded_yields_to_the_node() -> None:
    concluded = Outcome(state=PlaybackState.MISSED, reason="not_held")
    missed = Entry(seq=1, at=START, kind="play_missed", broadcast="b", data={"reason": "power"})
    assert outcome_of([("j1", missed)], concluded).reason == "power"


def test_nonsense_in_an_entry_is_read_as_nothing() -> None:
    odd = Entry(seq=1, at=START, kind="play_end", broadcast="b", data={
        "state": ["played"], "heard_ms": -5, "planned_ms": "x", "segments": [1, {"at": "noon"}], "peak_dbfs": True,
        "reason": "a\x00b"})
    outcome = outcome_of([("j1", odd)])
    assert (outcome.state, outcome.heard_ms, outcome.peak_dbfs, outcome.reason) == ("unknown", 0, None, "ab")
