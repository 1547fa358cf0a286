"""The first run: the printed code makes the commune, its villages and the first administrator, once."""

import hmac
from dataclasses import dataclass, field

from loudspeaker.audit.service import record
from loudspeaker.conductor.house import House
from loudspeaker.database import after_commit
from loudspeaker.errors import ConflictError, ForbiddenError, InvalidError
from loudspeaker.places import tree
from loudspeaker.places.models import Place, PlaceKind
from loudspeaker.users import guessing, service
from loudspeaker.users.first_run import has_administrator
from loudspeaker.users.models import Role, User

CODE_SUBJECT = "setup-code"
MOST_TRIES = 10


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
        record(session, now, user.id, "site.set_up", f"place:{place.id}", place.id, name=place.name)
        after_commit(session, lambda: forget_code(house))
    return place, user


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
