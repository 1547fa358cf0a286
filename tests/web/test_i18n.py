"""Sentences, dates, durations and numbers in Vietnamese and English."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from loudspeaker.web.assets_manifest import Sentence
from loudspeaker.web.i18n import (
    CatalogueNotBuilt,
    Language,
    Translator,
    browser_catalogue,
    choose_language,
    load_translators,
)

ELECTION_MORNING = datetime(2026, 3, 14, 22, 30, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def translators(built_assets: Path) -> dict[Language, Translator]:
    return load_translators(ZoneInfo("Asia/Ho_Chi_Minh"))


def test_an_instant_is_shown_by_the_clock_on_the_wall(translators: dict[Language, Translator]) -> None:
    assert translators["vi"].datetime(ELECTION_MORNING) == "Chủ nhật 15/03/2026 05:30"
    assert translators["en"].datetime(ELECTION_MORNING) == "Sunday 15/03/2026 05:30"
    assert translators["vi"].clock(ELECTION_MORNING, seconds=True) == "05:30:07"
    assert translators["vi"].date(date(2026, 3, 16)) == "Thứ hai 16/03/2026"


def test_an_instant_without_a_zone_is_not_shown(translators: dict[Language, Translator]) -> None:
    with pytest.raises(ValueError, match="time zone"):
        translators["vi"].datetime(datetime(2026, 3, 15))  # noqa: DTZ001 - the defect under test


@pytest.mark.parametrize(("length", "vietnamese", "english"), [
    (490, "8 phút 10 giây", "8 minutes 10 seconds"),
    (0, "0 giây", "0 seconds"),
    (59.6, "1 phút", "1 minute"),
    (timedelta(hours=1, minutes=28), "1 giờ 28 phút", "1 hour 28 minutes"),
    (timedelta(days=2, minutes=5), "2 ngày", "2 days"),
    (-5, "0 giây", "0 seconds"),
])
def test_a_duration_has_at_most_two_units(
    translators: dict[Language, Translator], length: timedelta | float, vietnamese: str, english: str
) -> None:
    assert translators["vi"].duration(length) == vietnamese
    assert translators["en"].duration(length) == english


def test_numbers_are_written_as_in_the_language(translators: dict[Language, Translator]) -> None:
    assert translators["vi"].number(1234.56, 1) == "1.234,6"
    assert translators["en"].number(1234.56, 1) == "1,234.6"
    assert translators["vi"].number(-16.2, 1) == "\N{MINUS SIGN}16,2"
    assert translators["vi"].size(12_400_000) == "12,4 MB"
    assert translators["vi"].size(999) == "999 B"


@pytest.mark.parametrize(("asked", "remembered", "chosen"), [
    (None, None, "vi"), ("en", None, "en"), (None, "en", "en"),
    ("vi", "en", "vi"), ("fr", "en", "en"), ("../x", "", "vi"),
])
def test_the_switch_goes_before_the_cookie_and_vietnamese_before_the_rest(
    asked: str | None, remembered: str | None, chosen: str
) -> None:
    assert choose_language(asked, remembered) == chosen


def test_a_module_carries_only_translations_that_differ(translators: dict[Language, Translator]) -> None:
    sentences: list[Sentence] = ["Pause", ("%(n)s hour", "%(n)s hours")]
    assert browser_catalogue(translators["en"], sentences) == {}
    assert browser_catalogue(translators["vi"], sentences) == {"Pause": "Tạm dừng", "%(n)s hour": "%(n)s giờ"}


def test_a_catalogue_that_was_not_compiled_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(CatalogueNotBuilt, match="make setup"):
        load_translators(folder=tmp_path)
