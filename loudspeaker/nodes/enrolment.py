"""How a controller becomes a node: a single-use token, the key that comes with it, new and revoked credentials.

A node's key is made on the controller. The server keeps its public half, and of tokens only the hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, select

from firmware_bridge.contract import token
from loudspeaker.audit.service import record
from loudspeaker.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from loudspeaker.nodes.models import EnrolmentToken, NextCredentials, Node, NodeState
from loudspeaker.nodes.service import node_to_manage, put_node
from loudspeaker.users.access import Actor
from loudspeaker.users.secrets import digest, new_secret

HOURS = 48
LONGEST_HOURS = 24 * 30
AGAIN = timedelta(hours=24)
"""How long after its first use a token lets the same key come again: power may fail between two steps."""
BOTH_VALID = timedelta(hours=1)
"""How long former credentials hold beside new ones that were not used yet."""


class EnrolmentState(StrEnum):
    """Where a node stands."""

    NONE = "none"
    """No controller, and no token that would let one come."""
    WAITING = "waiting"
    EXPIRED = "expired"
    ENROLLED = "enrolled"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Enrolled:
    """A node and the words that its controller gets now and never again."""

    node: Node
    api_token: str = field(repr=False)
    client_id: str = field(repr=False)
    broker_secret: str = field(repr=False)
    credential: int


def expect_node(session: Session, actor: Actor, now: datetime, place_id: str, name: str, hours: int = HOURS,
                location: str = "", latitude: float | None = None, longitude: float | None = None, volume: int = 80,
                languages: Sequence[str] = ()) -> tuple[Node, bytes]:
    """A node whose controller is still to come, and the secret of the token that lets it. See `service.add_node`."""
    node = put_node(session, actor, now, place_id, name, location=location, latitude=latitude, longitude=longitude,
                    volume=volume, languages=languages)
    return node, new_token(session, actor, now, node.id, hours)


def new_token(session: Session, actor: Actor, now: datetime, node_id: str, hours: int = HOURS) -> bytes:
    """Let one controller come within `hours`; an earlier token counts no more. What runs goes on until it comes.

    Raises InvalidError (hours), ConflictError (retired).
    """
    node = node_to_manage(session, actor, node_id)
    if not 1 <= hours <= LONGEST_HOURS:
        raise InvalidError("A token holds for 1 hour to 30 days.", field="hours")
    _cancel(session, node, now)
    secret = token.new_secret()
    session.add(EnrolmentToken(node_id=node.id, secret_hash=digest(secret.hex()), made_at=now, made_by=actor.user.id,
                               expires_at=now + timedelta(hours=hours)))
    session.flush()
    record(session, now, actor.user.id, "node.token_made", f"node:{node.id}", node.place_id, hours=hours)
    return secret


def cancel_token(session: Session, actor: Actor, now: datetime, node_id: str) -> Node:
    """Let no controller come any more."""
    node = node_to_manage(session, actor, node_id)
    if _cancel(session, node, now):
        record(session, now, actor.user.id, "node.token_cancelled", f"node:{node.id}", node.place_id)
    return node


def newest_token(session: Session, node_id: str) -> EnrolmentToken | None:
    """The token that was made last for a node."""
    return session.exec(select(EnrolmentToken).where(EnrolmentToken.node_id == node_id)
                        .order_by(col(EnrolmentToken.made_at).desc(), col(EnrolmentToken.id)).limit(1)).first()


def state_of(node: Node, newest: EnrolmentToken | None, now: datetime) -> EnrolmentState:
    """Where a node stands; a token that waits counts more than what was before it."""
    if newest is not None and newest.cancelled_at is None and newest.used_at is None:
        return EnrolmentState.WAITING if now < newest.expires_at else _without(node, EnrolmentState.EXPIRED)
    return _without(node, EnrolmentState.NONE)


def enrol(session: Session, now: datetime, secret: str, public_key: str, address: str = "") -> Enrolled:
    """Make the controller that holds `public_key` the node of a token (`secret` in hex), with fresh credentials.

    The same key may come again within a day. Raises ForbiddenError (`token_unknown`, `token_cancelled`,
    `token_expired`, `token_used`), ConflictError (`key_elsewhere`, `retired`).
    """
    found = session.exec(select(EnrolmentToken).where(EnrolmentToken.secret_hash == digest(secret))
                         .with_for_update()).first()
    if found is None:
        raise ForbiddenError("This server does not know the token.", code="token_unknown",
                             advice="Compare it with the card; if it is the same, have a new one made.")
    node = session.get_one(Node, found.node_id)
    _must_hold(found, node, public_key, now)
    if session.exec(select(Node.id).where(Node.public_key == public_key, Node.id != node.id,
                                          col(Node.retired_at).is_(None))).first() is not None:
        raise ConflictError("This key belongs to another loudspeaker.", code="key_elsewhere",
                            advice="Delete the configuration files on the controller and enrol it again.")
    if found.used_at is None:
        found.used_at, found.used_key, found.used_from = now, public_key, address[:64]
        session.add(found)
        record(session, now, None, "node.enrolled", f"node:{node.id}", node.place_id, address=address[:64])
    node.public_key, node.revoked_at = public_key, None
    _forget_starts(session, node)
    return _replace_now(session, node)


def ask_renewal(session: Session, actor: Actor, now: datetime, node_id: str) -> Node:
    """Let the node get new credentials when it asks next. Raises ConflictError (`not_enrolled`)."""
    node = node_to_manage(session, actor, node_id)
    if not node.public_key or node.revoked_at is not None:
        raise ConflictError("No controller is enrolled as this loudspeaker.", code="not_enrolled",
                            advice="Have a token made and enrol its controller.")
    node.renewal_asked_at = now
    session.add(node)
    session.flush()
    record(session, now, actor.user.id, "node.renewal_asked", f"node:{node.id}", node.place_id)
    return node


def revoke(session: Session, actor: Actor, now: datetime, node_id: str) -> Node:
    """Cut a node off: its key, its credentials and its token count no more until a controller enrols anew."""
    node = node_to_manage(session, actor, node_id)
    _cancel(session, node, now)
    _drop_next(session, node)
    node.revoked_at, node.renewal_asked_at = now, None
    session.add(node)
    session.flush()
    record(session, now, actor.user.id, "node.revoked", f"node:{node.id}", node.place_id)
    return node


def give_credentials(session: Session, now: datetime, node: Node) -> Enrolled:
    """New credentials for a node that proved its key. The former ones hold until these are used, or for an hour."""
    _drop_next(session, node)
    api_token = new_secret()
    given = NextCredentials(node_id=node.id, credential=node.credential + 1, client_id=new_secret(),
                            broker_secret=new_secret(), api_token_hash=digest(api_token), made_at=now)
    session.add(given)
    session.flush()
    record(session, now, None, "node.credentials_given", f"node:{node.id}", node.place_id)
    return Enrolled(node, api_token, given.client_id, given.broker_secret, given.credential)


def take_credentials(session: Session, now: datetime, node_id: str) -> None:
    """The credentials given last are in use, or an hour is over: the former ones end."""
    node, given = session.get_one(Node, node_id), session.get(NextCredentials, node_id)
    if given is None:
        return
    client_id, secret, token_hash, credential = (given.client_id, given.broker_secret, given.api_token_hash,
                                                 given.credential)
    _drop_next(session, node)
    node.client_id, node.broker_secret, node.api_token_hash = client_id, secret, token_hash
    node.credential, node.renewal_asked_at = credential, None
    session.add(node)
    session.flush()
    record(session, now, None, "node.credentials_taken", f"node:{node.id}", node.place_id)


def end_former_credentials(session: Session, now: datetime) -> int:
    """End the former credentials of nodes that were given new ones over an hour ago; how many."""
    due = session.exec(select(NextCredentials.node_id).where(NextCredentials.made_at <= now - BOTH_VALID)).all()
    for node_id in due:
        take_credentials(session, now, node_id)
    return len(due)


def counts(session: Session, node: Node, api_token: str | None) -> bool:
    """Whether this is the node's API token, or the one that it was given last."""
    given = session.get(NextCredentials, node.id)
    return api_token is not None and digest(api_token) in (node.api_token_hash, given.api_token_hash if given else None)


