"""Everything that runs by itself while the server is up: ingest, publishing, and the alarm clock's rounds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from firmware_bridge.bridge.server import Bridge
from loudspeaker.conductor import certificates
from loudspeaker.conductor.blocks import BlockDesk, serve_blocks
from loudspeaker.conductor.enrolling import end_former_credentials
from loudspeaker.conductor.health import BROKER_GRACE, broker_back, broker_lost, some_brokers_away, sweep_nodes
from loudspeaker.conductor.house import House
from loudspeaker.conductor.intake import Intake
from loudspeaker.conductor.keys import is_next_key
from loudspeaker.conductor.publish import Publisher
from loudspeaker.conductor.rights import keep_fresh
from loudspeaker.conductor.silence import judge_silence
from loudspeaker.conductor.software import roll_out
from loudspeaker.conductor.transparency import seal
from loudspeaker.conductor.trust_state import trust_versions, watch_trust
from loudspeaker.errors import UnavailableError
from loudspeaker.playbacks.closing import close_not_held
from loudspeaker.trust.service import held_root
from schedules.clock import AlarmClock, WallAlarmClock
from schedules.hours import DAY, at_wall

HEALTH_S = 5
SWEEP_S = 30
TIDY_S = 60
EXPAND_S = 3600
CERTIFICATE_S = 6 * 3600
TRUST_S = 30
log = structlog.get_logger("jobs")


@dataclass
class Jobs:
    """What `start` started. `stop` ends it all, newest first, within a few seconds."""

    house: House
    intake: Intake
    publisher: Publisher
    blocks: BlockDesk
    clock: AlarmClock

    def stop(self) -> None:
        """End every thread; what was not sent or stored will be, after the next start."""
        self.house.nudge = None
        self.clock.shutdown(wait=False)
        self.publisher.stop()
        self.blocks.stop()
        self.intake.stop()


def start(house: House, clock: AlarmClock | None = None) -> Jobs:
    """Start the conductor of an opened house. Its bridge must be there; raises UnavailableError otherwise."""
    if house.bridge is None:
        raise UnavailableError("The server has no connection to its broker.")
    publisher, intake = Publisher(house, house.bridge), Intake(house, house.bridge)
    jobs = Jobs(house, intake, publisher, serve_blocks(house, house.bridge), clock or WallAlarmClock())
    rounds = Rounds(house, house.bridge)
    jobs.clock.every(HEALTH_S, "health", _kept_alive(rounds.health))
    jobs.clock.every(SWEEP_S, "sweep", _kept_alive(rounds.sweep))
    jobs.clock.every(SWEEP_S, "rights", _kept_alive(lambda: keep_fresh(house)))
    jobs.clock.every(TIDY_S, "credentials", _kept_alive(lambda: end_former_credentials(house)))
    jobs.clock.every(HEALTH_S, "overtake", _kept_alive(publisher.overtake))
    jobs.clock.every(TIDY_S, "recordings", _kept_alive(house.processing.sweep))
    jobs.clock.every(EXPAND_S, "expand", publisher.outdated)
    jobs.clock.every(TRUST_S, "trust", _kept_alive(rounds.trust))
    jobs.clock.every(TIDY_S, "software", _kept_alive(lambda: roll_out(house)))
    jobs.clock.every(CERTIFICATE_S, "certificate", _kept_alive(lambda: certificates.renew(house)))
    _at_midnight(jobs)
    house.nudge = publisher.outdated
    intake.start()
    publisher.start()
    jobs.clock.start()
    return jobs


@dataclass
class Rounds:
    """The idempotent rounds of the alarm clock."""

    house: House
    bridge: Bridge
    trust_seen: tuple[int, int] | None = None
    """Versions of root and approver list when last looked at."""

    def health(self) -> None:
        """Judge the broker, then, while it is there, the nodes."""
        now, broker = self.house.now(), self.bridge.broker_state
        with self.house.database.work() as session:
            if broker.connected:
                changed = broker_back(session, now)
                if now - broker.since >= BROKER_GRACE or not broker.away:
                    changed = some_brokers_away(session, now, broker.away) or changed
                silence = timedelta(seconds=self.house.settings.offline_seconds)
                lost = sweep_nodes(session, now, silence, broker.since)
                changed |= judge_silence(session, now)
            else:
                changed = now - broker.since >= BROKER_GRACE and broker_lost(session, now, broker.reason)
                lost = []
        if changed or lost:
            self.house.hub.announce("faults", "nodes")

    def sweep(self) -> None:
        """Close playbacks that their nodes have passed in silence."""
        with self.house.database.work() as session:
            closed, vanished = close_not_held(session, self.house.now())
        if closed or vanished:
            self.house.hub.announce("playbacks")


    def trust(self) -> None:
        """Say in time what of the trust will end, or lies where it should not; take up the command line's."""
        with self.house.database.work() as session:
            watch_trust(session, self.house)
            versions = trust_versions(session)
            root = held_root(session)
        if self.trust_seen is not None and versions != self.trust_seen:
            self.house.outdated()
            self.house.hub.announce("recordings")
        self.trust_seen = versions
        if root is not None and is_next_key(self.house.key_folder, root.server_key):
            self.house.stand_down()


def next_midnight(now: datetime, zone: ZoneInfo) -> datetime:
    """The next instant at which a day begins in `zone`, UTC."""
    return at_wall(now.astimezone(zone).date() + DAY, datetime.min.time(), zone)


def _at_midnight(jobs: Jobs) -> None:
    def midnight() -> None:
        _kept_alive(lambda: _seal(jobs.house))()
        jobs.publisher.outdated()
        _at_midnight(jobs)

    jobs.clock.at(next_midnight(jobs.house.now(), ZoneInfo(jobs.house.settings.zone)), "midnight", midnight)


def _seal(house: House) -> None:
    with house.database.work() as session:
        seal(session, house.now(), house.site, house.keys.server)


def _kept_alive(job: Callable[[], object]) -> Callable[[], None]:
    """A round that fails over the database is made up for by the next one."""
    def run() -> None:
        try:
            job()
        except (SQLAlchemyError, OSError) as failure:
            log.error("round failed", job=job.__name__, failure=repr(failure))
    return run
