"""Files that are handed out once, such as a node's configuration: held in memory only, and gone when taken."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

KEPT = timedelta(minutes=15)


@dataclass(frozen=True)
class Handout:
    """One file for one person."""

    owner_id: str
    filename: str
    text: str = field(repr=False)


class Handouts:
    """What waits to be taken. Thread-safe; forgotten after 15 minutes, and when the server ends."""

    def __init__(self, secret: Callable[[], str] = secrets.token_urlsafe) -> None:
        self._secret = secret
        self._waiting: dict[str, tuple[datetime, Handout]] = {}
        self._lock = Lock()

    def put(self, handout: Handout, now: datetime) -> str:
        """Keep a file until it is taken; returns the word that it is taken with."""
        with self._lock:
            self._waiting = {word: kept for word, kept in self._waiting.items() if kept[0] > now - KEPT}
            word = self._secret()
            self._waiting[word] = (now, handout)
        return word

    def take(self, word: str, owner_id: str, now: datetime) -> Handout | None:
        """The file, once, for its owner; None when it is gone or somebody else's."""
        with self._lock:
            at, handout = self._waiting.get(word, (now - KEPT, None))
            if handout is None or handout.owner_id != owner_id or at <= now - KEPT:
                return None
            del self._waiting[word]
        return handout
