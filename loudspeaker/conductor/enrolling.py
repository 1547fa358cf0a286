"""Tokens with what a controller must find behind them, and the answers to controllers that come with one."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlmodel import Session, col, select

from firmware_bridge.contract import envelope, keys
from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.documents import Document
from firmware_bridge.contract.enrolment import Credentials, CredentialsRequest, Enrolment, EnrolmentRequest
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.token import Token, short_hash
from loudspeaker.conductor.handouts import Card
from loudspeaker.conductor.house import House
from loudspeaker.conductor.poles import brokers_of
from loudspeaker.conductor.rights import login_of, poles_changed
from loudspeaker.conductor.tls import der_of
from loudspeaker.errors import ForbiddenError, InvalidError, NotFoundError, UnavailableError
from loudspeaker.nodes import enrolment
from loudspeaker.nodes.enrolment import HOURS, Enrolled
from loudspeaker.nodes.models import Node
from loudspeaker.nodes.sheet import KnownPlace, PoleRow
from loudspeaker.nodes.zones import MANAGERS
from loudspeaker.places import tree
from loudspeaker.places.service import places_seen_by
from loudspeaker.trust.models import TrustDocument, TrustKind
from loudspeaker.users import guessing
from loudspeaker.users.access import Actor

MAX_REQUEST_BYTES = 8 * 1024
MOST_BY_ADDRESS = 60
"""Tries in a quarter of an hour: many poles may stand behind one address."""
D = TypeVar("D", bound=Document)


def expect_node(session: Session, house: House, actor: Actor, place_id: str, name: str, hours: int = HOURS,
                **given: Any) -> Card:
    """A new node (`given`: location, latitude, longitude, volume, languages) that waits for its controller."""
    node, secret = enrolment.expect_node(session, actor, house.now(), place_id, name, hours, **given)
    poles_changed(session, house)
    return _card(session, house, node, secret)


def known_places(session: Session, actor: Actor) -> list[KnownPlace]:
    """The places where this person may add poles, with the names that are taken there."""
    taken: dict[str, set[str]] = {}
    for place_id, name in session.exec(select(Node.place_id, Node.name).where(col(Node.retired_at).is_(None))):
        taken.setdefault(place_id, set()).add(name.casefold())
    return [KnownPlace(one.id, one.name, one.identifier, frozenset(taken.get(one.id, ())))
            for one in places_seen_by(session, actor) if actor.may(one, MANAGERS)]


def expect_nodes(session: Session, house: House, actor: Actor, rows: Sequence[PoleRow],
                 hours: int = HOURS) -> tuple[Card, ...]:
    """All poles of a table, or none: whatever is raised undoes the whole unit of work."""
    made = [enrolment.expect_node(session, actor, house.now(), row.place_id, row.name, hours, row.location,
                                  row.latitude, row.longitude, row.volume, row.languages) for row in rows]
    poles_changed(session, house)
    return tuple(_card(session, house, node, secret) for node, secret in made)


def new_token(session: Session, house: House, actor: Actor, node_id: str, hours: int = HOURS) -> Card:
    """Another token for a node: a new controller, or the first never came. What runs goes on until it is used."""
    secret = enrolment.new_token(session, actor, house.now(), node_id, hours)
    return _card(session, house, session.get_one(Node, node_id), secret)


def revoke(session: Session, house: House, actor: Actor, node_id: str) -> Node:
    """Cut a node off, at once, from the broker and from HTTPS."""
    node = enrolment.revoke(session, actor, house.now(), node_id)
    poles_changed(session, house)
    return node


def root_by_hash(session: Session, wanted: str) -> bytes:
    """The trust root whose short hash (hex) a token carries, byte for byte. Raises NotFoundError."""
    for stored in session.exec(select(TrustDocument.envelope).where(TrustDocument.kind == TrustKind.ROOT)):
        if short_hash(stored).hex() == wanted:
            return stored
    raise NotFoundError


def enrol_from(house: House, raw: bytes, address: str) -> Envelope:
    """The signed answer to an enrolment request that came from a network address. Raises TooManyError, and see `enrol`.

    A try is counted before it is judged, and forgiven when it was right.
    """
    subject = f"enrolment:{address}"
    with house.database.work() as session:
        tries = guessing.count_try(session, house.now(), {subject: MOST_BY_ADDRESS})
    with house.database.work() as session:
        answer = enrol(session, house, raw, address)
        guessing.forgive(session, tries, subject)
    return answer


def enrol(session: Session, house: House, raw: bytes, address: str = "") -> Envelope:
    """The signed answer to an enrolment request (an envelope's JSON). Raises InvalidError, and see `nodes.enrol`."""
    signed, asked = _read(raw, EnrolmentRequest)
    _must_be_signed(signed, asked.public_key)
    if asked.site != house.site:
        raise ForbiddenError("The token is of another installation.", code="wrong_site",
                             advice="Have a token made on this server.")
    made = enrolment.enrol(session, house.now(), asked.secret, asked.public_key, address)
    poles_changed(session, house)
    node, place = made.node, tree.get(session, made.node.place_id)
    return Enrolment(site=house.site, node=node.id, public_key=asked.public_key, name=node.name,
                     place_path=place.path_ids, zone=place.zone, server=house.public_url, api_token=made.api_token,
                     brokers=_brokers(house, made), issued=house.now()).sign(house.keys.server)


def give_credentials(session: Session, house: House, raw: bytes, api_token: str | None) -> Envelope | None:
    """The signed answer to a node that asks for new credentials; None where it may keep those that it came with.

    Raises InvalidError, ForbiddenError (`stale_challenge`), NotFoundError (unknown, revoked or retired).
    """
    signed, asked = _read(raw, CredentialsRequest)
    if asked.site != house.site:
        raise NotFoundError
    node = enrolment.node_by_id(session, asked.node)
    _must_be_signed(signed, node.public_key)
    if not house.challenges.take(asked.challenge, house.now()):
        raise ForbiddenError("The request is too old, or came twice.", code="stale_challenge",
                             advice="Get a new challenge and ask again.")
    if node.renewal_asked_at is None and enrolment.counts(session, node, api_token):
        return None
    made = enrolment.give_credentials(session, house.now(), node)
    poles_changed(session, house)
    return Credentials(site=house.site, node=node.id, challenge=asked.challenge, api_token=made.api_token,
                       brokers=_brokers(house, made)).sign(house.keys.server)


def use_given_credentials(house: House, node_id: str) -> None:
    """A node came with the credentials it was given: the former ones are cut off."""
    with house.database.work() as session:
        enrolment.take_credentials(session, house.now(), node_id)
        poles_changed(session, house)


def end_former_credentials(house: House) -> None:
    """A round of the alarm clock: no node has two logins for more than an hour."""
    with house.database.work() as session:
        if enrolment.end_former_credentials(session, house.now()):
            poles_changed(session, house)


def _card(session: Session, house: House, node: Node, secret: bytes) -> Card:
    waiting, place = enrolment.newest_token(session, node.id), tree.get(session, node.place_id)
    if waiting is None:
        raise NotFoundError
    authority = house.tls.authority_pem if house.tls else None
    token = Token(server=house.public_url, secret=secret, root=short_hash(_newest_root(session)),
                  authority=short_hash(der_of(authority)) if authority else None)
    return Card(node.id, node.name, place.name, node.location, token.to_text(), waiting.expires_at)


def _newest_root(session: Session) -> bytes:
    found = session.exec(select(TrustDocument.envelope).where(TrustDocument.kind == TrustKind.ROOT)
                         .order_by(col(TrustDocument.version).desc()).limit(1)).first()
    if found is None:
        raise UnavailableError("The keys of this installation are not set up yet.",
                               advice="Finish the first-run page first.")
    return found


def _brokers(house: House, made: Enrolled) -> Any:
    return brokers_of(house, login_of(made.node.id, made.credential), made.broker_secret, made.client_id)


def _read(raw: bytes, kind: type[D]) -> tuple[Envelope, D]:
    try:
        signed = envelope.decode(raw, MAX_REQUEST_BYTES)
        asked = kind.from_bytes(signed.payload)
    except (envelope.MalformedEnvelope, MalformedPayload) as error:
        raise InvalidError("The request cannot be read.", advice="Update the program on the controller.") from error
    if signed.payload_type != kind.TYPE:
        raise InvalidError("The request cannot be read.", advice="Update the program on the controller.")
    return signed, asked


def _must_be_signed(signed: Envelope, public_key: str) -> None:
    known = keys.key_id(public_key)
    if envelope.good_signers(signed, {known: public_key}) != {known}:
        raise ForbiddenError("The request is not signed by its key.", code="bad_proof",
                             advice="Enrol the controller again.")
