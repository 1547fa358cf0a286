"""The pipe between server and nodes: one broker that the server runs itself, and its twin in memory."""

from firmware_bridge.bridge.broker.base import (
    Broker,
    BrokerError,
    BrokerMissing,
    BrokerRefused,
    BrokerUser,
    Endpoint,
    PortTaken,
    new_secret,
    server_user,
)
from firmware_bridge.bridge.broker.memory import MemoryBroker
from firmware_bridge.bridge.broker.nats import EmbeddedNats

__all__ = [
    "Broker",
    "BrokerError",
    "BrokerMissing",
    "BrokerRefused",
    "BrokerUser",
    "EmbeddedNats",
    "Endpoint",
    "MemoryBroker",
    "PortTaken",
    "new_secret",
    "server_user",
]
