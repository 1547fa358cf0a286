"""The first run: the printed code makes the commune, its villages and the first administrator, once."""

import hmac
from dataclasses import dataclass, field

from sqlmodel import Session

from firmware_bridge.contract import strictjson
from firmware_bridge.contract.documents import TrustRoot
from firmware_bridge.contract.keys import public_to_base64
from loudspeaker.approvals.keys import register_sealed
from loudspeaker.audit.service import record
from loudspeaker.conductor.house import House
from loudspeaker.conductor.trust import read_envelope, take_root
from loudspeaker.database import after_commit
from loudspeaker.errors import ConflictError, ForbiddenError, InvalidError
from loudspeaker.places import tree
from loudspeaker.places.models import Place, PlaceKind
from loudspeaker.trust import service as trust
from loudspeaker.users import guessing, service
from loudspeaker.users.first_run import has_administrator
from loudspeaker.users.models import Role, User

CODE_SUBJECT = "setup-code"
MOST_TRIES = 10
KEYS_BYTES = 64 * 1024


@dataclass(frozen=True)
class FirstRun:
    """What the first-run page asks for. `villages` has one per line (see places.tree.read_villages)."""

    commune: str
    identifier: str
    name: str
    login: str
    password: str = field(repr=False)
    villages: str = ""
    phone: str = ""
    kind: PlaceKind = PlaceKind.COMMUNE
    root: str = ""
    """The first trust root, signed in the browser with a key that stays in the administrator's hands: an envelope as
    JSON. Not needed where `loudspeaker trust init` has made it before."""
    authority: str = ""
    """The place authority's key, sealed in the browser: `{"public_key": …, "sealed": …}` as JSON."""


def set_up(house: House, code: str, wanted: FirstRun, address: str = "") -> tuple[Place, User]:
    """Make the commune, its villages and its administrator. The code counts no more afterwards.

    Raises TooManyError, ForbiddenError (`wrong_code`), ConflictError (`already_set_up`), InvalidError.
    """
    now = house.now()
    with house.database.work() as session:
        guessing.count_try(session, now, {CODE_SUBJECT: MOST_TRIES,
                                          guessing.address(address): guessing.MOST_BY_ADDRESS})
    check_code(house, code)
    with house.database.work() as session:
        if has_administrator(session):
            raise ConflictError("This installation is set up already.", code="already_set_up", advice="Please sign in.")
        if not wanted.password:
            raise InvalidError("Please choose a password.", field="password")
        place = tree.add(session, now, None, wanted.kind, wanted.commune, wanted.identifier, house.settings.zone,
                         phone=wanted.phone)
        for one in tree.read_villages(wanted.villages):
            tree.add(session, now, place, PlaceKind.VILLAGE, one.name, one.identifier, place.zone, one.languages)
        user = service.add_user(session, now, wanted.name, wanted.login, wanted.password)
        service.add_grant(session, now, user, place, Role.ADMINISTRATOR)
        _keep_keys(session, house, user, wanted)
        record(session, now, user.id, "site.set_up", f"place:{place.id}", place.id, name=place.name)
        after_commit(session, lambda: forget_code(house))
    return place, user


def root_to_sign(house: House, root_key: str, authority_key: str) -> TrustRoot:
    """The first trust root over two keys made in the browser. Raises ConflictError once there is one, InvalidError."""
    with house.database.read() as session:
        if not needs_keys(session):
            raise ConflictError("The keys of this installation are made already.")
    return trust.first_root(house.now(), house.site, public_to_base64(house.keys.server), [root_key], 1, authority_key)


def needs_keys(session: Session) -> bool:
    """Whether the first run must make the offline keys."""
    return trust.held_root(session) is None


def _keep_keys(session: Session, house: House, user: User, wanted: FirstRun) -> None:
    """The signed root, and the sealed key of the authority, for now the administrator's. Raises InvalidError."""
    if not needs_keys(session):
        return
    missing = InvalidError("The keys of this installation are not made yet.", field="root",
                           advice="Save the key file first; the page makes the keys in this browser.")
    try:
        envelope, authority = strictjson.loads(wanted.root.encode(), KEYS_BYTES), strictjson.loads(
            wanted.authority.encode(), KEYS_BYTES)
        public, sealed = authority["public_key"], authority["sealed"]
    except (strictjson.MalformedJson, KeyError, TypeError) as error:
        raise missing from error
    root = take_root(session, house, user.id, read_envelope(envelope))
    if [one.public_key for one in root.place_authorities] != [public] or not isinstance(sealed, dict):
        raise missing
    register_sealed(session, house.now(), user, public, sealed)


def check_code(house: House, code: str) -> None:
    """Raises ForbiddenError (`wrong_code`) unless `code` is the printed one; blanks, hyphens and case do not count."""
    wanted = house.setup_code
    if wanted is None or not hmac.compare_digest(_bare(code).encode(), _bare(wanted).encode()):
        raise ForbiddenError("The code is not right.", code="wrong_code",
                             advice="Type the code that the server printed at its last start.")


def forget_code(house: House) -> None:
    """The code counts no more."""
    house.setup_code = None


def _bare(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalnum())
