"""Databases of both kinds, a settable clock, and a started app."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient

from loudspeaker.app import create_app
from loudspeaker.conductor.house import House
from loudspeaker.database import Database
from loudspeaker.migrations import upgrade
from loudspeaker.settings import Settings
from loudspeaker.users import passwords
from tests.loudspeaker.authority import install_trust
from tests.loudspeaker.builders import SetClock, house_of
from tests.loudspeaker.postgres import Cluster

TEMPLATE = "loudspeaker_template"


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> Iterator[None]:
    """Tracebacks without every local variable: those take seconds each."""
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, plain])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of the newest version, to copy."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database.engine)
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL of this run, with a template database of the newest version."""
    cluster = Cluster()
    database = Database(cluster.url(cluster.create(name=TEMPLATE)))
    upgrade(database.engine)
    database.close()
    yield cluster
    cluster.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of the newest version, SQLite and PostgreSQL in turn."""
    if request.param == "sqlite":
        path = tmp_path / "loudspeaker.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        cluster: Cluster = request.getfixturevalue("postgres")
        name = cluster.create(TEMPLATE)
        yield cluster.url(name)
        cluster.drop(name)


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost next to nothing."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "HASHER", quick)
    monkeypatch.setattr(passwords, "NOBODYS", quick.hash("nobody has this password"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The database, opened."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> SetClock:
    """A clock that stands at START until it is moved."""
    return SetClock()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of an installation below `tmp_path`."""
    return Settings(data=tmp_path / "data", database_url=database_url, site="xa-minh-tan", disk_floor_bytes=0)


@pytest.fixture
def app(settings: Settings, clock: SetClock) -> Iterator[FastAPI]:
    """The server, started without broker, bridge and clock; on the same database as `database`."""
    made = create_app(settings, clock, connected=False)
    with TestClient(made):
        install_trust(house_of(made))
        yield made


@pytest.fixture
def untrusted_app(settings: Settings, clock: SetClock) -> Iterator[FastAPI]:
    """The server before anybody has made its offline keys."""
    made = create_app(settings, clock, connected=False)
    with TestClient(made):
        yield made


@pytest.fixture
def house(app: FastAPI) -> House:
    """The house of the started app."""
    return house_of(app)
