"""What can go wrong on the wire."""

from firmware_bridge.wire.address import Address


class WireError(Exception):
    """Root of the wire's errors."""


class NotConnected(WireError):
    """There is no broker to hand the message to; it was not kept."""


class Congested(WireError):
    """More is waiting to be sent than the connection may hold; the message was not kept."""


class CannotConnect(WireError):
    """One address could not be joined: not reachable, or it refused the login."""

    def __init__(self, address: Address, why: str) -> None:
        super().__init__(f"{address.host}:{address.port}: {why}")
        self.address = address
        self.why = why


class ConnectionLost(WireError):
    """The broker closed the connection, or fell silent."""


class SubscriptionRefused(WireError):
    """The broker does not allow these filters; the connection stays."""

    def __init__(self, filters: tuple[str, ...]) -> None:
        super().__init__(", ".join(filters))
        self.filters = filters
