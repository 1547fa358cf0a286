"""Every failure has its sentences."""

import pytest

from audio.errors import CODES
from loudspeaker.bulletins.audio_words import AUDIO_WORDS, words_for


def test_every_code_of_the_audio_package_has_words() -> None:
    assert AUDIO_WORDS.keys() >= CODES


@pytest.mark.parametrize("code", sorted(AUDIO_WORDS))
def test_the_words_are_whole_sentences_that_can_be_filled_in(code: str) -> None:
    words = words_for(code, {})
    for sentence in (words.title, words.advice):
        assert sentence[0].isupper()
        assert (sentence % words.params).endswith(".")


def test_limits_stand_in_the_sentence() -> None:
    words = words_for("too_long", {"seconds": 9000, "limit_seconds": 3600})
    assert "60 minutes" in words.title % words.params


def test_a_spoken_text_has_words_of_its_own() -> None:
    assert "text" in words_for("too_long", {"limit_characters": 60_000}, spoken=True).title
    assert "text" in words_for("zero_length", {}, spoken=True).title
    assert "language" in words_for("unsupported", {"kind": "language"}).title


def test_a_code_of_a_newer_version_still_gets_words() -> None:
    assert words_for("something_new", {}).title
