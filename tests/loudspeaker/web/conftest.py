"""The commune whose pages are looked at. Pages hold no SQL, so one kind of database is enough for them."""

import shutil
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.loudspeaker.builders import SetClock
from tests.loudspeaker.commune import Commune, a_commune_with_people


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """An empty SQLite database of the newest version."""
    shutil.copyfile(sqlite_template, tmp_path / "loudspeaker.db")
    return f"sqlite:///{tmp_path / 'loudspeaker.db'}"


@pytest.fixture
def commune(app: FastAPI, clock: SetClock) -> Commune:
    """A started server with a commune and its people."""
    return a_commune_with_people(app, clock)
