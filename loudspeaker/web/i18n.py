"""What a page says, in the reader's language: sentences by gettext, and dates, durations and numbers as written there.

Sentences in the code are English; the Vietnamese catalogue is the one that most people see.
"""

import datetime as dt
import gettext
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from babel.numbers import format_decimal

from loudspeaker.versions import made_at

Language = Literal["vi", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
DEFAULT_LANGUAGE: Language = "vi"
LANGUAGE_COOKIE = "lang"
CATALOGUES = Path(__file__).parent.parent / "translations"


class CatalogueNotBuilt(RuntimeError):
    """The compiled catalogue of a language is missing."""


def marked(message: str) -> str:
    """Mark a sentence for the catalogue where it is written but not yet shown; translate it later with gettext."""
    return message


WEEKDAYS = (
    marked("Monday"),
    marked("Tuesday"),
    marked("Wednesday"),
    marked("Thursday"),
    marked("Friday"),
    marked("Saturday"),
    marked("Sunday"),
)


def choose_language(asked: str | None, remembered: str | None) -> Language:
    """The language of a request: what `?lang=` asks for, else what the cookie remembers, else Vietnamese."""
    for wish in (asked, remembered):
        for language in LANGUAGES:
            if wish == language:
                return language
    return DEFAULT_LANGUAGE


class Translator:
    """Sentences and formats of one language, with instants shown in one time zone."""

    def __init__(self, language: Language, zone: dt.tzinfo, catalogue: gettext.NullTranslations) -> None:
        self.language = language
        self.zone = zone
        self.catalogue = catalogue

    def gettext(self, message: str, **values: object) -> str:
        """The sentence with its `%(name)s` filled in. A literal percent sign is written `%%`."""
        return self.catalogue.gettext(message) % values

    def ngettext(self, one: str, many: str, n: int, **values: object) -> str:
        """The sentence that fits the count, which is also filled in as `%(n)s`, grouped as the language does."""
        return self.catalogue.ngettext(one, many, n) % {"n": self.number(n), **values}

    def weekday(self, value: dt.date | dt.datetime) -> str:
        return self.gettext(WEEKDAYS[self._day(value).weekday()])

    def short_date(self, value: dt.date | dt.datetime) -> str:
        """`15/03/2026`"""
        return f"{self._day(value):%d/%m/%Y}"

    def date(self, value: dt.date | dt.datetime) -> str:
        """`Chủ nhật 15/03/2026`"""
        return f"{self.weekday(value)} {self.short_date(value)}"

    def datetime(self, instant: dt.datetime) -> str:
        """`Chủ nhật 15/03/2026 05:30`"""
        return f"{self.date(instant)} {self.clock(instant)}"

    def clock(self, instant: dt.datetime, seconds: bool = False) -> str:
        """`05:30`, or `05:30:07`"""
        return f"{self._local(instant):{'%H:%M:%S' if seconds else '%H:%M'}}"

    def duration(self, length: dt.timedelta | float) -> str:
        """`8 phút 10 giây`; seconds when a number is given. The two largest units that are not zero."""
        total = round(length.total_seconds() if isinstance(length, dt.timedelta) else length)
        days, rest = divmod(max(total, 0), 86_400)
        hours, rest = divmod(rest, 3_600)
        minutes, seconds = divmod(rest, 60)
        parts = [
            (days, self.ngettext("%(n)s day", "%(n)s days", days)),
            (hours, self.ngettext("%(n)s hour", "%(n)s hours", hours)),
            (minutes, self.ngettext("%(n)s minute", "%(n)s minutes", minutes)),
            (seconds, self.ngettext("%(n)s second", "%(n)s seconds", seconds)),
        ]
        first = next((i for i, (count, _) in enumerate(parts) if count), len(parts) - 1)
        return " ".join(words for i, (count, words) in enumerate(parts[first : first + 2]) if count or not i)

    def version(self, version: int) -> str:
        """When an order of this version was made, `05:30:07 15/03`; a dash for none."""
        if version == 0:
            return "–"
        made = self._local(made_at(version))
        return f"{made:%H:%M:%S %d/%m}"

    def number(self, value: float, digits: int = 0) -> str:
        """`1.234,5` in Vietnamese, `1,234.5` in English, with so many digits after the mark; a true minus sign."""
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        # adding zero takes the sign from a zero that was rounded from below
        rounded = round(value, digits) + 0.0
        return format_decimal(rounded, format=pattern, locale=self.language).replace("-", "\N{MINUS SIGN}")

    def size(self, count: int) -> str:
        """Bytes as people read them: `640 kB`, `12,4 MB`."""
        for unit, scale, digits in (("GB", 10**9, 1), ("MB", 10**6, 1), ("kB", 10**3, 0)):
            if count >= scale:
                return f"{self.number(count / scale, digits)} {unit}"
        return f"{self.number(count)} B"

    def _local(self, instant: dt.datetime) -> dt.datetime:
        if instant.tzinfo is None:
            raise ValueError("An instant without a time zone cannot be shown.")
        return instant.astimezone(self.zone)

    def _day(self, value: dt.date | dt.datetime) -> dt.date:
        return self._local(value).date() if isinstance(value, dt.datetime) else value


def load_translators(zone: dt.tzinfo = dt.UTC, folder: Path = CATALOGUES) -> dict[Language, Translator]:
    """One translator per language; CatalogueNotBuilt when a compiled catalogue is missing."""
    return {language: Translator(language, zone, _catalogue(language, folder)) for language in LANGUAGES}


def browser_catalogue(
    translator: Translator, sentences: Sequence[str | tuple[str, str]]
) -> Mapping[str, str]:
    """The translations that a TypeScript module needs, by the English singular; those that differ from it."""
    catalogue: dict[str, str] = {}
    for sentence in sentences:
        one, many = sentence if isinstance(sentence, tuple) else (sentence, None)
        found = translator.catalogue.gettext(one) if many is None else translator.catalogue.ngettext(one, many, 2)
        if found not in (one, many):
            catalogue[one] = found
    return catalogue


def _catalogue(language: Language, folder: Path) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    path = folder / language / "LC_MESSAGES" / "messages.mo"
    if not path.exists():
        raise CatalogueNotBuilt(f"The catalogue {path} is not compiled: run `make setup`.")
    with path.open("rb") as compiled:
        return gettext.GNUTranslations(compiled)
