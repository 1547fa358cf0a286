"""Photos of faults: only JPEG and PNG by their own first bytes, at most 5 MB, stored under `<data>/photos`."""

import os
from pathlib import Path

from loudspeaker.errors import InvalidError, TooLargeError
from loudspeaker.faults.models import FaultPhoto

LARGEST_BYTES = 5 * 1024 * 1024
ENDINGS = {"image/jpeg": "jpg", "image/png": "png"}


def media_type_of(content: bytes) -> str:
    """`image/jpeg` or `image/png`, whatever the name says. Raises InvalidError, TooLargeError."""
    if len(content) > LARGEST_BYTES:
        raise TooLargeError("The photo is larger than 5 MB.", advice="Take it again with a lower resolution.")
    if content.startswith(b"\xff\xd8\xff") and content.rstrip(b"\x00").endswith(b"\xff\xd9"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n") and b"IEND" in content[-16:]:
        return "image/png"
    raise InvalidError("The photo is neither a JPEG nor a PNG picture.", field="photo",
                       advice="Take the photo with the phone's camera and send it again.")


def path_of(data: Path, photo: FaultPhoto) -> Path:
    """Where the bytes of a photo lie below the data folder."""
    return data / "photos" / f"{photo.id}.{ENDINGS[photo.media_type]}"


def keep(path: Path, content: bytes) -> None:
    """Write the bytes whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
