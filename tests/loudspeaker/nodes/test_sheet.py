"""A table of poles from any spreadsheet: read as it comes, and every mistake told by its line and column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loudspeaker.nodes import sheet
from loudspeaker.nodes.sheet import KnownPlace, Mistake, Sheet, read, text_of

PLACES = [KnownPlace("p1", "Thôn Đồng Tâm", "000.01.H60", frozenset({"cũ"})),
          KnownPlace("p2", "Tân Bắc", "000.02.H60", frozenset()),
          KnownPlace("p3", "Na Lừa", "000.03.H60", frozenset()), KnownPlace("p4", "Na Lừa", "000.04.H60", frozenset())]
HEAD = "Tên cụm loa;Thôn;Vị trí;Vĩ độ;Kinh độ;Âm lượng;Tiếng\n"


def told(found: Sheet) -> list[tuple[int, str]]:
    """Line and column of every mistake."""
    return [(one.line, one.column) for one in found.mistakes]


def test_a_full_line_and_a_short_one_are_read() -> None:
    found = read(HEAD + "Đồng Tâm 1;Thôn Đồng Tâm;Cạnh đình;21,7041;105,3922;70;vi tyz\nTân Bắc 1;tân bắc\n", PLACES)
    assert found.mistakes == []
    first, second = found.rows
    assert (first.name, first.place_id, first.location, first.volume) == ("Đồng Tâm 1", "p1", "Cạnh đình", 70)
    assert (first.latitude, first.longitude, first.languages) == (21.7041, 105.3922, ("vi", "tyz"))
    assert (second.place_id, second.latitude, second.volume, second.languages) == ("p2", None, 80, ())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "cp1258"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_it_does_not_matter_how_the_table_was_saved(encoding: str, delimiter: str) -> None:
    text = f"Tên{delimiter}Thôn\r\nCu Lao{delimiter}Tân Bac\r\n"
    places = [KnownPlace("p", "Tân Bac", "", frozenset())]
    raw = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else (
        text.replace("ê", "e\u0302").encode("utf-8") if encoding == "utf-8" else
        b"T\xean" + text[3:].encode("cp1258") if encoding == "cp1258" else text.encode(encoding))
    decoded = text_of(raw)
    assert decoded is not None
    found = read(decoded, places)
    assert found.mistakes == [], decoded
    assert found.rows[0].place_id == "p"


@pytest.mark.parametrize("headings", [
    "Tên cụm loa;Thôn", "TEN;THON", " name ; place ", "Cụm loa;Địa bàn", "ten cum loa;thon/ban"])
def test_headings_are_known_with_and_without_marks(headings: str) -> None:
    assert read(f"{headings}\nMột;Tân Bắc\n", PLACES).mistakes == []


def test_quoted_cells_may_hold_delimiters_and_lines() -> None:
    found = read('Tên;Thôn;Vị trí\n"Loa ""A""; to";Tân Bắc;"Cạnh\nđình"\nHai;Tân Bắc\n', PLACES)
    assert [(one.line, one.name, one.location) for one in found.rows] == [
        (2, 'Loa "A"; to', "Cạnh đình"), (4, "Hai", "")]


def test_every_mistake_is_told_with_its_line_and_column_and_nothing_is_kept() -> None:
    found = read(HEAD + "\n".join([
        ";Tân Bắc", "Một;Nơi nào", "Hai;", "Cũ;Thôn Đồng Tâm", "Ba;Tân Bắc", "BA;Tân Bắc", "Bốn;Na Lừa",
        "Năm;000.04.H60;;91;105", "Sáu;Tân Bắc;;21,1", "Bảy;Tân Bắc;;x;y", "Tám;Tân Bắc;;;;101",
        "Chín;Tân Bắc;;;;;tiếng Việt", "Mười;Tân Bắc;;;;;;;thừa", "x" * 81 + ";Tân Bắc", "Tốt;Tân Bắc"]), PLACES)
    assert found.rows == []
    assert told(found) == [
        (2, "Tên cụm loa"), (3, "Thôn"), (4, "Thôn"), (5, "Tên cụm loa"), (7, "Tên cụm loa"), (8, "Thôn"),
        (9, "Vĩ độ"), (10, "Vĩ độ"), (11, "Vĩ độ"), (11, "Kinh độ"), (12, "Âm lượng"), (13, "Tiếng"), (14, ""),
        (15, "Tên cụm loa")]


@pytest.mark.parametrize(("text", "mistakes"), [
    ("", [(1, "")]), ("\n\n", [(1, "")]), ("Tên;Thôn\n", [(1, "")]), ("một;hai\nx;y\n", [(1, ""), (1, "")]),
    ("Tên;Vị trí\nx;y\n", [(1, "")]), ('Tên;Thôn\n"x;Tân Bắc\n', [(1, "")])])
def test_what_is_no_table_of_poles_is_said_to_be_none(text: str, mistakes: list[tuple[int, str]]) -> None:
    assert told(read(text, PLACES)) == mistakes


def test_too_many_lines_are_refused_before_they_are_read() -> None:
    lines = "".join(f"Loa {number};Tân Bắc\n" for number in range(sheet.MOST_ROWS + 1))
    assert told(read("Tên;Thôn\n" + lines, PLACES)) == [(sheet.MOST_ROWS + 2, "")]


@pytest.mark.parametrize("raw", [b"\x00\x01\x02", b"a\x00b", b"\xff\xfea", b"x" * (sheet.MAX_BYTES + 1)])
def test_what_is_no_text_is_none(raw: bytes) -> None:
    assert text_of(raw) is None


@given(st.binary(max_size=400))
def test_no_bytes_whatever_make_it_fail(raw: bytes) -> None:
    text = text_of(raw)
    if text is not None:
        assert all(isinstance(one, Mistake) for one in read(text, PLACES).mistakes)


@given(st.lists(st.lists(st.text(max_size=20), max_size=9), max_size=6))
def test_no_table_whatever_makes_it_fail_and_rows_come_only_without_mistakes(table: list[list[str]]) -> None:
    found = read(HEAD + "\n".join(";".join(cells) for cells in table), PLACES)
    assert not (found.rows and found.mistakes)


def test_the_example_to_fill_in_is_read() -> None:
    places = [KnownPlace("p1", "Thôn Đồng Tâm", "", frozenset())]
    assert len(read(sheet.TEMPLATE, places).rows) == 1
