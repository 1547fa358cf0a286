"""Who may join the broker: every node in service with its literal rights, and the server itself."""

from collections.abc import Iterator

import structlog
from sqlmodel import Session, col, select

from firmware_bridge.bridge.broker import BrokerError, BrokerUser
from firmware_bridge.contract.topics import node_rights
from loudspeaker.conductor.house import House
from loudspeaker.database import after_commit
from loudspeaker.nodes.models import NextCredentials, Node
from loudspeaker.places.models import Place, ZoneNode

log = structlog.get_logger("rights")


def broker_users(session: Session, site: str) -> Iterator[BrokerUser]:
    """One login (two while credentials change) per node that has a key: its own topics, and the commands of its places
    and zones. By id."""
    zones: dict[str, list[str]] = {}
    for row in session.exec(select(ZoneNode).order_by(col(ZoneNode.zone_id))):
        zones.setdefault(row.node_id, []).append(row.zone_id)
    rows = session.exec(select(Node, Place.path, NextCredentials)
                        .join(Place, col(Place.id) == col(Node.place_id))
                        .outerjoin(NextCredentials, col(NextCredentials.node_id) == col(Node.id))
                        .where(col(Node.retired_at).is_(None), col(Node.revoked_at).is_(None), Node.public_key != "")
                        .order_by(col(Node.id)))
    for node, path, following in rows:
        rights = node_rights(site, node.id, (*path.strip("/").split("/"), *zones.get(node.id, ())))
        yield BrokerUser(login_of(node.id, node.credential), node.broker_secret, node.client_id, rights)
        if following is not None:
            yield BrokerUser(login_of(node.id, following.credential), following.broker_secret, following.client_id,
                             rights)


def login_of(node_id: str, credential: int) -> str:
    """A node's user name at the broker; while credentials change hands it has two. No node id has an underscore."""
    return f"{node_id}_{credential}" if credential else node_id


def refresh(house: House) -> None:
    """Bring the broker's users to what the database says; nothing happens while they are the same.

    Raises BrokerError.
    """
    if house.broker is None or house.broker_login is None:
        return
    with house.broker_lock:
        with house.database.read() as session:
            users = (house.broker_login, *broker_users(session, house.site))
        if users != house.broker_users:
            house.broker.set_users(users)
            house.broker_users = users


def keep_fresh(house: House) -> None:
    """`refresh` that leaves a broker's failure to the next round: what was stored is stored."""
    try:
        refresh(house)
    except (BrokerError, OSError) as failure:
        log.error("rights not in force", failure=str(failure))


def poles_changed(session: Session, house: House) -> None:
    """After this unit of work: new rights at the broker, new orders, news for open pages."""
    after_commit(session, house.nodes_outdated)
    after_commit(session, lambda: keep_fresh(house))
    after_commit(session, house.outdated)
    after_commit(session, lambda: house.hub.announce("nodes"))
