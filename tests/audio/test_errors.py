import errno

import pytest

from audio.errors import CODES, AudioError


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_code_reads_as_plain_english(code: str) -> None:
    error = AudioError(code, part=1)  # type: ignore[arg-type]
    assert str(error) == f"{code.replace('_', ' ')} (part=1)"
    assert error.params == {"part": 1}


def test_no_room_is_told_from_other_trouble_with_a_disk() -> None:
    assert AudioError.from_os(OSError(errno.ENOSPC, "No space left on device")).code == "disk_full"
    assert AudioError.from_os(OSError(errno.EIO, "Input/output error")).params == {"detail": "Input/output error"}