def node_by_id(session: Session, node_id: str) -> Node:
    """A node in service whose key counts. Raises NotFoundError."""
    node = session.get(Node, node_id)
    if node is None or node.retired_at is not None or node.revoked_at is not None or not node.public_key:
        raise NotFoundError
    return node


def _must_hold(found: EnrolmentToken, node: Node, public_key: str, now: datetime) -> None:
    if node.retired_at is not None:
        raise ConflictError("This loudspeaker was taken down.", code="retired", advice="Add it again as a new node.")
    if found.cancelled_at is not None:
        raise ForbiddenError("The token was cancelled, or a newer one was made.", code="token_cancelled",
                             advice="Use the newest card, or have a new token made.")
    if found.used_at is not None:
        if found.used_key != public_key or now >= found.used_at + AGAIN:
            raise ForbiddenError("The token was used already.", code="token_used",
                                 advice="Have a new token made. If it was not you, tell the administrator at once.")
    elif now >= found.expires_at:
        raise ForbiddenError("The token has expired.", code="token_expired", advice="Have a new token made.")


def _without(node: Node, otherwise: EnrolmentState) -> EnrolmentState:
    if node.revoked_at is not None:
        return EnrolmentState.REVOKED
    return EnrolmentState.ENROLLED if node.public_key else otherwise


def _replace_now(session: Session, node: Node) -> Enrolled:
    _drop_next(session, node)
    api_token = new_secret()
    node.api_token_hash, node.client_id, node.broker_secret = digest(api_token), new_secret(), new_secret()
    node.credential += 1
    node.renewal_asked_at = None
    session.add(node)
    session.flush()
    return Enrolled(node, api_token, node.client_id, node.broker_secret, node.credential)


def _cancel(session: Session, node: Node, now: datetime) -> bool:
    open_ones = session.exec(select(EnrolmentToken).where(
        EnrolmentToken.node_id == node.id, col(EnrolmentToken.cancelled_at).is_(None))).all()
    for one in open_ones:
        one.cancelled_at = now
        session.add(one)
    session.flush()
    return any(one.used_at is None for one in open_ones)


def _drop_next(session: Session, node: Node) -> None:
    if (given := session.get(NextCredentials, node.id)) is not None:
        session.delete(given)
        session.flush()


def _forget_starts(session: Session, node: Node) -> None:
    """Another controller may follow: its starts are no clone of the former's."""
    state = session.get_one(NodeState, node.id)
    state.boots = {}
    session.add(state)
