"""The one door to MQTT: a connection that keeps itself up, and never drops a message without saying so."""

from firmware_bridge.wire.address import Address, Will
from firmware_bridge.wire.backoff import Backoff
from firmware_bridge.wire.connection import Connection
from firmware_bridge.wire.errors import (
    CannotConnect,
    Congested,
    ConnectionLost,
    NotConnected,
    SubscriptionRefused,
    WireError,
)

__all__ = [
    "Address",
    "Backoff",
    "CannotConnect",
    "Congested",
    "Connection",
    "ConnectionLost",
    "NotConnected",
    "SubscriptionRefused",
    "Will",
    "WireError",
]
