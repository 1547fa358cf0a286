"""Opening a house: folders, database, site id, keys, store and engine. Broker, bridge and clock are the app's."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlmodel import Session

from audio.engine import Engine, find_ffmpeg
from audio.store import ContentStore
from firmware_bridge.contract.topics import check_level
from loudspeaker.conductor import keys
from loudspeaker.conductor.certificates import open_tls
from loudspeaker.conductor.house import House
from loudspeaker.conductor.transparency import log_what_is_missing
from loudspeaker.database import Database
from loudspeaker.migrations import upgrade
from loudspeaker.settings import Settings
from loudspeaker.trust.models import Fact
from loudspeaker.trust.service import held_root

SITE_FACT = "site"


def utc_now() -> datetime:
    """The machine's clock, aware, in UTC."""
    return datetime.now(UTC)


@contextmanager
def open_house(settings: Settings, now: Callable[[], datetime] = utc_now) -> Iterator[House]:
    """The house of `settings`, its database at the newest version; closed when the block ends.

    Raises OSError where the data folder cannot be used, SQLAlchemyError where the database cannot, BadCertificate.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database)
    try:
        upgrade(database.engine)
        with database.work() as session:
            site = site_id(session, settings.site)
            root = held_root(session)
            own = keys.load_or_make(settings.data / "keys", root.server_key if root else None)
            log_what_is_missing(session, now())
        yield House(settings=settings, site=site, database=database, keys=own,
                    store=ContentStore(settings.data / "recordings"), engine=Engine(find_ffmpeg()), now=now,
                    tls=open_tls(settings, now()))
    finally:
        database.close()


def site_id(session: Session, wanted: str = "") -> str:
    """The topic level of this installation, made at first start and never changed after."""
    fact = session.get(Fact, SITE_FACT)
    if fact is None:
        fact = Fact(name=SITE_FACT, value=check_level(wanted or f"site-{secrets.token_hex(6)}"))
        session.add(fact)
        session.flush()
    return fact.value
