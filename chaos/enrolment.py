"""A site with a technician, controllers that enrol at it, and thieves of tokens and credentials."""

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session

from firmware_bridge.bridge.broker import MemoryBroker, server_user
from firmware_bridge.contract import envelope, keys
from firmware_bridge.contract.enrolment import CredentialsRequest, Enrolment, EnrolmentRequest
from firmware_bridge.contract.messages import Hello
from firmware_bridge.contract.nodeconfig import BrokerAddress
from firmware_bridge.contract.token import Token
from firmware_bridge.wire import Address, Connection
from loudspeaker.conductor import enrolling
from loudspeaker.conductor.clones import boots_after, is_clone
from loudspeaker.conductor.connecting import connect
from loudspeaker.conductor.house import House
from loudspeaker.conductor.offline import install_new_keys
from loudspeaker.conductor.opening import open_house
from loudspeaker.errors import LoudspeakerError
from loudspeaker.nodes import enrolment
from loudspeaker.nodes.models import Node
from loudspeaker.places import tree
from loudspeaker.places.models import PlaceKind
from loudspeaker.settings import Settings
from loudspeaker.users import service
from loudspeaker.users.access import Actor, actor_for
from loudspeaker.users.models import Role, User

BEGIN = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
WAIT_S = 20.0


@dataclass
class Site:
    """An opened house whose clock is set by hand, its one place, and who may add poles there."""

    house: House
    user: str
    place: str
    made: int = 0

    def actor(self, session: Session) -> Actor:
        """The technician, acting."""
        return actor_for(session, session.get_one(User, self.user), self.house.now())

    def card(self) -> tuple[str, Token]:
        """A new pole that waits: its id and its token."""
        self.made += 1
        with self.house.database.work() as session:
            card = enrolling.expect_node(session, self.house, self.actor(session), self.place, f"Loa {self.made}")
        return card.node_id, Token.from_text(card.token)

    def enrol(self, raw: bytes) -> Enrolment:
        """What a controller gets that sends `raw`. Raises LoudspeakerError."""
        self.made += 1
        return Enrolment.from_bytes(enrolling.enrol_from(self.house, raw, f"address-{self.made}").payload)

    def key_of(self, node: str) -> str:
        """The public key that counts for a node."""
        with self.house.database.read() as session:
            return session.get_one(Node, node).public_key


@dataclass
class Clock:
    """Stands until it is moved."""

    at: datetime = BEGIN

    def __call__(self) -> datetime:
        return self.at


