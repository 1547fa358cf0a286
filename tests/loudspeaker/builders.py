"""What tests of the server are made of: a clock to set, places, people, nodes, and a signed-in client."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import Session

from firmware_bridge.contract import keys
from loudspeaker.api.deps import CSRF_HEADER, SESSION_COOKIE
from loudspeaker.conductor.house import House
from loudspeaker.database import new_id
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.places.models import Place, PlaceKind, Zone, ZoneNode
from loudspeaker.users.access import Actor, actor_for
from loudspeaker.users.models import Grant, Role, SignInSession, User
from loudspeaker.users.secrets import digest, new_secret

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday, 08:00 in Việt Nam."""


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, by: timedelta) -> datetime:
        """Move on by `by`; returns the new now."""
        self.at += by
        return self.at


def house_of(app: FastAPI) -> House:
    """The house of a started app."""
    house = app.state.house
    assert isinstance(house, House)
    return house


def a_place(session: Session, parent: Place | None, kind: PlaceKind, name: str, at: datetime = START,
            languages: Sequence[str] = ("vi",)) -> Place:
    """A place below `parent`."""
    made = new_id()
    place = Place(id=made, parent_id=parent.id if parent else None, path=f"{parent.path if parent else ''}{made}/",
                  kind=kind, name=name, languages=list(languages), created_at=at)
    session.add(place)
    session.flush()
    return place


def a_commune(session: Session, name: str = "Xã Minh Tân", at: datetime = START) -> Place:
    """A commune at the top of its own tree."""
    return a_place(session, None, PlaceKind.COMMUNE, name, at)


def a_village(session: Session, commune: Place, name: str = "Thôn Đồng Tâm", at: datetime = START,
              languages: Sequence[str] = ("vi",)) -> Place:
    """A village of `commune`."""
    return a_place(session, commune, PlaceKind.VILLAGE, name, at, languages)


def a_user(session: Session, role: Role | None = None, place: Place | None = None, name: str = "Nguyễn Thị Hoa",
           at: datetime = START) -> User:
    """A person who holds `role` at `place`; without a password."""
    user = User(login=f"u-{new_id()}", name=name, created_at=at)
    session.add(user)
    session.flush()
    if role is not None:
        assert place is not None
        grant(session, user, role, place, at)
    return user


def grant(session: Session, user: User, role: Role, place: Place, at: datetime = START) -> None:
    """One more role for `user` at `place`."""
    session.add(Grant(user_id=user.id, place_id=place.id, role=role, granted_at=at))
    session.flush()


def an_actor(session: Session, role: Role, place: Place, name: str = "Nguyễn Thị Hoa", at: datetime = START) -> Actor:
    """A new person who holds `role` at `place`, acting."""
    return actor_for(session, a_user(session, role, place, name, at), at)


def a_node(session: Session, place: Place, name: str = "Cụm loa 1", *, node_id: str | None = None,
           key: Ed25519PrivateKey | None = None, token: str | None = None, at: datetime = START) -> Node:
    """A node at `place` with its empty state; `key` signs its journal, `token` is its bearer token."""
    node = Node(id=node_id or f"node-{new_id()}", place_id=place.id, name=name,
                public_key=keys.public_to_base64(key or keys.new_key()), client_id=new_id(), broker_secret=new_id(),
                api_token_hash=digest(token or new_secret()), created_at=at)
    session.add(node)
    session.flush()
    session.add(NodeState(node_id=node.id))
    session.flush()
    return node


def a_zone(session: Session, place: Place, *nodes: Node, name: str = "Trung tâm", at: datetime = START) -> Zone:
    """A zone of `place` with `nodes` in it."""
    zone = Zone(place_id=place.id, name=name, created_at=at)
    session.add(zone)
    session.flush()
    session.add_all(ZoneNode(zone_id=zone.id, node_id=node.id) for node in nodes)
    session.flush()
    return zone


def a_client(app: FastAPI, user: User | None = None) -> TestClient:
    """A browser on a started `app`: signed in as `user` and sending the CSRF token, or a stranger's."""
    client = TestClient(app, follow_redirects=False)
    if user is None:
        return client
    house, cookie, csrf = house_of(app), new_secret(), new_secret()
    now = house.now()
    with house.database.work() as session:
        session.add(SignInSession(id=digest(cookie), user_id=user.id, csrf=csrf, created_at=now, seen_at=now,
                                  expires_at=now + timedelta(hours=12)))
    client.cookies.set(SESSION_COOKIE, cookie)
    client.headers[CSRF_HEADER] = csrf
    return client
