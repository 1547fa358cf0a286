"""The switch of the amplifier: off unless a verified order opens it."""

from typing import Protocol


class Amplifier(Protocol):
    """A relay, a GPIO line, or nothing."""

    def switch(self, on: bool) -> None:
        """Open or close. Raises OSError."""


class NullAmplifier:
    """No amplifier to switch; remembers what it was told."""

    def __init__(self) -> None:
        self.on = False

    def switch(self, on: bool) -> None:
        """Remember."""
        self.on = on
