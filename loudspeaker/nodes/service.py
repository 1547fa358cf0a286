"""Nodes as people manage them: adding, changing, giving new credentials, retiring, and what is known of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import or_
from sqlmodel import Session, col, select

from firmware_bridge.contract import keys
from loudspeaker.audit.service import record
from loudspeaker.errors import ConflictError, InvalidError, NotFoundError
from loudspeaker.nodes.models import HeldRecording, Node, NodeHistory, NodeState
from loudspeaker.nodes.naming import free_id
from loudspeaker.places import tree
from loudspeaker.places.models import Place
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role
from loudspeaker.users.secrets import digest, new_secret

LONGEST_NAME = 80


@dataclass(frozen=True)
class NodeSecrets:
    """What only the node's configuration file may hold; the server keeps hashes and public halves."""

    node: Node
    private_key: str = field(repr=False)
    """Ed25519 seed, base64."""
    api_token: str = field(repr=False)


def add_node(session: Session, actor: Actor, now: datetime, place_id: str, name: str, location: str = "",
             latitude: float | None = None, longitude: float | None = None, volume: int = 80,
             languages: Sequence[str] = ()) -> NodeSecrets:
    """A new node at a place, with a key and credentials that the server makes: for samples, not for real poles.

    Administrators and technicians may. Real controllers make their own key: see `enrolment.expect_node`.

    Raises InvalidError (name, volume, languages), ConflictError (`name_taken`).
    """
    node = put_node(session, actor, now, place_id, name, location=location, latitude=latitude, longitude=longitude,
                    volume=volume, languages=languages)
    private, token = keys.new_key(), new_secret()
    node.public_key, node.api_token_hash = keys.public_to_base64(private), digest(token)
    session.add(node)
    session.flush()
    return NodeSecrets(node, keys.private_to_base64(private), token)


def put_node(session: Session, actor: Actor, now: datetime, place_id: str, name: str, **given: object) -> Node:
    """A new node at a place, whose controller has neither key nor credentials yet.

    `given` and the errors are those of `add_node`.
    """
    place = _open_place(session, actor, place_id)
    node = Node(id=free_id(session, name), place_id=place.id, name="", created_at=now, public_key="",
                client_id=new_secret(), broker_secret=new_secret(), api_token_hash=digest(new_secret()))
    _set(session, node, name=name, **given)
    session.add(NodeState(node_id=node.id, changed_at=now))
    session.flush()
    record(session, now, actor.user.id, "node.added", f"node:{node.id}", place.id, name=node.name)
    return node


def change_node(session: Session, actor: Actor, now: datetime, node_id: str, *, name: str | None = None,
                place_id: str | None = None, location: str | None = None, latitude: float | None = None,
                longitude: float | None = None, volume: int | None = None,
                languages: Sequence[str] | None = None) -> Node:
    """Change a node; what is None stays. Its id stays whatever its name becomes.

    A node that moves needs a new configuration file: the place path in it is what the node believes.
    """
    node = node_to_manage(session, actor, node_id)
    place = _open_place(session, actor, place_id) if place_id is not None else None
    changes = _set(session, node, name=name, location=location, latitude=latitude, longitude=longitude, volume=volume,
                   languages=languages, place_id=place.id if place else None)
    record(session, now, actor.user.id, "node.changed", f"node:{node.id}", node.place_id, changes=changes)
    return node


def retire(session: Session, actor: Actor, now: datetime, node_id: str) -> Node:
    """Take a node out of service for ever, by a named person; its credentials count no more."""
    node = node_to_manage(session, actor, node_id)
    node.retired_at, node.retired_by = now, actor.user.id
    session.add(node)
    session.flush()
    record(session, now, actor.user.id, "node.retired", f"node:{node.id}", node.place_id)
    return node


def nodes_seen_by(session: Session, actor: Actor, place_id: str | None = None,
                  retired: bool = False) -> list[tuple[Node, NodeState, Place]]:
    """Nodes at places where the actor holds a staff role (at `place_id` and below), by name, with state and place."""
    here = [col(Place.path).startswith(path) for path in actor.paths()]
    if not here:
        return []
    wanted = (select(Node, NodeState, Place).join(NodeState, col(NodeState.node_id) == col(Node.id))
              .join(Place, col(Place.id) == col(Node.place_id)).where(or_(*here))
              .order_by(col(Node.name), col(Node.id)))
    if place_id is not None:
        wanted = wanted.where(col(Place.path).startswith(tree.get(session, place_id).path))
    if not retired:
        wanted = wanted.where(col(Node.retired_at).is_(None))
    return [(node, state, place) for node, state, place in session.exec(wanted)]


