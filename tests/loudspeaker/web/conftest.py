"""The commune whose pages are looked at."""

import pytest
from fastapi import FastAPI

from tests.loudspeaker.builders import SetClock
from tests.loudspeaker.commune import Commune, a_commune_with_people


@pytest.fixture
def commune(app: FastAPI, clock: SetClock) -> Commune:
    """A started server with a commune and its people."""
    return a_commune_with_people(app, clock)
