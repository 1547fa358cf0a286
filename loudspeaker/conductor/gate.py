"""Who may take which recordings right now, and how many at once: a fleet that comes as one is made to come in turn."""

import math
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

AT_ONCE: Final = 256
"""Downloads at a time; each holds a quarter of a megabyte of memory."""
EACH: Final = 4
"""Of one node."""
GRACE_S: Final = 30.0
"""How long a turn is held for a node that is late."""
LONGEST_S: Final = 600.0
FIRST_GUESS_S: Final = 2.0
KNOWN_S: Final = 15.0
"""How long a token and an approval are believed without asking the database."""
MOST_KNOWN: Final = 50_000


@dataclass
class Turnstile:
    """Lets `at_once` in. Others are told when to come back, and then go before those who come for the first time.

    Not thread-safe: it belongs to the event loop. Instants are seconds of one monotonic clock.
    """

    at_once: int = AT_ONCE
    each: int = EACH
    inside: Counter[str] = field(default_factory=Counter)
    _turns: "OrderedDict[str, float]" = field(default_factory=OrderedDict)
    _last_turn: float = 0.0
    _usual_s: float = FIRST_GUESS_S

    @property
    def busy(self) -> int:
        """How many are inside."""
        return self.inside.total()

    def enter(self, node: str, now: float) -> float | None:
        """None: come in, and `leave` in the end. Else seconds after which to come again."""
        self._forget_late(now)
        if self.inside[node] >= self.each:
            return self._usual_s
        if self.busy + self._others_due(node, now) < self.at_once:
            self._turns.pop(node, None)
            self.inside[node] += 1
            return None
        if node not in self._turns or self._turns[node] <= now:
            self._turns.pop(node, None)
            self._last_turn = max(self._last_turn, now) + self._usual_s / self.at_once
            self._turns[node] = self._last_turn
        return min(LONGEST_S, self._turns[node] - now)

    def leave(self, node: str, took_s: float) -> None:
        """One that was let in is done, after `took_s`."""
        self.inside[node] -= 1
        if self.inside[node] <= 0:
            del self.inside[node]
        self._usual_s += (max(took_s, 0.01) - self._usual_s) / 16

    def _forget_late(self, now: float) -> None:
        while self._turns and next(iter(self._turns.values())) < now - GRACE_S:
            self._turns.popitem(last=False)

    def _others_due(self, node: str, now: float) -> int:
        """Nodes whose turn has come and that are not back yet; whose own turn has come waits for nobody."""
        if self._turns.get(node, math.inf) <= now:
            return 0
        due = 0
        for turn in self._turns.values():
            if turn > now or due >= self.at_once:
                break
            due += 1
        return due


class Known:
    """Tokens of nodes and names of approved recordings, as the database said seconds ago. Thread-safe."""

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[float, str]] = {}
        self._approved: dict[str, float] = {}
        self._lock = Lock()

    def node(self, token: str, now: float) -> str | None:
        """Whose token it is."""
        until, node = self._nodes.get(token, (now, ""))
        return node if until > now else None

    def is_approved(self, sha256: str, now: float) -> bool:
        """Whether the recording may be fetched."""
        return self._approved.get(sha256, now) > now

    def learn(self, token: str, node: str, sha256: str, now: float) -> None:
        """The database has just said so. `token` is better a digest than the secret itself."""
        with self._lock:
            if len(self._nodes) >= MOST_KNOWN:
                self._nodes.clear()
            if len(self._approved) >= MOST_KNOWN:
                self._approved.clear()
            self._nodes[token] = (now + KNOWN_S, node)
            self._approved[sha256] = now + KNOWN_S
