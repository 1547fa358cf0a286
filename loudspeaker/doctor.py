"""What the server needs from its machine, checked one by one, each with the step that mends it."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from audio.engine import find_ffmpeg
from audio.errors import AudioError
from firmware_bridge.bridge.broker import BrokerMissing
from firmware_bridge.bridge.broker.child import find_program
from loudspeaker.database import Database
from loudspeaker.migrations import is_current
from loudspeaker.settings import Settings
from loudspeaker.web.assets_manifest import AssetsNotBuilt, load_assets
from loudspeaker.web.i18n import CatalogueNotBuilt, load_translators


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, whether it is well, and what was found or what to do."""

    what: str
    well: bool
    said: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check, in order. Changes nothing."""
    yield _data_folder(settings.data)
    yield _disk(settings)
    yield _database(settings)
    yield _part("ffmpeg", lambda: str(find_ffmpeg()))
    yield _part("broker", lambda: str(find_program("nats-server")))
    yield _part("pages", lambda: f"{len(load_assets().files)} files")
    yield _part("translations", lambda: ", ".join(load_translators()))


def _data_folder(folder: Path) -> Finding:
    if not folder.exists():
        return Finding("data folder", True, f"{folder} will be made at the first start")
    usable = os.access(folder, os.W_OK | os.X_OK)
    return Finding("data folder", usable, str(folder) if usable else f"{folder} cannot be written: check its owner")


def _disk(settings: Settings) -> Finding:
    folder = settings.data if settings.data.exists() else Path()
    free = shutil.disk_usage(folder).free
    return Finding("disk", free > settings.disk_floor_bytes,
                   f"{free // 2**20} MB free, uploads stop below {settings.disk_floor_bytes // 2**20} MB")


def _database(settings: Settings) -> Finding:
    if settings.database.startswith("sqlite") and not (settings.data / "loudspeaker.db").exists():
        return Finding("database", True, "will be made at the first start")
    database = Database(settings.database)
    try:
        current = is_current(database.engine)
    except SQLAlchemyError as error:
        return Finding("database", False, str(error).splitlines()[0])
    finally:
        database.close()
    return Finding("database", True, "newest version" if current else "will be upgraded at the next start")


def _part(what: str, find: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, find())
    except (AudioError, BrokerMissing, AssetsNotBuilt, CatalogueNotBuilt) as error:
        return Finding(what, False, str(error))
