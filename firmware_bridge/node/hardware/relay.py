"""The amplifier's relay."""

from typing import Protocol

try:
    import gpiod
    from gpiod.line import Direction, Value
except ImportError:  # the extra `pole` is not installed
    gpiod = None  # type: ignore[assignment]


class Relay(Protocol):
    """Switches the amplifier's power or its mute input. Off from the moment it is connected."""

    def switch(self, on: bool) -> None:
        """Switch. Raises OSError."""

    def close(self) -> None:
        """Off, and let go."""


class NullRelay:
    """No relay; remembers what it was told."""

    def __init__(self) -> None:
        self.on = False

    def switch(self, on: bool) -> None:
        """Remember."""
        self.on = on

    def close(self) -> None:
        """Off."""
        self.on = False


class GpioRelay:
    """A relay on a GPIO line, by libgpiod 2. The kernel takes the line back when the process ends, however it ends.

    Raises OSError when the library, the chip or the line is not there, or somebody else holds the line.
    """

    def __init__(self, chip: str, line: int | str, active_low: bool = False) -> None:
        if gpiod is None:
            raise OSError("libgpiod is not installed: pip install 'loudspeaker[pole]'")
        self._line = line
        settings = gpiod.LineSettings(direction=Direction.OUTPUT, active_low=active_low, output_value=Value.INACTIVE)
        try:
            self._request = gpiod.request_lines(chip, {line: settings}, consumer="loudspeaker-node")
        except (OSError, ValueError) as error:
            raise OSError(f"{chip}, line {line}: {error}") from error

    def switch(self, on: bool) -> None:
        """Drive the line."""
        self._request.set_value(self._line, Value.ACTIVE if on else Value.INACTIVE)

    def close(self) -> None:
        """Drive it off, then release it."""
        try:
            self.switch(False)
        finally:
            self._request.release()
