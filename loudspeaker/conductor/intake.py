"""The ingest loop: the one thread that writes what nodes say. It never stops over a message."""

import threading
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from firmware_bridge.bridge.decode import Received
from firmware_bridge.bridge.inbox import Alarm
from firmware_bridge.bridge.server import Bridge
from firmware_bridge.wire import WireError
from loudspeaker.conductor.alarms import findings_of_alarms
from loudspeaker.conductor.house import House
from loudspeaker.conductor.ingest import Ingested, ingest
from loudspeaker.faults.system import open_faults

AGAIN_S = 1.0
log = structlog.get_logger("ingest")


class Intake:
    """Drains the bridge into the database until stopped. Receipts go out after the commit, never before."""

    def __init__(self, house: House, bridge: Bridge) -> None:
        self._house, self._bridge = house, bridge
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self.refused = 0
        """Messages that could not be stored whatever was tried."""

    def start(self) -> None:
        """Begin to drain."""
        self._thread.start()

    def stop(self) -> None:
        """End after the batch in hand. The bridge must be stopped, or wake up, for this to return soon."""
        self._stopping.set()
        self._bridge.inbox.close()
        self._thread.join(timeout=5)

    def take(self, received: Sequence[Received]) -> None:
        """Store a batch, waiting out a database that cannot be written; what no database would take is dropped."""
        while received and not self._stopping.is_set():
            try:
                done = self._store(received)
            except (OperationalError, InterfaceError, OSError) as failure:
                log.error("cannot store", failure=repr(failure), messages=len(received))
                self._stopping.wait(AGAIN_S)
            except Exception as failure:  # noqa: BLE001 # the named loop: one bad message must not stop the others
                self._isolate(received, failure)
                return
            else:
                self._follow_up(done)
                return

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                batch = self._bridge.drain()
                self._alarm(batch.alarms)
            except Exception as failure:  # noqa: BLE001 # the named loop; what was lost is not receipted, so it comes again
                log.error("cannot read the inbox", failure=repr(failure))
                self._stopping.wait(AGAIN_S)
            else:
                self.take(batch.received)

    def _alarm(self, alarms: Sequence[Alarm]) -> None:
        """What nodes do that no honest one does becomes a fault; one that cannot be stored is in the log."""
        if not alarms:
            return
        log.error("nodes to look at", alarms=[f"{one.node}: {one.reason} {one.count}" for one in alarms])
        try:
            with self._house.database.work() as session:
                opened = open_faults(session, self._house.now(), findings_of_alarms(session, alarms))
        except (OperationalError, InterfaceError, OSError) as failure:
            log.error("cannot store alarms", failure=repr(failure))
            return
        if opened:
            self._house.hub.announce("faults")

    def _isolate(self, received: Sequence[Received], failure: Exception) -> None:
        if len(received) == 1:
            self.refused += 1
            log.error("message refused", node=received[0].node, kind=received[0].kind, failure=repr(failure))
            return
        half = len(received) // 2
        self.take(received[:half])
        self.take(received[half:])

    def _store(self, received: Sequence[Received]) -> Ingested:
        with self._house.database.work() as session:
            return ingest(session, self._house.now(), received)

    def _follow_up(self, done: Ingested) -> None:
        if done.strangers:
            log.warning("messages of nodes that are not in service", count=done.strangers)
        try:
            for node, journal, seq in done.receipts:
                self._bridge.publish_receipt(node, journal, seq)
        except WireError as gone:
            log.info("receipts wait for the broker", reason=str(gone))
        self._house.hub.announce(*sorted(done.news))
