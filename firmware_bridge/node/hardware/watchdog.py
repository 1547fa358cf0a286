"""Watchdogs: who is not told in time that the node is well starts it, or the whole machine, anew."""

import os
import socket
from collections.abc import Iterable
from typing import Protocol


class Watchdog(Protocol):
    """Wants to be told again and again that all is well."""

    def pat(self) -> None:
        """All is well. Raises OSError."""

    def close(self) -> None:
        """The node ends on purpose: nobody need be alarmed."""


class NullWatchdog:
    """Nobody watches; counts how often it was told."""

    def __init__(self) -> None:
        self.pats = 0

    def pat(self) -> None:
        """Count."""
        self.pats += 1

    def close(self) -> None:
        """Nothing to end."""


class DeviceWatchdog:
    """The machine's own (`/dev/watchdog`): resets the board when it is not written to. Raises OSError."""

    def __init__(self, device: str) -> None:
        self._device = os.open(device, os.O_WRONLY | os.O_CLOEXEC)

    def pat(self) -> None:
        """Write to it."""
        os.write(self._device, b"1")

    def close(self) -> None:
        """Disarm it, where its driver allows that: `V` is the kernel's word for it."""
        os.write(self._device, b"V")
        os.close(self._device)


class SystemdWatchdog:
    """systemd's, by its notification socket (sd_notify(3)): `READY=1` with the first word, then `WATCHDOG=1`."""

    def __init__(self, address: str) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._is_ready = False

    def pat(self) -> None:
        """Tell."""
        self._send("WATCHDOG=1" if self._is_ready else "READY=1\nWATCHDOG=1")
        self._is_ready = True

    def close(self) -> None:
        """Say goodbye."""
        try:
            self._send("STOPPING=1")
        finally:
            self._socket.close()

    def _send(self, text: str) -> None:
        self._socket.sendto(text.encode(), self._address)


class Watchdogs:
    """Several as one."""

    def __init__(self, watchdogs: Iterable[Watchdog]) -> None:
        self._watchdogs = tuple(watchdogs)

    def pat(self) -> None:
        """Tell each."""
        for one in self._watchdogs:
            one.pat()

    def close(self) -> None:
        """End each."""
        for one in self._watchdogs:
            one.close()
