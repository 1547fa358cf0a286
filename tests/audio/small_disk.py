"""Run as a script on a disk that is soon full: print the code of the failure and what it left."""

import sys
from pathlib import Path

from audio.engine import Engine
from audio.errors import AudioError
from audio.limits import Limits
from audio.recipe import Part, Recipe, render
from audio.store import ContentStore


def main(disk: Path, what: str, *arguments: str) -> None:
    try:
        if what == "render":
            # the floor is off, so that the failing write itself is met
            limits = Limits(free_bytes=-(1 << 40))
            render(Engine(Path(arguments[0]), limits), Recipe((Part(Path(arguments[1])),)), disk)
        else:
            ContentStore(disk, free_bytes=-(1 << 40)).add(Path(arguments[0]))
    except AudioError as error:
        print(error.code, sorted(path.name for path in disk.rglob("*") if path.is_file()))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
