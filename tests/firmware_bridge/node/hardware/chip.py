"""The other end of the stand-in's line: what a relay with a pull-down would do."""

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STAND_INS = Path(__file__).parent / "stand_ins"


class Chip:
    """Levels of one line as they came: (monotonic, high)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.levels: list[tuple[float, bool]] = [(time.monotonic(), False)]
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def is_high(self) -> bool:
        return self.levels[-1][1]

    def wait(self, high: bool, seconds: float = 20) -> float:
        """When the line became so."""
        deadline = time.monotonic() + seconds
        while self.is_high is not high:
            assert time.monotonic() < deadline, self.levels
            time.sleep(0.002)
        return self.levels[-1][0]

    def close(self) -> None:
        self._server.close()

    def _run(self) -> None:
        while True:
            try:
                held, _ = self._server.accept()
            except OSError:
                return
            with held:
                while level := held.recv(1):
                    self._note(level == b"1")
            self._note(False)

    def _note(self, high: bool) -> None:
        if high is not self.is_high:
            self.levels.append((time.monotonic(), high))


@contextmanager
def chip(folder: Path) -> Iterator[Chip]:
    """A chip whose socket is in `folder`."""
    held = Chip(folder / "chip")
    try:
        yield held
    finally:
        held.close()


def stand_in_path() -> dict[str, str]:
    """The environment in which `import gpiod` finds the stand-in."""
    return {"PYTHONPATH": f"{STAND_INS}:{':'.join(one for one in sys.path if one)}"}
