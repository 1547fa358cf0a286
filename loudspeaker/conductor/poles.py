"""Nodes, zones and places as pages change them: what moves a pole also changes rights, orders and open pages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from firmware_bridge.contract import envelope
from firmware_bridge.contract.nodeconfig import BrokerAddress, NodeConfig
from loudspeaker.conductor.house import ANYWHERE, House
from loudspeaker.conductor.rights import poles_changed
from loudspeaker.errors import UnavailableError
from loudspeaker.faults.models import FaultKind
from loudspeaker.faults.system import close_faults
from loudspeaker.nodes import service as nodes
from loudspeaker.nodes import zones
from loudspeaker.nodes.models import Node
from loudspeaker.nodes.service import NodeSecrets
from loudspeaker.places import service as places
from loudspeaker.places import tree
from loudspeaker.places.models import Place, Zone
from loudspeaker.playbacks.closing import close_for_retired
from loudspeaker.settings import is_loopback
from loudspeaker.trust.models import TrustDocument, TrustKind
from loudspeaker.users.access import Actor


@dataclass(frozen=True)
class NewNode:
    """A node and the content of its configuration file, which is never to be had again."""

    node: Node
    config: str = field(repr=False)

    @property
    def filename(self) -> str:
        """What the file is called."""
        return f"{self.node.id}.json"


def add_node(session: Session, house: House, actor: Actor, place_id: str, name: str, **given: Any) -> NewNode:
    """A new node (`given`: location, latitude, longitude, volume, languages) and its file."""
    made = nodes.add_node(session, actor, house.now(), place_id, name, **given)
    poles_changed(session, house)
    return NewNode(made.node, config_of(session, house, made).to_text())


def change_node(session: Session, house: House, actor: Actor, node_id: str, **given: Any) -> Node:
    """Change a node (`given`: see nodes.service.change_node)."""
    node = nodes.change_node(session, actor, house.now(), node_id, **given)
    poles_changed(session, house)
    return node


def retire_node(session: Session, house: House, actor: Actor, node_id: str) -> Node:
    """Take a node down for ever: what it had not told is closed as unknown, by this person."""
    node = nodes.retire(session, actor, house.now(), node_id)
    close_for_retired(session, actor, house.now(), node_id)
    close_faults(session, house.now(), FaultKind.OFFLINE, [node_id])
    poles_changed(session, house)
    return node


def save_zone(session: Session, house: House, actor: Actor, place_id: str, name: str, node_ids: Sequence[str],
              zone_id: str | None = None) -> Zone:
    """Make or change a zone."""
    zone = zones.save_zone(session, actor, house.now(), place_id, name, node_ids, zone_id)
    poles_changed(session, house)
    return zone


def remove_zone(session: Session, house: House, actor: Actor, zone_id: str) -> None:
    """Take a zone away."""
    zones.remove_zone(session, actor, house.now(), zone_id)
    poles_changed(session, house)


def change_place(session: Session, house: House, actor: Actor, place_id: str, **given: Any) -> Place:
    """Change a place (`given`: see places.service.change_place); languages and time zone change orders."""
    place = places.change_place(session, actor, house.now(), place_id, **given)
    poles_changed(session, house)
    return place


def move_place(session: Session, house: House, actor: Actor, place_id: str, parent_id: str) -> Place:
    """Put a place, with its nodes, below another one."""
    place = places.move_place(session, actor, house.now(), place_id, parent_id)
    poles_changed(session, house)
    return place


def archive_place(session: Session, house: House, actor: Actor, place_id: str) -> Place:
    """Take a place out of use; refused while nodes or places stand in it."""
    standing = nodes.nodes_standing_in(session, tree.get(session, place_id))
    return places.archive_place(session, actor, house.now(), place_id, standing)


def config_of(session: Session, house: House, made: NodeSecrets) -> NodeConfig:
    """The one file that makes a pole. Raises UnavailableError while the broker's address is not known."""
    node, place = made.node, tree.get(session, made.node.place_id)
    return NodeConfig(site=house.site, node=node.id, name=node.name, place_path=place.path_ids, zone=place.zone,
                      server=house.public_url, api_token=made.api_token,
                      brokers=brokers_of(house, node.id, node.broker_secret, node.client_id),
                      ca=house.tls.authority_pem if house.tls else None,
                      private_key=made.private_key, trust_root=_root(session))


def brokers_of(house: House, login: str, password: str, client_id: str) -> tuple[BrokerAddress, ...]:
    """The brokers with one login, as a pole's file names them. Raises UnavailableError while none is known."""
    if house.broker is None:
        raise UnavailableError("The broker is not running, so its address is not known.")
    return tuple(
        BrokerAddress(host=_reachable(house, one.host), port=one.port, username=login, password=password,
                      client_id=client_id, tls=one.tls, ca=one.ca.read_text() if one.ca else None)
        for one in house.broker.addresses)


def _root(session: Session) -> dict[str, Any]:
    row = session.exec(select(TrustDocument).where(TrustDocument.kind == TrustKind.ROOT)
                       .order_by(col(TrustDocument.version).desc()).limit(1)).first()
    if row is None:
        raise UnavailableError("The keys of this installation are not set up yet.")
    return envelope.to_dict(envelope.decode(row.envelope))


def _reachable(house: House, host: str) -> str:
    """A broker of ours that listens everywhere is reached where the pages are; so is one with a given certificate,
    which stands for that name."""
    given = house.tls is not None and not house.tls.own
    ours = host in (house.settings.broker_host, *ANYWHERE)
    return house.public_host if host in ANYWHERE or (given and ours and not is_loopback(host)) else host
