"""Everything long-lived that the server holds, wired once in `app.create_app` and handed to the edges."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from audio.engine import Engine
from audio.store import ContentStore
from loudspeaker.conductor.hub import Hub
from loudspeaker.conductor.keys import SiteKeys
from loudspeaker.database import Database
from loudspeaker.settings import Settings

if TYPE_CHECKING:
    from firmware_bridge.bridge.broker import Broker
    from firmware_bridge.bridge.server import Bridge


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
    broker: "Broker | None" = None
    bridge: "Bridge | None" = None
    nudge: Callable[[], None] | None = None
    """Set by `conductor.jobs.start`: wakes the conductor."""
    setup_code: str | None = None
    """While nobody administers: what the first-run page asks for."""

    def outdated(self) -> None:
        """What nodes are asked for may have changed: expand, rebuild and publish soon, in the background.

        Cheap and safe to call often; hand it to `after_commit`.
        """
        if self.nudge is not None:
            self.nudge()
