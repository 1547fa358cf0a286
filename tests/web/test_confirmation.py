"""The typed word, with and without Vietnamese marks."""

import pytest

from loudspeaker.web.confirmation import confirms
from tests.web.conftest import Node


@pytest.mark.parametrize(("typed", "word", "agreed"), [
    ("DỪNG", "DỪNG", True), ("dung", "DỪNG", True), (" Dừng ", "DỪNG", True), ("STOP", "DỪNG", False), ("", "", False),
    ("du\u0300\u031bng", "DỪNG", True), ("đồng tâm", "Dong Tam", True), ("dun", "DỪNG", False),
])
def test_case_and_marks_do_not_count_but_the_word_does(in_node: Node, typed: str, word: str, agreed: bool) -> None:
    assert confirms(typed, word) is agreed
    source = f'import {{ bare }} from "src/confirm"; answer(bare({typed!r}) === bare({word!r}) && {word!r} !== "");'
    assert in_node(source) is agreed
