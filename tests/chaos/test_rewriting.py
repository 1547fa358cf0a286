"""Every edit to a log is found; the long form is a row of `make chaos`."""

from chaos import rewriting


def test_three_edits_of_every_kind_are_found() -> None:
    result = rewriting.run(3 * len(rewriting.EDITS), seed=7)
    assert result.edits == 3 * len(rewriting.EDITS)
    assert not result.missed
