"""Keeping every node's wants up to date and sending what it does not hold yet. Level-triggered: from stored state."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col

from firmware_bridge.bridge.outbox import Due, Wanted, What
from firmware_bridge.bridge.server import Bridge
from firmware_bridge.contract import envelope
from firmware_bridge.contract.documents import TrustBundle
from firmware_bridge.contract.messages import policies_digest
from firmware_bridge.wire import WireError
from loudspeaker.conductor.commands import resend_open
from loudspeaker.conductor.expand import expand
from loudspeaker.conductor.house import House
from loudspeaker.conductor.orders import Signing, build_orders
from loudspeaker.conductor.transparency import LogUpdates, to_carry
from loudspeaker.errors import LoudspeakerError
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.orders.models import Order
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import JournalMark
from loudspeaker.programmes.poles import load_poles
from loudspeaker.trust.models import TrustDocument
from loudspeaker.trust.service import current_trust, trust_bundle

TICK_S = 1.0
COALESCE_S = 0.1
log = structlog.get_logger("publish")


class Publisher:
    """One thread: rebuilds orders when woken, and every second sends what is due."""

    def __init__(self, house: House, bridge: Bridge) -> None:
        self._house, self._bridge = house, bridge
        self._signing = Signing(house.site, house.keys.server, timedelta(days=house.settings.horizon_days))
        self._wake, self._stopping, self._rebuilding = threading.Event(), threading.Event(), threading.Lock()
        self._outdated = True
        self._known: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    def start(self) -> None:
        """Begin; the first round builds everything."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round in hand."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout=5)

    def outdated(self) -> None:
        """Rebuild and publish soon. Cheap, callable from any thread, as often as one likes."""
        self._outdated = True
        self._wake.set()

    def rebuild(self) -> list[str]:
        """Expand programmes, bring orders up to date and tell the bridge what is wanted; nodes with a new order."""
        with self._rebuilding:
            now = self._house.now()
            with self._house.database.work() as session:
                expanded = expand(session, now, self._signing.horizon)
            with self._house.database.work() as session:
                changed = build_orders(session, now, self._signing)
            with self._house.database.read() as session:
                wanted = wanted_of_all(session, now)
            gone = self._known - {one.node for one in wanted}
            self._known = {one.node for one in wanted}
        for node in gone:
            self._bridge.forget(node)
        self._bridge.want(wanted)
        if expanded.changed or changed:
            self._house.hub.announce("programmes", "playbacks")
        return changed

    def overtake(self) -> list[str]:
        """Give a higher version to nodes that hold more than was ever sent, as after a restore; their ids."""
        ahead = self._bridge.ahead()
        if not ahead:
            return []
        now = self._house.now()
        with self._rebuilding:
            with self._house.database.work() as session:
                changed = build_orders(session, now, self._signing, ahead)
            if changed:
                with self._house.database.read() as session:
                    self._bridge.want(wanted_of_all(session, now))
        return changed

    def send_due(self) -> int:
        """Publish what is due now; how many messages."""
        due = self._bridge.due()
        if not due:
            return 0
        with self._house.database.read() as session:
            letters = _Letters(self._house, session, due)
            sends = [send for one in due if (send := letters.sending(self._bridge, one)) is not None]
        try:
            for send in sends:
                send()
        except WireError as gone:
            log.info("publishing waits for the broker", reason=str(gone))
        return len(sends)

    def resume(self) -> None:
        """After a start: send again the commands that are still in force and unanswered."""
        with self._house.database.read() as session:
            resend_open(session, self._bridge, self._house.now())

    def _run(self) -> None:
        resumed = False
        while not self._stopping.is_set():
            try:
                if self._outdated:
                    self._stopping.wait(COALESCE_S)
                    self._outdated = False
                    self.rebuild()
                if not resumed:
                    self.resume()
                    resumed = True
                self.send_due()
            except (SQLAlchemyError, LoudspeakerError, WireError, OSError, ValueError, LookupError) as failure:
                self._outdated = True
                log.error("could not publish", failure=repr(failure))
                self._stopping.wait(TICK_S)
            self._wake.wait(TICK_S)
            self._wake.clear()


class _Letters:
    """What is needed to send everything due in one round, from a few queries."""

    def __init__(self, house: House, session: Session, due: Sequence[Due]) -> None:
        self._session = session
        orders = [one.node for one in due if one.what is What.ORDER]
        self._orders = {node: signed for node, signed in session.connection().execute(  # noqa: C416 # rows, not pairs
            select(col(Order.node_id), col(Order.envelope)).where(col(Order.node_id).in_(orders)))}
        receipts = [one.node for one in due if one.what is What.RECEIPT]
        self._marks = {node: (journal, seq or 0) for node, journal, seq in session.connection().execute(
            select(col(NodeState.node_id), col(NodeState.journal_id), col(JournalMark.seq))
            .outerjoin(JournalMark, (col(JournalMark.node_id) == col(NodeState.node_id))
                       & (col(JournalMark.journal_id) == col(NodeState.journal_id)))
            .where(col(NodeState.node_id).in_(receipts)))}
        trust = [one.node for one in due if one.what in (What.TRUST, What.LOG)]
        self._places = {node: place for node, place in session.connection().execute(  # noqa: C416 # rows, not pairs
            select(col(Node.id), col(Node.place_id)).where(col(Node.id).in_(trust)))}
        self._bundles = {one: trust_bundle(session, place) for one in set(self._places.values())
                         if (place := session.get(Place, one)) is not None}
        self._logs = LogUpdates(session, house, trust)

    def sending(self, bridge: Bridge, due: Due) -> Callable[[], None] | None:
        """The act of sending one thing that is due; None when there is nothing to send (yet)."""
        node = due.node
        if due.what is What.ORDER and node in self._orders:
            order = envelope.decode(self._orders[node])
            return lambda: bridge.publish_order(node, order)
        if due.what is What.TRUST and node in self._places:
            bundle = self._bundles[self._places[node]].model_copy(update={"log": self._logs.of(node)})
            return lambda: bridge.publish_trust(node, bundle)
        if due.what is What.LOG and node in self._places:
            alone = TrustBundle(root=self._bundles[self._places[node]].root, log=self._logs.of(node))
            return lambda: bridge.publish_trust(node, alone)
        if due.what is What.RECEIPT and self._marks.get(node, ("", 0))[0]:
            journal, seq = self._marks[node]
            return lambda: bridge.publish_receipt(node, journal, seq)
        return None


def wanted_of_all(session: Session, now: datetime) -> list[Wanted]:
    """What every node in service should hold: newest order and stop, the trust of its place, a head of the log."""
    if session.connection().execute(select(col(TrustDocument.version)).limit(1)).first() is None:
        return []  # before the first run there is nobody to trust
    trust = current_trust(session)
    approvers = trust.approvers.version if trust.approvers else 0
    orders = {node: (order_epoch, version, stop) for node, order_epoch, version, stop in session.connection().execute(
        select(col(Order.node_id), col(Order.epoch), col(Order.version), col(Order.stop_generation)))}
    wanted, logged = [], to_carry(session, now)
    for pole in load_poles(session):
        order_epoch, version, stop = orders.get(pole.id, (0, 0, 0))
        held = {place: trust.policies[place].version for place in pole.path_ids if place in trust.policies}
        wanted.append(Wanted(pole.id, (order_epoch, version), trust.root.version, approvers, policies_digest(held),
                             stop, logged(pole.id)))
    return wanted
