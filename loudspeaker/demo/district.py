"""A made-up district for tests of size: many poles, approved recordings, programmes every day."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from sqlmodel import Session

from firmware_bridge.bridge.broker import EmbeddedNats
from firmware_bridge.contract import keys
from firmware_bridge.contract.nodeconfig import NodeConfig
from loudspeaker.bulletins import recordings
from loudspeaker.bulletins.models import Recording
from loudspeaker.bulletins.recordings import Made
from loudspeaker.bulletins.service import BulletinText, create_bulletin
from loudspeaker.conductor.house import House
from loudspeaker.conductor.offline import install_new_keys
from loudspeaker.conductor.opening import open_house
from loudspeaker.conductor.poles import config_of
from loudspeaker.database import new_id, upsert
from loudspeaker.demo.sample import acting, approve_one, make_signing_key, open_all_day
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.nodes.service import NodeSecrets
from loudspeaker.places import tree
from loudspeaker.places.models import Place, PlaceKind
from loudspeaker.programmes.draft import DraftItem, ProgrammeDraft
from loudspeaker.programmes.models import TargetKind
from loudspeaker.programmes.poles import Target, load_poles
from loudspeaker.programmes.service import create_programme
from loudspeaker.settings import Settings
from loudspeaker.users import service as users
from loudspeaker.users import tokens
from loudspeaker.users.models import Role, User
from loudspeaker.users.secrets import digest

POLES_PER_VILLAGE = 10
PORT, BROKER_PORT = 8000, 1883
FIRST_AT = timedelta(hours=5)
"""The first programme of each day, after midnight in the commune."""


@dataclass(frozen=True)
class Size:
    """How large a district is. `sounds` recordings of `seconds` each take turns in `programmes` a day.

    `soon`: the first programme of today begins so many seconds after the district is made.
    """

    nodes: int
    programmes: int = 10
    sounds: int = 4
    seconds: float = 60.0
    bytes: int = 20_000
    soon: float | None = None


@dataclass
class District:
    """What was made: the top place, people by login, and every node's configuration."""

    place: Place
    people: dict[str, User]
    token: str = field(repr=False)
    """Of the editor, for the API."""
    configs: list[NodeConfig] = field(default_factory=list, repr=False)
    recordings: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """A file for each node, as `loudspeaker-node` and `loudspeaker-fleet` read it."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for config in self.configs:
            path = folder / f"{config.node}.json"
            path.write_text(config.to_text())
            path.chmod(0o600)


def make_district(house: House, size: Size, first_day: datetime, broker_port: int = 1883) -> District:
    """Fill an empty house that processes nothing itself. `first_day` is the midnight at which programmes begin."""
    house.processing.close()
    if house.broker is None:
        house.broker = EmbeddedNats(house.settings.data / "broker", house.site, house.settings.broker_host, broker_port)
    with house.database.work() as session:
        authority = install_new_keys(session, house)
        place = tree.add(session, house.now(), None, PlaceKind.COMMUNE, "Huyện Sơn Dương", "", house.settings.zone)
        villages = [tree.add(session, house.now(), place, PlaceKind.VILLAGE, f"Thôn {number}", "", place.zone)
                    for number in range(1, -(-size.nodes // POLES_PER_VILLAGE) + 1)]
        people = {login: _person(session, house, place, login, role) for login, role in (
            ("quantri", Role.ADMINISTRATOR), ("hoa", Role.EDITOR), ("lanh", Role.APPROVER))}
        _, token = tokens.make_token(session, acting(session, house, people["hoa"]), house.now(), "fleet")
    district = District(place, people, token)
    key = make_signing_key(house, people, place, authority)
    open_all_day(house, people["lanh"], place, key)
    with house.database.work() as session:
        district.recordings = [_sound(session, house, district, size, number) for number in range(size.sounds)]
        for one in district.recordings:
            approve_one(session, acting(session, house, people["lanh"]), house.now(),
                        session.get_one(Recording, one), key)
        district.configs = list(_poles(session, house, villages, size.nodes))
    plan_days(house, district, size, first_day)
    return district


def plan_days(house: House, district: District, size: Size, first_day: datetime) -> None:
    """Programmes for everywhere, evenly spread over each day from `first_day` on."""
    first = first_day + FIRST_AT if size.soon is None else house.now() + timedelta(seconds=size.soon)
    step = (timedelta(days=1) - FIRST_AT) / max(size.programmes, 1)
    with house.database.work() as session:
        editor, poles = acting(session, house, district.people["hoa"]), load_poles(session)
        for number in range(size.programmes):
            sound = district.recordings[number % len(district.recordings)]
            create_programme(session, editor, house.now(), ProgrammeDraft(
                district.place.id, f"Bản tin {number + 1}", first + step * number,
                (DraftItem({"vi": sound}),), (Target(TargetKind.PLACE, district.place.id),), rrule="FREQ=DAILY"), poles)


def _person(session: Session, house: House, place: Place, login: str, role: Role) -> User:
    user = users.add_user(session, house.now(), login, login, secrets.token_urlsafe(12))
    users.add_grant(session, house.now(), user, place, role)
    return user


def _sound(session: Session, house: House, district: District, size: Size, number: int) -> str:
    """A recording that is ready, its bytes made up."""
    editor, now = acting(session, house, district.people["hoa"]), house.now()
    bulletin = create_bulletin(session, editor, now, district.place.id, BulletinText(f"Bản tin {number + 1}", "news"))
    made = recordings.add_recording(session, editor, now, bulletin.id, language="vi", source_name="made-up.wav",
                                    source_path="", with_chime=False, seconds=60)
    path = house.settings.data / "made-up"
    path.write_bytes(secrets.token_bytes(size.bytes))
    sha256 = house.store.add(path)
    path.unlink()
    recordings.make_ready(session, now, house.site, made.id, Made(
        sha256, size.bytes, round(size.seconds * 1000), -16.0, -1.0, bytes(40)))
    return made.id


def _poles(session: Session, house: House, villages: Sequence[Place], count: int) -> Iterator[NodeConfig]:
    """Rows in bulk: services look at siblings and write the audit line by line, which takes minutes for thousands."""
    made: list[NodeSecrets] = []
    for number in range(count):
        key, token, village = keys.new_key(), secrets.token_urlsafe(24), villages[number // POLES_PER_VILLAGE]
        node = Node(id=f"pole-{number:05}", place_id=village.id, name=f"Cụm loa {number + 1}", created_at=house.now(),
                    public_key=keys.public_to_base64(key), client_id=secrets.token_urlsafe(24),
                    broker_secret=secrets.token_urlsafe(24), api_token_hash=digest(token), sticker=new_id())
        made.append(NodeSecrets(node, keys.private_to_base64(key), token))
    upsert(session, Node, [one.node.model_dump() for one in made])
    upsert(session, NodeState, [NodeState(node_id=one.node.id).model_dump() for one in made])
    for one in made:
        yield config_of(session, house, one)


def district(
    nodes: Annotated[int, typer.Option(min=1, help="How many poles.")],
    configs: Annotated[Path, typer.Option(help="Folder that takes a configuration file for each pole.")],
    data: Annotated[Path, typer.Option(help="An empty data folder for the server.")],
    programmes: Annotated[int, typer.Option(min=1, help="Broadcasts of each day.")] = 10,
) -> None:
    """Make up a district of any size in an empty data folder, to try the server with `loudspeaker-fleet`."""
    given = Settings(data=data)
    settings = given.model_copy(update={"port": given.port or PORT, "broker_port": given.broker_port or BROKER_PORT})
    if settings.data.exists() and any(settings.data.iterdir()):
        typer.echo(f"{settings.data} is not empty: made-up poles do not belong among real ones.", err=True)
        raise typer.Exit(1)
    with open_house(settings) as house:
        midnight = datetime.combine(house.now().astimezone(ZoneInfo(settings.zone)), time.min, ZoneInfo(settings.zone))
        made = make_district(house, Size(nodes, programmes), midnight.astimezone(UTC), settings.broker_port)
    made.write(configs)
    typer.echo(f"{nodes} poles in {configs}. Serve {settings.data} at port {settings.port}, the broker at port "
               f"{settings.broker_port}; the editor's token is {made.token}")
