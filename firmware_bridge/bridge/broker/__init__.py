"""The pipe between server and nodes: brokers that the server runs or may change, and a twin in memory."""

from firmware_bridge.bridge.broker.base import (
    Broker,
    BrokerError,
    BrokerMissing,
    BrokerRefused,
    BrokerUser,
    Endpoint,
    PortTaken,
    TlsFiles,
    new_secret,
    server_user,
)
from firmware_bridge.bridge.broker.dynsec import Admin
from firmware_bridge.bridge.broker.memory import MemoryBroker
from firmware_bridge.bridge.broker.mosquitto import Mosquitto
from firmware_bridge.bridge.broker.mosquitto_child import EmbeddedMosquitto, MosquittoProcess
from firmware_bridge.bridge.broker.nats import EmbeddedNats
from firmware_bridge.bridge.broker.nats_external import ExternalNats
from firmware_bridge.bridge.broker.several import SeveralBrokers

__all__ = [
    "Admin",
    "Broker",
    "BrokerError",
    "BrokerMissing",
    "BrokerRefused",
    "BrokerUser",
    "EmbeddedMosquitto",
    "EmbeddedNats",
    "Endpoint",
    "ExternalNats",
    "MemoryBroker",
    "Mosquitto",
    "MosquittoProcess",
    "PortTaken",
    "SeveralBrokers",
    "TlsFiles",
    "new_secret",
    "server_user",
]