@contextmanager
def site(clock: Clock | None = None, **settings: Any) -> Iterator[Site]:
    """A site of its own; `settings` as in `Settings`. Without broker where a clock is given."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = Settings(data=Path(folder), site="xa-minh-tan", **settings)
        with open_house(chosen, clock or (lambda: datetime.now(UTC))) as house:
            with house.database.work() as session:
                install_new_keys(session, house)
                place = tree.add(session, house.now(), None, PlaceKind.COMMUNE, "Xã Minh Tân", "", house.settings.zone)
                user = service.add_user(session, house.now(), "Thọ", "tho", "một mật khẩu đủ dài")
                service.add_grant(session, house.now(), user, place, Role.TECHNICIAN)
                made = Site(house, user.id, place.id)
            if clock is not None:
                house.broker, house.broker_login = MemoryBroker(house.site), server_user()
                house.broker.start()
                yield made
                house.broker.stop()
            else:
                with connect(house):
                    yield made


def request_of(token: Token, key: Ed25519PrivateKey, signer: Ed25519PrivateKey | None = None,
               site_name: str = "xa-minh-tan") -> bytes:
    """What a controller with `key` sends."""
    asked = EnrolmentRequest(site=site_name, secret=token.secret.hex(), public_key=keys.public_to_base64(key))
    return envelope.encode(asked.sign(signer or key))


def try_token(at: Site, clock: Clock, chance: random.Random) -> tuple[str, bool]:
    """One theft of a token, chosen by `chance`: what was tried, and whether a stranger became the pole."""
    node, token = at.card()
    stranger, owner = keys.new_key(), keys.new_key()
    raw, began = request_of(token, stranger), clock.at
    what = chance.choice(("twice", "late", "cancelled", "guessed", "flipped", "unproved", "elsewhere", "other type"))
    if what == "twice":
        at.enrol(request_of(token, owner))
    elif what == "late":
        clock.at += timedelta(hours=48, seconds=chance.randrange(10**6))
    elif what == "cancelled":
        with at.house.database.work() as session:
            enrolment.cancel_token(session, at.actor(session), clock(), node)
    elif what == "guessed":
        raw = request_of(Token(token.server, chance.randbytes(10), token.root), stranger)
    elif what == "flipped":
        place = chance.randrange(len(raw))
        raw = raw[:place] + bytes([raw[place] ^ 1 << chance.randrange(8)]) + raw[place + 1:]
    elif what == "unproved":
        raw = request_of(token, stranger, owner)
    elif what == "elsewhere":
        raw = request_of(token, stranger, site_name="another-site")
    else:
        raw = envelope.encode(envelope.sign(CredentialsRequest.TYPE, envelope.decode(raw).payload, stranger))
    before = at.key_of(node)
    try:
        at.enrol(raw)
        told = True
    except LoudspeakerError:
        told = False
    clock.at = began
    return what, told or at.key_of(node) != before


@dataclass
class Thief:
    """A client of the broker with a pole's credentials: when it was thrown out."""

    address: BrokerAddress
    folder: Path
    out: threading.Event = field(default_factory=threading.Event)
    at: float = 0.0

    def start(self) -> Connection:
        """Join. Raises TimeoutError."""
        ca = self.folder / f"{self.address.username}.pem"
        ca.write_text(self.address.ca or "")
        broker = self.address
        made = Connection(
            Address(broker.host, broker.port, broker.username, broker.password, broker.client_id, broker.tls,
                    ca if broker.ca else None),
            [], lambda *_: None, lambda: None, self._gone, on_error=lambda _error: None)
        made.start()
        until = time.monotonic() + WAIT_S
        while not made.connected:
            if time.monotonic() > until:
                raise TimeoutError(broker.username)
            time.sleep(0.02)
        return made

    def _gone(self, _why: str) -> None:
        self.at = time.monotonic()
        self.out.set()


def cut_off_s(at: Site, folder: Path, most_s: float) -> float:
    """Seconds from pressing *Cut off* until a stolen login is out of the broker; infinite when it stays or returns."""
    node, token = at.card()
    told = at.enrol(request_of(token, keys.new_key()))
    thief = Thief(told.brokers[0], folder)
    connection = thief.start()
    try:
        begun = time.monotonic()
        with at.house.database.work() as session:
            enrolling.revoke(session, at.house, at.actor(session), node)
        if not thief.out.wait(most_s):
            return float("inf")
        time.sleep(2.0)
        return float("inf") if connection.connected else thief.at - begun
    finally:
        connection.stop()


def lonely(chance: random.Random) -> list[Hello]:
    """Hellos of one machine: starts, reconnects, repeats, and now and then a late one."""
    said: list[Hello] = []
    boot = number = 0
    for _ in range(chance.randrange(4, 40)):
        boot, number = (boot + 1, 1) if boot == 0 or chance.random() < 0.2 else (boot, number + 1)
        said += [Hello(boot=f"a{boot}", connection=number, journal="j")] * chance.randrange(1, 3)
        if chance.random() < 0.3 and len(said) > 3:
            said.append(said[-chance.randrange(2, 4)])
    return said


def doubled(chance: random.Random) -> list[Hello]:
    """Hellos of two machines that throw each other out, in turns, each starting anew now and then."""
    said: list[Hello] = []
    boots, numbers = {"a": 1, "b": 1}, {"a": 0, "b": 0}
    for turn in range(chance.randrange(4, 40)):
        who = "ab"[turn % 2]
        if turn > 3 and chance.random() < 0.1:
            boots[who], numbers[who] = boots[who] + 1, 0
        numbers[who] += 1
        said += [Hello(boot=f"{who}{boots[who]}", connection=numbers[who], journal="j")] * chance.randrange(1, 3)
    return said


def alarms(said: list[Hello]) -> bool:
    """Whether a clone was seen among hellos that came a second apart."""
    boots: dict[str, Any] = {}
    seen = False
    for number, hello in enumerate(said):
        now = BEGIN + timedelta(seconds=number)
        seen = seen or is_clone(boots, hello, now)
        boots = boots_after(boots, hello, now)
    return seen
