"""What holds for all tests: how properties are searched, and in which order files are run."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# a busy machine must not fail a property; continuous integration looks at the same examples every time
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow],
                          derandomize="CI" in os.environ)
settings.load_profile("here")

HERE = Path(__file__).parent
MOSTLY_WAITING = (HERE / "system", HERE / "contract_suites")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what mostly waits (real processes, a browser), so that it never comes last on one worker."""
    items.sort(key=lambda item: not any(folder in item.path.parents for folder in MOSTLY_WAITING))
