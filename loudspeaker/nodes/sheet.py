"""A table of poles, as a spreadsheet program saves it: read tolerantly, and every mistake told by line and column.

Comma, semicolon or tab; UTF-8 with or without its mark, UTF-16, or the old Vietnamese code page; headings in Vietnamese
or English, with or without marks; a comma as decimal point.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loudspeaker.errors import marked
from loudspeaker.nodes.service import LONGEST_NAME
from loudspeaker.places.tree import LANGUAGE

MAX_BYTES = 1024 * 1024
MOST_ROWS = 2000
LONGEST_LOCATION = 200
HEADINGS: Mapping[str, tuple[str, ...]] = {
    "name": ("ten cum loa", "ten", "cum loa", "name"),
    "place": ("thon", "dia ban", "thon ban", "place", "village"),
    "location": ("vi tri", "noi dat", "location"),
    "latitude": ("vi do", "latitude", "lat"),
    "longitude": ("kinh do", "longitude", "lon", "lng"),
    "volume": ("am luong", "volume"),
    "languages": ("tieng", "ngon ngu", "languages"),
}
TEMPLATE = ("Tên cụm loa;Thôn;Vị trí;Vĩ độ;Kinh độ;Âm lượng;Tiếng\r\n"
            "Đồng Tâm 1;Thôn Đồng Tâm;Cạnh nhà văn hóa;21,7041;105,3922;80;vi tyz\r\n")
"""With semicolons, as spreadsheet programs set to Vietnamese expect."""

BAD_VOLUME = marked("The volume is 0 to 100 percent.")
BAD_NUMBER = marked("“%(given)s” is not a number such as 21.7041.")


@dataclass(frozen=True)
class Mistake:
    """What is wrong, where: `line` counts from 1 with the headings, `column` is the heading as it stands there."""

    line: int
    column: str
    sentence: str
    """English message id."""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PoleRow:
    """One pole to be added."""

    line: int
    name: str
    place_id: str
    place_name: str
    location: str = ""
    latitude: float | None = None
    longitude: float | None = None
    volume: int = 80
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """What was read. Nothing may be made of `rows` while there are mistakes."""

    rows: Sequence[PoleRow]
    mistakes: Sequence[Mistake]


@dataclass(frozen=True)
class KnownPlace:
    """A place where poles may be added, and the names of those that stand there."""

    id: str
    name: str
    identifier: str
    taken: frozenset[str]
    """Casefolded."""


UNREADABLE = Mistake(1, "", marked("The table cannot be read. Save it as CSV and bring it again."))


def text_of(raw: bytes) -> str | None:
    """The file as text; None where it is none."""
    if len(raw) > MAX_BYTES:
        return None
    marks = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
    known = next((name for mark, name in marks.items() if raw.startswith(mark)), None)
    for encoding in [known] if known else ["utf-8", "cp1258"]:
        try:
            text = unicodedata.normalize("NFC", raw.decode(encoding))
        except UnicodeDecodeError:
            continue
        return None if "\0" in text else text
    return None


def read(text: str, places: Sequence[KnownPlace]) -> Sheet:
    """Every pole of the table, or every mistake in it."""
    lines = _lines(text)
    if lines is None:
        return _only(UNREADABLE)
    if len(lines) < 2:
        return _only(Mistake(1, "", marked("The table has no poles. The first line is headings, each further line a "
                                           "pole.")))
    if len(lines) > MOST_ROWS + 1:
        return _only(Mistake(MOST_ROWS + 2, "", marked("More than %(most)s poles at once; split the table."),
                             {"most": MOST_ROWS}))
    headings = lines[0][1]
    columns = {key: at for at, heading in enumerate(headings) if (key := _column(heading)) is not None}
    missing = [marked("The column “Tên cụm loa” is missing.")] * ("name" not in columns) + [
        marked("The column “Thôn” is missing.")] * ("place" not in columns)
    if missing:
        return Sheet([], [Mistake(1, "", one) for one in missing])
    reader = _Reader(columns, headings, places)
    rows = [reader.row(number, cells) for number, cells in lines[1:]]
    return Sheet([one for one in rows if one is not None] if not reader.mistakes else [], reader.mistakes)


class _Reader:
    """Reads rows one by one, gathering mistakes and the names that are taken."""

    def __init__(self, columns: Mapping[str, int], headings: Sequence[str], places: Sequence[KnownPlace]) -> None:
        self.mistakes: list[Mistake] = []
        self._columns, self._headings, self._places = columns, headings, places
        self._taken = {place.id: dict.fromkeys(place.taken, 0) for place in places}
        self._line, self._cells = 0, [""]

    def row(self, line: int, cells: list[str]) -> PoleRow | None:
        self._line, self._cells = line, cells
        if len(cells) > len(self._headings):
            self._wrong("", marked("There are more cells than headings."))
        place = self._place()
        name = self._name(place)
        location, volume = self._cell("location"), self._number("volume", 80, int, 0, 100)
        if len(location) > LONGEST_LOCATION:
            self._wrong("location", marked("At most %(most)s letters."), most=LONGEST_LOCATION)
        latitude = self._number("latitude", None, float, -90, 90)
        longitude = self._number("longitude", None, float, -180, 180)
        if (latitude is None) != (longitude is None) and not self._told("latitude", "longitude"):
            self._wrong("latitude", marked("Latitude and longitude belong together."))
        languages = tuple(dict.fromkeys(re.split(r"[\s,/+]+", self._cell("languages"))) if self._cell("languages")
                          else ())
        if any(not LANGUAGE.fullmatch(one) for one in languages):
            self._wrong("languages", marked("A language is written as its ISO 639 code: vi, hmn, tai, ium, tyz."))
        if place is None or not name:
            return None
        return PoleRow(line, name, place.id, place.name, location, latitude, longitude, int(volume or 0), languages)

    def _name(self, place: KnownPlace | None) -> str:
        name = self._cell("name")
        if not name:
            self._wrong("name", marked("The name is missing."))
        elif len(name) > LONGEST_NAME:
            self._wrong("name", marked("At most %(most)s letters."), most=LONGEST_NAME)
        elif place is not None:
            before = self._taken[place.id].setdefault(name.casefold(), self._line)
            if before == 0:
                self._wrong("name", marked("There is a loudspeaker “%(name)s” there already."), name=name)
            elif before != self._line:
                self._wrong("name", marked("“%(name)s” stands in line %(line)s already."), name=name, line=before)
        return name

    def _place(self) -> KnownPlace | None:
        wanted = self._cell("place").casefold()
        if not wanted:
            self._wrong("place", marked("The place is missing."))
            return None
        fitting = [one for one in self._places if wanted in (one.id, one.name.casefold(), one.identifier.casefold())]
        fitting = fitting or [one for one in self._places if _bare(one.name) == _bare(wanted)]
        if len(fitting) == 1:
            return fitting[0]
        self._wrong("place", marked("Several places are called “%(name)s”; write its electronic identifier.") if fitting
                    else marked("There is no place “%(name)s” where you may add poles."), name=self._cell("place"))
        return None

    def _number(self, key: str, otherwise: float | None, kind: Callable[[str], float], low: float,
                high: float) -> float | None:
        given = self._cell(key)
        if not given:
            return otherwise
        try:
            value = kind(given.replace(",", ".").removesuffix("%"))
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            self._wrong(key, BAD_NUMBER if kind is float else BAD_VOLUME, given=given[:40])
            return None
        return value

    def _cell(self, key: str) -> str:
        at = self._columns.get(key)
        return " ".join(self._cells[at].split()) if at is not None and at < len(self._cells) else ""

    def _told(self, *keys: str) -> bool:
        headings = {self._headings[self._columns[one]] for one in keys if one in self._columns}
        return any(one.line == self._line and one.column in headings for one in self.mistakes)

    def _wrong(self, key: str, sentence: str, **params: Any) -> None:
        at = self._columns.get(key)
        self.mistakes.append(Mistake(self._line, self._headings[at] if at is not None else "", sentence, params))


def _lines(text: str) -> list[tuple[int, list[str]]] | None:
    """Line number and cells of every line that is not empty; None where it is no table."""
    text = text.removeprefix("\ufeff")
    first = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(";,\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return list(_numbered(reader))
    except csv.Error:
        return None


def _numbered(reader: Any) -> Iterator[tuple[int, list[str]]]:
    begun = 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield begun, [cell.strip() for cell in cells]
        begun = reader.line_num + 1


def _bare(name: str) -> str:
    """A place's name without what kind of place it is."""
    return re.sub(r"^(thôn|bản|làng|xóm|ấp|buôn|tổ dân phố|khu phố|xã|phường)\s+", "", name.casefold())


def _column(heading: str) -> str | None:
    marked_off = unicodedata.normalize("NFD", heading.casefold().replace("đ", "d"))
    plain = " ".join(re.sub(r"[^a-z0-9]+", " ", "".join(
        letter for letter in marked_off if not unicodedata.combining(letter))).split())
    return next((key for key, names in HEADINGS.items() if plain in names), None)


def _only(mistake: Mistake) -> Sheet:
    return Sheet([], [mistake])
