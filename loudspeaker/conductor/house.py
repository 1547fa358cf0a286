"""Everything long-lived that the server holds, wired once in `app.create_app` and handed to the edges."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from audio.engine import Engine
from audio.store import ContentStore
from firmware_bridge.bridge.broker import Broker
from firmware_bridge.bridge.server import Bridge
from loudspeaker.conductor.hub import Hub
from loudspeaker.conductor.keys import SiteKeys
from loudspeaker.database import Database
from loudspeaker.settings import Settings


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
    nudge: Callable[[], None] | None = None
    """Set by `conductor.jobs.start`: wakes the conductor."""

    def outdated(self) -> None:
        """What nodes are asked for may have changed: expand, rebuild and publish soon, in the background.

        Cheap and safe to call often; hand it to `after_commit`.
        """
        if self.nudge is not None:
            self.nudge()
