"""The link to the nodes: the embedded broker with its users, and the bridge that talks through it."""

from collections.abc import Iterator
from contextlib import contextmanager

from firmware_bridge.bridge.broker import EmbeddedNats, TlsFiles, server_user
from firmware_bridge.bridge.server import Bridge
from loudspeaker.conductor import rights
from loudspeaker.conductor.house import House
from loudspeaker.nodes.models import Node


@contextmanager
def connect(house: House) -> Iterator[None]:
    """Run broker and bridge until the block ends. Raises BrokerError (no program, port taken, refused)."""
    settings = house.settings
    house.broker_login = server_user()
    house.broker = broker = EmbeddedNats(settings.data / "broker", house.site, settings.broker_host,
                                         settings.broker_port, tls_files(house))
    rights.refresh(house)
    broker.start()
    house.renewed.append(broker.show_certificate)
    try:
        house.bridge = bridge = Bridge(
            broker.address.address_for(house.broker_login), house.site, house.keys.server,
            lambda node: _journal_key(house, node), house.now,
            on_broker=lambda _state: house.hub.announce("nodes"))
        bridge.start()
        try:
            yield
        finally:
            bridge.stop()
    finally:
        broker.stop()


def tls_files(house: House) -> TlsFiles | None:
    """What the embedded broker shows; the same as the pages."""
    return TlsFiles(house.tls.certificate, house.tls.key, house.tls.authority) if house.tls else None


def _journal_key(house: House, node_id: str) -> str | None:
    """The key that verifies a node's journal; a retired node may still tell how it ended."""
    with house.database.read() as session:
        node = session.get(Node, node_id)
    return node.public_key or None if node else None
