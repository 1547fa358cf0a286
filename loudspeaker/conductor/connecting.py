"""The link to the nodes: the brokers with their users, and the bridge that talks through them."""

from collections.abc import Iterator
from contextlib import contextmanager

from firmware_bridge.bridge.broker import server_user
from firmware_bridge.bridge.server import Bridge
from loudspeaker.conductor import rights
from loudspeaker.conductor.brokers import brokers_of
from loudspeaker.conductor.house import House
from loudspeaker.conductor.journal_keys import JournalKeys


@contextmanager
def connect(house: House) -> Iterator[None]:
    """Run brokers and bridge until the block ends. Raises BrokerError (no program, port taken, refused)."""
    house.broker_login = server_user()
    house.broker = broker = brokers_of(house)
    rights.refresh(house)
    broker.start()
    house.renewed.append(broker.show_certificate)
    keys = JournalKeys(house)
    house.nodes_outdated = keys.outdated
    try:
        house.bridge = bridge = Bridge(
            [one.address_for(house.broker_login) for one in broker.addresses], house.site, house.keys.server,
            keys, house.now, on_broker=lambda _state: house.hub.announce("nodes"))
        bridge.start()
        try:
            yield
        finally:
            bridge.stop()
    finally:
        broker.stop()
