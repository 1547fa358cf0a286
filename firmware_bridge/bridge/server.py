"""The server's end of the node protocol: its brokers, what comes in, and what goes out.

Thin: decisions are the inbox's and the outbox's, documents come signed from the conductor. Only times, receipts and
roll-calls are signed here. Time requests are answered on the wire's own thread, behind no database.
"""

import contextlib
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_bridge.bridge.decode import Journal, Received, decode
from firmware_bridge.bridge.inbox import BATCH, Batch, Inbox
from firmware_bridge.bridge.links import LinkMaker, Links, connect
from firmware_bridge.bridge.outbox import Due, Outbox, Wanted, What
from firmware_bridge.bridge.throttle import Throttle
from firmware_bridge.contract import topics
from firmware_bridge.contract.blocks import Block, BlockRequest
from firmware_bridge.contract.documents import Command, Receipt, RollCall, TimeAnswer, TrustBundle
from firmware_bridge.contract.envelope import Envelope, encode
from firmware_bridge.contract.messages import EntryKind, Heartbeat, Held, Hello, TimeRequest
from firmware_bridge.contract.topics import Down, ToGroup, Up
from firmware_bridge.wire import Address, WireError

ROLL_CALL_S = (5, 300)
"""Shortest and longest window; in between, one second for every 100 nodes."""
TIME_ANSWERS = 10
"""Time requests of one node that are answered within a second: each costs a signature on the wire's thread."""


@dataclass(frozen=True)
class BrokerState:
    """The one state of the links to the brokers. A dead broker is one fault, not one per node."""

    connected: bool
    """At least one broker is joined."""
    since: datetime
    """When the last change was: from then on every node has had its time to be heard."""
    reason: str = ""
    """Why the last one was lost; empty while connected."""
    away: tuple[str, ...] = ()
    """Of several brokers, those that are not joined: host:port."""


@dataclass(frozen=True)
class _Sent:
    """A command kept for its repetitions, encoded once."""

    target: str
    payload: bytes


