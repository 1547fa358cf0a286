"""What has to go out: what is wanted of each node, against what it says it holds.

Level-triggered and pure: nothing is "sent and done". A node that differs is due again after 5 s, then 10, up to 60,
with jitter, until it reports the wanted versions; one that is silent is left alone until it speaks. The clock and the
dice are passed in.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from firmware_bridge.contract.messages import OFFLINE_SECONDS, Held

FIRST_S = 5.0
LONGEST_S = 60.0
LOG_FIRST_S, LOG_LONGEST_S = 60.0, 3600.0
"""A new head of the log hurries nobody, and that it is carried a node tells by a hello, half a minute later."""
OFFLINE = timedelta(seconds=OFFLINE_SECONDS)


class What(StrEnum):
    """What a node is to be sent."""

    ORDER = "order"
    TRUST = "trust"
    LOG = "log"
    """A newer head of the public log, and nothing else of the trust. Wherever TRUST is sent, it has the head too."""
    RECEIPT = "receipt"
    """The answer to a hello whose holder needs nothing else: where its journal stands."""
    COMMAND = "command"


@dataclass(frozen=True)
class Wanted:
    """What one node should hold. Fields as in `messages.Held`."""

    node: str
    order: tuple[int, int] = (0, 0)
    root: int = 0
    approvers: int = 0
    policies: str = ""
    stop: int = 0
    log: int = 0
    """Entries of the public log under the head that it should carry at least."""

    def missing(self, held: Held) -> tuple[What, ...]:
        """What a node that holds `held` must be sent. Trust first: an order is judged by it."""
        older_trust = held.root < self.root or held.approvers < self.approvers or held.policies != self.policies
        older_log = held.log is not None and held.log.size < self.log
        older_order = held.order < self.order or held.stop < self.stop
        return (*((What.TRUST,) if older_trust else ()), *((What.LOG,) if older_log else ()),
                *((What.ORDER,) if older_order else ()))


@dataclass(frozen=True)
class Due:
    """One message to publish now. `command` is the command's id when `what` is COMMAND."""

    node: str
    what: What
    command: str | None = None


@dataclass
class _Pace:
    """When something may be sent to one node again."""

    next_at: datetime
    wait_s: float = FIRST_S
    longest_s: float = LONGEST_S

    @classmethod
    def of(cls, what: What, now: datetime) -> "_Pace":
        return cls(now, LOG_FIRST_S, LOG_LONGEST_S) if what is What.LOG else cls(now)

    def sent(self, now: datetime, draw: float) -> None:
        self.next_at = now + timedelta(seconds=self.wait_s * (0.75 + draw / 2))
        self.wait_s = min(self.wait_s * 2, self.longest_s)


@dataclass
class _Peer:
    held: Held
    heard: datetime
    pace: dict[What, _Pace] = field(default_factory=dict)
    said_hello: bool = False


@dataclass
class _Command:
    expires: datetime
    unanswered: dict[str, _Pace]


class Outbox:
    """Everything that is to go out, for all nodes of a site. Not thread-safe; holds no bytes and does no IO.

    `draw` gives random numbers in [0, 1).
    """

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._wanted: dict[str, Wanted] = {}
        self._peers: dict[str, _Peer] = {}
        self._lagging: set[str] = set()
        self._commands: dict[str, _Command] = {}

    @property
    def nodes(self) -> int:
        """How many nodes something is wanted of."""
        return len(self._wanted)

    def want(self, wanted: Wanted) -> None:
        """From now on, this node should hold this. What is new goes out at the next `due`."""
        if self._wanted.get(wanted.node) == wanted:
            return
        self._wanted[wanted.node] = wanted
        if wanted.node in self._peers:
            self._peers[wanted.node].pace.clear()
        self._compare(wanted.node)

    def forget(self, node: str) -> None:
        """A retired node: nothing goes to it any more."""
        self._wanted.pop(node, None)
        self._peers.pop(node, None)
        self._lagging.discard(node)
        for command in self._commands.values():
            command.unanswered.pop(node, None)

    def heard(self, node: str, held: Held, now: datetime, hello: bool = False) -> None:
        """The node said what it holds. A hello is answered at once, whatever the pace."""
        peer = self._peers.get(node)
        if peer is None:
            peer = self._peers[node] = _Peer(held, now)
        if hello or now - peer.heard > OFFLINE:
            peer.pace.clear()
            self._hasten_commands(node, now)
        # which head of the log is carried only a hello says
        peer.held = held if hello else held.model_copy(update={"log": peer.held.log})
        peer.heard = now
        peer.said_hello = peer.said_hello or hello
        self._compare(node)

    def ahead(self) -> tuple[str, ...]:
        """Nodes that hold a newer order than is wanted: this server was restored from an older state."""
        return tuple(node for node, peer in self._peers.items()
                     if node in self._wanted and peer.held.order > self._wanted[node].order)

    def commanded(self, command: str, nodes: Iterable[str], expires: datetime, now: datetime) -> None:
        """A command was published (to a group: once): repeat it to each node that does not answer in its journal."""
        paces = {node: _Pace(now) for node in nodes}
        for pace in paces.values():
            pace.sent(now, self._draw())
        self._commands[command] = _Command(expires, paces)

    def answered(self, node: str, command: str) -> None:
        """The node's journal names the command: accepted or refused, it has it."""
        if command in self._commands:
            self._commands[command].unanswered.pop(node, None)

    def unanswered(self, command: str) -> tuple[str, ...]:
        """Nodes that have not answered the command; empty when it is answered, expired or unknown."""
        return tuple(self._commands[command].unanswered) if command in self._commands else ()

    def due(self, now: datetime) -> list[Due]:
        """What is to be published now; it counts as sent. Nodes silent for 90 s are left out until they speak."""
        listed = [*self._due_commands(now)]
        for node in sorted(self._lagging):
            peer = self._peers[node]
            if now - peer.heard > OFFLINE:
                continue
            missing = self._wanted[node].missing(peer.held) if node in self._wanted else ()
            if peer.said_hello and not missing:
                listed.append(Due(node, What.RECEIPT))
            peer.said_hello = False
            for what in missing:
                pace = peer.pace.setdefault(what, _Pace.of(what, now))
                if pace.next_at <= now:
                    pace.sent(now, self._draw())
                    if what is not What.LOG or What.TRUST not in missing:
                        listed.append(Due(node, what))
            if not missing:
                self._lagging.discard(node)
        return listed

    def _due_commands(self, now: datetime) -> list[Due]:
        self._commands = {name: one for name, one in self._commands.items()
                          if one.expires > now and one.unanswered}
        listed = []
        for name, command in self._commands.items():
            for node, pace in command.unanswered.items():
                peer = self._peers.get(node)
                if pace.next_at <= now and peer is not None and now - peer.heard <= OFFLINE:
                    pace.sent(now, self._draw())
                    listed.append(Due(node, What.COMMAND, name))
        return listed

    def _hasten_commands(self, node: str, now: datetime) -> None:
        for command in self._commands.values():
            if node in command.unanswered:
                command.unanswered[node] = _Pace(now)

    def _compare(self, node: str) -> None:
        peer, wanted = self._peers.get(node), self._wanted.get(node)
        if peer is None or (wanted is None and not peer.said_hello):
            return
        missing = wanted.missing(peer.held) if wanted is not None else ()
        peer.pace = {what: pace for what, pace in peer.pace.items() if what in missing}
        if missing or peer.said_hello:
            self._lagging.add(node)
        else:
            self._lagging.discard(node)
