"""The one family of failures of this package."""

import errno
from typing import Final, Literal, get_args

Code = Literal[
    "cancelled",
    "decode_failed",
    "disk_full",
    "empty_file",
    "engine_missing",
    "engine_stopped",
    "not_audio",
    "playlist",
    "silent",
    "speech_failed",
    "storage_failed",
    "timed_out",
    "too_large",
    "too_long",
    "truncated",
    "unknown_recording",
    "unsupported",
    "zero_length",
]
CODES: Final[frozenset[str]] = frozenset(get_args(Code))
Param = str | int | float


class AudioError(Exception):
    """Sound could not be handled; `code` is stable, `params` fill the sentence that the caller shows."""

    def __init__(self, code: Code, **params: Param) -> None:
        self.code: Code = code
        self.params = params
        details = ", ".join(f"{name}={value}" for name, value in sorted(params.items()))
        super().__init__(f"{code.replace('_', ' ')} ({details})" if details else code.replace("_", " "))

    @classmethod
    def from_os(cls, failure: OSError) -> "AudioError":
        """Translate a failing write: `disk_full` where there is no room, else `storage_failed`."""
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            return cls("disk_full")
        return cls("storage_failed", detail=failure.strerror or type(failure).__name__)
