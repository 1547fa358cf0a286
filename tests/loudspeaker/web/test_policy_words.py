"""The sentences about a policy's defaults, which live where the catalogue does not look."""

from loudspeaker.places.policies import sources
from loudspeaker.web.policy_words import SOURCES


def test_every_default_tells_its_source_as_the_schedules_know_it() -> None:
    assert sources() == SOURCES