def node_to_see(session: Session, actor: Actor, node_id: str) -> Node:
    """A node, retired or not, at a place where the actor holds a staff role. Raises NotFoundError, ForbiddenError."""
    node = session.get(Node, node_id)
    if node is None:
        raise NotFoundError
    actor.must_see(tree.get(session, node.place_id))
    return node


def node_with_state(session: Session, actor: Actor, node_id: str) -> tuple[Node, NodeState, Place]:
    """A node that the actor may see, with what is known of it now and where it stands."""
    node = node_to_see(session, actor, node_id)
    return node, session.get_one(NodeState, node_id), tree.get(session, node.place_id)


def node_to_manage(session: Session, actor: Actor, node_id: str) -> Node:
    """A node in service that the actor may change. Raises NotFoundError, ForbiddenError, ConflictError."""
    node = session.get(Node, node_id)
    if node is None:
        raise NotFoundError
    actor.must(tree.get(session, node.place_id), Role.ADMINISTRATOR, Role.TECHNICIAN)
    if node.retired_at is not None:
        raise ConflictError("This node is retired.", code="retired", advice="Add it again as a new node.")
    return node


def nodes_standing_in(session: Session, place: Place) -> int:
    """How many nodes in service stand at a place and below."""
    return len(session.exec(select(Node.id).join(Place, col(Place.id) == col(Node.place_id)).where(
        col(Place.path).startswith(place.path), col(Node.retired_at).is_(None))).all())


def history_of(session: Session, node_id: str, now: datetime, days: int = 7) -> Sequence[NodeHistory]:
    """A node's five-minute buckets of the last `days`, oldest first."""
    return session.exec(select(NodeHistory).where(NodeHistory.node_id == node_id,
                                                  NodeHistory.bucket > now - timedelta(days=days))
                        .order_by(col(NodeHistory.bucket))).all()


def held_by(session: Session, node_id: str) -> Sequence[HeldRecording]:
    """The recordings that a node's journal says are on its disk, newest first."""
    return session.exec(select(HeldRecording).where(HeldRecording.node_id == node_id)
                        .order_by(col(HeldRecording.stored_at).desc(), col(HeldRecording.sha256))).all()


def node_by_sticker(session: Session, sticker: str) -> Node:
    """The node whose QR sticker carries this code. Raises NotFoundError."""
    node = session.exec(select(Node).where(Node.sticker == sticker, col(Node.retired_at).is_(None))).first()
    if node is None:
        raise NotFoundError
    return node


def _open_place(session: Session, actor: Actor, place_id: str) -> Place:
    place = tree.get(session, place_id)
    actor.must(place, Role.ADMINISTRATOR, Role.TECHNICIAN)
    if place.archived_at is not None:
        raise ConflictError("This place is archived.", code="archived")
    return place


def _set(session: Session, node: Node, **given: object) -> dict[str, object]:
    """Set what is not None after checking it, and return what really changed."""
    if (name := given.get("name")) is not None:
        given["name"] = name = " ".join(str(name).split())
        if not 0 < len(name) <= LONGEST_NAME:
            raise InvalidError("Please give the loudspeaker a name.", field="name")
    if isinstance(volume := given.get("volume"), int) and not 0 <= volume <= 100:
        raise InvalidError("The volume is 0 to 100 percent.", field="volume")
    if isinstance(languages := given.get("languages"), Sequence):
        given["languages"] = list(dict.fromkeys(languages))
        if not all(tree.LANGUAGE.fullmatch(one) for one in languages):
            raise InvalidError("A language is written as its ISO 639 code: vi, hmn, tai, ium, tyz.", field="languages")
    changes = {key: value for key, value in given.items() if value is not None and value != getattr(node, key)}
    for key, value in changes.items():
        setattr(node, key, value)
    _check_name_is_free(session, node)
    session.add(node)
    session.flush()
    return changes


def _check_name_is_free(session: Session, node: Node) -> None:
    siblings = session.exec(select(Node).where(Node.place_id == node.place_id, col(Node.retired_at).is_(None),
                                               Node.id != node.id))
    if any(one.name.casefold() == node.name.casefold() for one in siblings):
        raise ConflictError("There is a loudspeaker of this name here already.", code="name_taken",
                            advice="Choose another name.")
