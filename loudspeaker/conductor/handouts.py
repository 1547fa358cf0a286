"""Cards that are shown only to who made them, and only for a while: their tokens are kept nowhere else."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

KEPT = timedelta(minutes=60)


@dataclass(frozen=True)
class Card:
    """What a technician takes along for one pole. The token is never to be had again."""

    node_id: str
    name: str
    place: str
    location: str
    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class Handout:
    """The cards that one person made at once."""

    owner_id: str
    cards: tuple[Card, ...]


class Handouts:
    """What can be printed now. Thread-safe; forgotten after an hour, and when the server ends."""

    def __init__(self, secret: Callable[[], str] = secrets.token_urlsafe) -> None:
        self._secret = secret
        self._kept: dict[str, tuple[datetime, Handout]] = {}
        self._lock = Lock()

    def put(self, handout: Handout, now: datetime) -> str:
        """Keep cards for an hour; returns the word that they are seen with."""
        with self._lock:
            self._kept = {word: kept for word, kept in self._kept.items() if kept[0] > now - KEPT}
            word = self._secret()
            self._kept[word] = (now, handout)
        return word

    def see(self, word: str, owner_id: str, now: datetime) -> tuple[Card, ...]:
        """The cards, for who made them; none when they are forgotten or somebody else's."""
        with self._lock:
            at, handout = self._kept.get(word, (now - KEPT, None))
        return handout.cards if handout is not None and handout.owner_id == owner_id and at > now - KEPT else ()
