"""A stand-in for libgpiod on machines without GPIO: a chip is a Unix socket, a requested line a connection to it.

Like the kernel's, a line is gone when its file handle closes, and with it whatever the process had driven.
"""

import socket
from dataclasses import dataclass

from gpiod.line import Direction, Value


@dataclass(frozen=True)
class LineSettings:
    direction: Direction
    active_low: bool = False
    output_value: Value = Value.INACTIVE


class LineRequest:
    def __init__(self, chip: str, settings: LineSettings) -> None:
        self._settings = settings
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(chip)
        self.set_value(0, settings.output_value)

    def set_value(self, line: int | str, value: Value) -> None:
        del line
        active = value is Value.ACTIVE
        self._socket.sendall(b"1" if active != self._settings.active_low else b"0")

    def release(self) -> None:
        self._socket.close()


def request_lines(path: str, config: dict[int | str, LineSettings], consumer: str) -> LineRequest:
    del consumer
    (settings,) = config.values()
    return LineRequest(path, settings)