class Bridge:
    """Everything between the conductor and the nodes of one site.

    `addresses` are independent brokers, all joined at once: one is enough. `public_key_of(node)` gives the key that
    verifies a node's journal, None for a stranger; it is called on the draining thread. `on_broker` hears each change
    of the brokers' state, on the wire's threads. Publishing raises WireError while all brokers are gone; nothing is
    lost by that, since `due` names it again. `on_block_request(node, request)` may be set later; it is called on the
    wire's threads, behind no database, and must be short.
    """

    def __init__(
        self,
        addresses: Address | Sequence[Address],
        site: str,
        server_key: Ed25519PrivateKey,
        public_key_of: Callable[[str], str | None],
        now: Callable[[], datetime],
        *,
        on_broker: Callable[[BrokerState], None] = lambda _state: None,
        make_link: LinkMaker = connect,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.inbox = Inbox(site, public_key_of, now)
        self.on_block_request: Callable[[str, BlockRequest], None] = lambda _node, _request: None
        self._site, self._server_key, self._now = site, server_key, now
        self._on_broker = on_broker
        self._outbox = Outbox(draw)
        self._lock = threading.Lock()
        self._time_limit = Throttle(TIME_ANSWERS, timedelta(seconds=1))
        self._commands: dict[str, _Sent] = {}
        self._state = BrokerState(False, now(), "not started")
        self._addresses = (addresses,) if isinstance(addresses, Address) else tuple(addresses)
        self._away = dict.fromkeys(range(len(self._addresses)), "not started")
        self._links = Links(self._addresses, topics.of_server(site), self._on_message, self._on_connected,
                            self._on_disconnected, make_link)

    @property
    def broker_state(self) -> BrokerState:
        """Connected or lost, and since when."""
        return self._state

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._links.start()

    def stop(self) -> None:
        """Send what is queued and say goodbye; a waiting `drain` returns."""
        self._links.stop()
        self.inbox.close()

    def drain(self, max_messages: int = BATCH, wait_s: float = 0.05, idle_s: float = 1.0) -> Batch:
        """The next batch of what came in (see `Inbox.drain`); the outbox learns from it what each node holds."""
        batch = self.inbox.drain(max_messages, wait_s, idle_s)
        with self._lock:
            for one in batch.received:
                self._learn(one)
        return batch

    def want(self, wanted: Iterable[Wanted]) -> None:
        """These nodes should hold this from now on. Call for all nodes at start, later for what changed."""
        with self._lock:
            for one in wanted:
                self._outbox.want(one)

    def forget(self, node: str) -> None:
        """A retired node: nothing goes to it any more."""
        with self._lock:
            self._outbox.forget(node)

    def ahead(self) -> tuple[str, ...]:
        """Nodes that hold a newer order than is wanted: the database is older than they are; raise the epoch."""
        with self._lock:
            return self._outbox.ahead()

    def due(self) -> list[Due]:
        """Orders, trust and receipts that the conductor is to publish now; commands are repeated here.

        Call about once a second. Empty while the broker is gone.
        """
        if not self._links.connected:
            return []
        with self._lock:
            listed = self._outbox.due(self._now())
            repeats = [(one.node, self._commands[one.command]) for one in listed
                       if one.command is not None and one.command in self._commands]
        with contextlib.suppress(WireError):  # they are due again in some seconds
            for node, sent in repeats:
                self._links.publish(topics.of_node(self._site, node, Down.COMMAND), sent.payload)
        return [one for one in listed if one.what is not What.COMMAND]

    def publish_order(self, node: str, order: Envelope) -> None:
        """Send a signed running order. Raises WireError."""
        self._links.publish(topics.of_node(self._site, node, Down.ORDER), encode(order))

    def publish_trust(self, node: str, bundle: TrustBundle) -> None:
        """Send root, approvers and policies. Raises WireError."""
        self._links.publish(topics.of_node(self._site, node, Down.TRUST), bundle.to_bytes())

    def publish_command(self, command: Command, envelope: Envelope, nodes: Iterable[str]) -> None:
        """Send a signed command once to its target, then to each of `nodes` (its members) that does not answer.

        Without a broker it goes out with the repetitions. Raises WireError where the link fails or is congested (it is
        repeated all the same), ValueError on a target that is none.
        """
        kind, _, name = command.target.partition(":")
        if kind == "node":
            topic = topics.of_node(self._site, name, Down.COMMAND)
        elif kind == "group":
            topic = topics.of_group(self._site, name, ToGroup.COMMAND)
        else:
            raise ValueError(f"{command.target!r} is neither node:… nor group:…")
        sent = _Sent(topic, encode(envelope))
        with self._lock:
            try:
                if self._links.connected:
                    self._links.publish(topic, sent.payload)  # before the bookkeeping: thousands wait for it
            finally:
                self._commands = {one: kept for one, kept in self._commands.items() if self._outbox.unanswered(one)}
                self._commands[command.id] = sent
                self._outbox.commanded(command.id, nodes, command.expires, self._now())

    def unanswered(self, command: str) -> tuple[str, ...]:
        """Nodes whose journal has not named the command yet."""
        with self._lock:
            return self._outbox.unanswered(command)

    def publish_receipt(self, node: str, journal: str, seq: int) -> None:
        """Tell the node that its journal is committed up to and including `seq`. Raises WireError."""
        receipt = Receipt(site=self._site, node=node, journal=journal, seq=seq, issued=self._now())
        self._links.publish(topics.of_node(self._site, node, Down.RECEIPT), encode(receipt.sign(self._server_key)))

    def answer_time(self, node: str, nonce: str, received: datetime) -> None:
        """Answer a time request that came in at `received`. Raises WireError."""
        answer = TimeAnswer(site=self._site, node=node, nonce=nonce, received=received, sent=self._now())
        self._links.publish(topics.of_node(self._site, node, Down.TIME), encode(answer.sign(self._server_key)))

    def publish_block(self, node: str, block: Block) -> None:
        """Send some bytes of a recording that a node asked for. Raises WireError."""
        self._links.publish(topics.of_node(self._site, node, Down.BLOCK), block.to_bytes())

    def call_roll(self) -> None:
        """Ask every node for a hello, spread over a window that grows with their number. Raises WireError."""
        self._links.publish(*self._roll_call())

    def _roll_call(self) -> tuple[str, bytes]:
        shortest, longest = ROLL_CALL_S
        window = min(max(shortest, self._outbox.nodes // 100), longest)
        call = RollCall(site=self._site, issued=self._now(), window_s=window)
        return topics.of_group(self._site, topics.ALL, ToGroup.ROLL_CALL), encode(call.sign(self._server_key))

    def _on_message(self, topic: str, payload: bytes, retained: bool) -> None:
        if topic.endswith(f"/{Up.TIME_REQUEST}") and not retained:
            received = self._now()
            read = decode(topic, payload, self._site, lambda _node: None, received)
            if isinstance(read, Received) and isinstance(read.message, TimeRequest):
                with self._lock:
                    allowed = self._time_limit.allows(read.node, received)
                if allowed:
                    self.answer_time(read.node, read.message.nonce, received)
                return
        if topic.endswith(f"/{Up.BLOCK_REQUEST}") and not retained:
            read = decode(topic, payload, self._site, lambda _node: None, self._now())
            if isinstance(read, Received) and isinstance(read.message, BlockRequest):
                self.on_block_request(read.node, read.message)
                return
        self.inbox.put(topic, payload, retained)

    def _on_connected(self, at: int) -> None:
        with self._lock:
            self._away.pop(at, None)
            self._note("")
        self._on_broker(self._state)
        self._links.publish_at(at, *self._roll_call())

    def _on_disconnected(self, at: int, reason: str) -> None:
        with self._lock:
            self._away[at] = reason
            self._note(reason)
        self._on_broker(self._state)

    def _note(self, reason: str) -> None:
        connected = len(self._away) < len(self._addresses)
        away = [self._addresses[at] for at in sorted(self._away)] if len(self._addresses) > 1 else []
        self._state = BrokerState(connected, self._now(), "" if connected else reason,
                                  tuple(f"{one.host}:{one.port}" for one in away))

    def _learn(self, received: Received) -> None:
        message = received.message
        if isinstance(message, Hello):
            self._outbox.heard(received.node, message.held, received.at, hello=True)
        elif isinstance(message, Heartbeat):
            self._outbox.heard(received.node, held_of(message), received.at)
        elif isinstance(message, Journal):
            for line in message.lines:
                if line.entry.kind in (EntryKind.COMMAND, EntryKind.COMMAND_REFUSED):
                    self._outbox.answered(received.node, str(line.entry.data.get("id")))


def held_of(heartbeat: Heartbeat) -> Held:
    """What a heartbeat says is held, in the long form."""
    root, approvers, policies = heartbeat.t
    return Held(order=heartbeat.o, root=root, approvers=approvers, policies=policies, stop=heartbeat.s)

