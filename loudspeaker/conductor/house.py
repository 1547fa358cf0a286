"""Everything long-lived that the server holds, wired once in `app.create_app` and handed to the edges."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from socket import gethostname
from threading import Lock
from urllib.parse import urlsplit

from audio.engine import Engine
from audio.store import ContentStore
from firmware_bridge.bridge.broker import Broker, BrokerUser
from firmware_bridge.bridge.server import Bridge
from loudspeaker.conductor.challenges import Challenges
from loudspeaker.conductor.gate import Known, Turnstile
from loudspeaker.conductor.handouts import Handouts
from loudspeaker.conductor.hub import Hub
from loudspeaker.conductor.keys import SiteKeys
from loudspeaker.conductor.processing import Processing
from loudspeaker.conductor.shelf import Shelf
from loudspeaker.conductor.tls import Tls
from loudspeaker.conductor.uploading import UploadFolder
from loudspeaker.database import Database
from loudspeaker.settings import Settings

ANYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 compared, not bound


def public_url(settings: Settings) -> str:
    """The address that people and nodes use, without a slash at its end."""
    host = gethostname() if settings.host in ANYWHERE else settings.host
    bracketed = f"[{host}]" if ":" in host else host
    return (settings.public_url or f"http{'s' if settings.has_tls else ''}://{bracketed}:{settings.port}").rstrip("/")


@dataclass
class House:
    """The parts of one running server. Fields after `hub` are opened in the app's lifespan."""

    settings: Settings
    site: str
    database: Database
    keys: SiteKeys
    store: ContentStore
    engine: Engine
    now: Callable[[], datetime]
    hub: Hub = field(default_factory=Hub)
    broker: Broker | None = None
    bridge: Bridge | None = None
    tls: Tls | None = None
    """What both listeners show; None: plain text."""
    shown: int = field(init=False)
    """Which certificate the listeners show: its `Tls.made`."""
    renewed: list[Callable[[], None]] = field(default_factory=list)
    """Called when there is another certificate to show."""
    nodes_outdated: Callable[[], None] = lambda: None
    """Called when nodes changed: what the bridge remembers of them is read anew."""
    nudge: Callable[[], None] | None = None
    """Set by `conductor.jobs.start`: wakes the conductor."""
    stand_down: Callable[[], None] = lambda: None
    """Ends the process in order; called when another server has taken over."""
    setup_code: str | None = None
    """While nobody administers: what the first-run page asks for."""
    broker_login: BrokerUser | None = None
    """The server's own login, made anew at each start."""
    broker_users: tuple[BrokerUser, ...] = ()
    """Who may join the broker now; changed under `broker_lock` by `conductor.rights`."""
    broker_lock: Lock = field(default_factory=Lock)
    handouts: Handouts = field(default_factory=Handouts)
    known: Known = field(default_factory=Known)
    turnstile: Turnstile = field(default_factory=Turnstile)
    challenges: Challenges = field(default_factory=Challenges)
    uploads: UploadFolder = field(init=False)
    shelf: Shelf = field(init=False)
    processing: Processing = field(init=False)
    """Started and closed in the app's lifespan."""

    def __post_init__(self) -> None:
        """Wire the parts that are made of others."""
        settings = self.settings
        self.shown = self.tls.made if self.tls else 0
        self.uploads = UploadFolder(settings.data, settings.disk_floor_bytes)
        self.shelf = Shelf(self.store)
        self.processing = Processing(
            data=settings.data, seconds=settings.processing_seconds, keep_hours=settings.upload_hours, site=self.site,
            database=self.database, hub=self.hub, store=self.store, engine=self.engine, folder=self.uploads,
            now=self.now)

    @property
    def key_folder(self) -> Path:
        """Where the server's own key lies."""
        return self.settings.data / "keys"

    @property
    def public_url(self) -> str:
        """The address that people and nodes use, without a slash at its end."""
        return public_url(self.settings)

    @property
    def public_host(self) -> str:
        """The host of `public_url`."""
        return urlsplit(self.public_url).hostname or "localhost"

    def outdated(self) -> None:
        """What nodes are asked for may have changed: expand, rebuild and publish soon, in the background.

        Cheap and safe to call often; hand it to `after_commit`.
        """
        if self.nudge is not None:
            self.nudge()
