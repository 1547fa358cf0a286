"""The system's Chromium; a missing one fails with the command that installs it."""

import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str:
    """Where the browser is."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    pytest.fail("Chromium is missing: apt-get install --yes --no-install-recommends chromium", pytrace=False)
